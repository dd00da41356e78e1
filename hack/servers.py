"""A real Kubernetes API server on loopback: etcd, kube-apiserver and kube-controller-manager as child processes.

Called by the demo, and by `keeper` for tests and people (`python3 hack/controlplane.py`). Standard library only, so
that it runs before a virtual environment exists. It has no nodes: Jobs make Pods that stay Pending. Whoever is on this
machine can reach its etcd: it is for tests and demos, never for data that matters.
"""

import base64
import json
import os
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from hack.binaries import Programs
from hack.memory import available
from hack.tether import tethered
from hack.versions import SetupError

_HOST = "127.0.0.1"
_READY_WITHIN = 120.0
"""Seconds for a server to become ready; 4 are usual, a machine busy with other tests takes longer."""
_STOP_WITHIN = 10.0
"""Seconds from SIGTERM to SIGKILL."""
_GARBAGE = {"GOGC": "400"}
"""Memory for time: a server spends a quarter of its start on collecting garbage otherwise."""
_API_SERVER_SHARE = 8
"""What part of the free memory an API server may fill before it collects garbage at all. One that all tests share would spend a third
of its time on that, as it allocates 50 GB for them; a short-lived one never gets there."""
_API_SERVER_LEAST = 2**30
"""Bytes: many times what a small cluster holds."""
_ETCD = {"ETCD_WATCH_PROGRESS_NOTIFY_INTERVAL": "5s"}
"""As with kubeadm; without it, watches of a kind that rests get no bookmarks. An etcd before 3.6 warns of a variable that it does not
know, and would not start with such an argument."""
_ATTEMPTS = 5
"""How often other ports are tried, when somebody takes one between our look and the server's."""


class ControlPlane:
    """One API server with its store and its controllers, in a folder of its own that `stop` deletes.

    The servers end with the thread that called `start`, even if it is killed.
    """

    def __init__(
        self,
        directory: Path,
        programs: Programs,
        *,
        controllers: bool = True,
        people: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """`controllers` off: no service accounts, no garbage collection, no Jobs; half a second faster, 100 MB less.
        `people`: who else may log in, with their groups; see `tokens`."""
        self.directory = directory.resolve()
        self.programs = programs
        self.controllers = controllers
        self.kubeconfig = self.directory / "kubeconfig"
        """For an administrator (group system:masters)."""
        self._token = secrets.token_urlsafe(32)
        self._people = {user: ",".join(groups) for user, groups in (people or {}).items()}
        self.tokens = {user: secrets.token_urlsafe(32) for user in self._people}
        """By user, the token to log in with."""
        self._port = 0
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._commands: dict[str, list[str]] = {}

    @property
    def url(self) -> str:
        """Where the API server listens."""
        return f"https://{_HOST}:{self._port}"

    def start(self) -> None:
        """Start the servers and wait until they are ready. Raises SetupError, with nothing left running."""
        try:
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    self._start()
                    return
                except _PortTakenError as err:
                    self.stop()
                    if attempt == _ATTEMPTS:
                        raise SetupError(f"no free port on {_HOST}: {err}") from err
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the servers, newest first, and delete their folder. Does nothing the second time."""
        while self._running:
            _, process = self._running.popitem()
            _end(process)
        shutil.rmtree(self.directory, ignore_errors=True)

    def find_dead(self) -> str | None:
        """The name of a server that ended by itself, if one did."""
        return next((name for name in self._running if self.is_dead(name)), None)

    def is_dead(self, name: str) -> bool:
        """Whether a server that was started, `etcd` say, has ended."""
        return self._running[name].poll() is not None

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a server that was started; with SIGKILL, wait until it is gone. One that has ended is no error."""
        self._running[name].send_signal(number)
        if number is signal.SIGKILL:
            self._running[name].wait()

    def revive(self, name: str) -> None:
        """Start a server that is dead as it was, with what it has on disk; nobody waits until it is ready."""
        self._running[name].wait()
        self._run(name, self._commands[name])

    def forget_everything(self) -> None:
        """Lose all that is stored, as with etcd's disk: the servers end, and come back where they were, with who may log in."""
        names = list(self._running)
        while self._running:
            _end(self._running.popitem()[1])
        shutil.rmtree(self.directory / "etcd")
        for name in names:
            self._run(name, self._commands[name])
        self._await("kube-apiserver", self._port, "/readyz")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self.directory.mkdir(parents=True, mode=0o700, exist_ok=True)
        store, self._port, manager = _free_ports(3)
        people = [f'{self.tokens[user]},{user},{user},"{groups}"\n' for user, groups in self._people.items()]
        self._write("tokens.csv", "".join([f'{self._token},admin,admin,"system:masters"\n', *people]))
        self._run("etcd", self._etcd(store))
        self._run("kube-apiserver", self._api_server(store))
        self._await("kube-apiserver", self._port, "/readyz")
        self._write("kubeconfig", json.dumps(self._kubeconfig(), indent=1))
        if self.controllers:
            self._run("kube-controller-manager", self._controller_manager(manager))
            self._await("kube-controller-manager", manager, "/healthz")

    def _etcd(self, port: int) -> list[str]:
        client = f"http://{_HOST}:{port}"
        return [
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls=http://{_HOST}:0",
            "--unsafe-no-fsync",  # the data does not outlive the process
        ]

    def _api_server(self, store: int) -> list[str]:
        # The key that the server makes for its own certificate, before it reads the others, signs service account
        # tokens too: making one is beyond the standard library.
        key = self._certificates / "apiserver.key"
        return [
            f"--etcd-servers=http://{_HOST}:{store}",
            f"--cert-dir={self._certificates}",
            f"--secure-port={self._port}",
            f"--bind-address={_HOST}",
            f"--advertise-address={_HOST}",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            *([] if self.controllers else ["--disable-admission-plugins=ServiceAccount"]),
        ]

    def _controller_manager(self, port: int) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            f"--bind-address={_HOST}",
            f"--secure-port={port}",
            f"--service-account-private-key-file={self._certificates / 'apiserver.key'}",
            f"--root-ca-file={self._certificates / 'apiserver.crt'}",
            "--use-service-account-credentials=true",  # each controller under its own name, as on people's clusters
            "--leader-elect=false",
        ]

    @property
    def _certificates(self) -> Path:
        return self.directory / "pki"

    def _kubeconfig(self) -> dict[str, object]:
        """A kubeconfig is YAML, so JSON will do."""
        ca = base64.b64encode((self._certificates / "apiserver.crt").read_bytes()).decode()
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "orch",
            "clusters": [{"name": "orch", "cluster": {"server": self.url, "certificate-authority-data": ca}}],
            "users": [{"name": "admin", "user": {"token": self._token}}],
            "contexts": [{"name": "orch", "context": {"cluster": "orch", "user": "admin", "namespace": "default"}}],
        }

    def _write(self, name: str, text: str) -> None:
        """Write a file that only its owner may read, in one step for whoever waits for it."""
        fresh = self.directory / f"{name}.new"
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
        fresh.rename(self.directory / name)

    def _run(self, name: str, arguments: list[str]) -> None:
        self._commands[name] = arguments
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(
                # SIGKILL: with its store gone at the same moment, an API server would wait a minute for it
                tethered([str(self.programs[name]), *arguments], sig=signal.SIGKILL),
                cwd=self.directory,
                # no credential of the person's
                env={"PATH": os.defpath, "HOME": str(self.directory), **_ETCD, **_garbage(name)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, who then stop them in order
            )

    def _await(self, name: str, port: int, path: str) -> None:
        url = f"https://{_HOST}:{port}{path}"
        deadline = time.monotonic() + _READY_WITHIN
        while not _answers(url):
            dead = self.find_dead()
            if dead:
                self._explain(dead)
            if time.monotonic() > deadline:
                raise SetupError(f"{name} was not ready in {_READY_WITHIN:.0f} s: free some CPU and try again")
            time.sleep(0.05)

    def _explain(self, name: str) -> None:
        text = self._log(name).read_text(errors="replace")
        if "address already in use" in text:
            raise _PortTakenError(name)
        last = text.strip().rpartition("\n")[2]
        raise SetupError(
            f"{name} ended with status {self._running[name].returncode}: {last[:400] or 'it said nothing'}"
        )

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"


def _garbage(name: str) -> dict[str, str]:
    """Variables of the Go runtime, by pkg.go.dev/runtime."""
    if name != "kube-apiserver":
        return _GARBAGE
    return {"GOGC": "off", "GOMEMLIMIT": str(max(_API_SERVER_LEAST, available() // _API_SERVER_SHARE))}


class _PortTakenError(Exception):
    """Somebody else took a port between our look and the server's bind."""


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server((_HOST, 0)) for _ in range(count)]  # all open at once, so all different
    try:
        return [sock.getsockname()[1] for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def _answers(url: str) -> bool:
    """Whether the health endpoint says 200. Asked without credentials, so the certificate need not be verified."""
    context = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # not the default one, which reads all of the machine's certificates
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(url, timeout=5) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=_STOP_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
