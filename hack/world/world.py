"""The processes of one small world, started in order, stopped in reverse, each with its log under `<folder>/logs`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
import yaml

from hack.world.leftovers import outside_namespaces
from hack.world.nursery import Nursery
from hack.world.outside import NOWHERE
from hack.world.people import People
from hack.world.process import PATIENCE, Process, ProcessError
from hack.world.server import Server
from orch.adapters.runners.steps import StepFolder
from orch.adapters.runners.subprocess_runner import SubprocessRunner
from orch.api.manifests import Installation, manifests
from orch.api.v1alpha1 import Approval
from orch.kube.client import connect
from orch.kube.errors import Forbidden, Invalid
from orch.kube.store import Store
from orch.reconcilers.admission import forged

HOST = "github.localhost"
"""The name of the stand-in in the operator's list of hosts."""
ROOT = Path(__file__).resolve().parents[2]
SYSTEM = "orch-system"
MODEL_KEY = "sk-ant-stand-in"
_RBAC = "rbac.authorization.k8s.io"
HEADLONG = {
    "write_interval": 0.02,
    "points_per_minute": 100_000,
    "content_per_minute": 10_000,
    "content_per_hour": 100_000,
}
"""A stand-in has no neighbours to protect; its limits are tested where they are meant."""


class World:
    """GitHub's and the model's stand-ins, the gateway and the operator around one API server."""

    def __init__(
        self,
        folder: Path,
        *,
        kubeconfig: Path,
        kubectl: Path,
        seed: Mapping[str, Any],
        scripts: Sequence[Path],
        namespaces: Sequence[str],
        system: str = SYSTEM,
        settings: Mapping[str, str] | None = None,
        pace: Mapping[str, float] | None = None,
        nursery: Nursery | None = None,
        network: Mapping[str, str] = NOWHERE,
    ) -> None:
        """`seed`: of GitHub's stand-in; `scripts`: of the model's; `settings`: more ORCH_ variables of the operator; `pace`:
        how fast it may ask, by the names of the list of hosts; `nursery`: starts the programs, which otherwise start by
        themselves; `network`: variables that lead out of this machine, see `outside`."""
        self.folder, self.kubeconfig, self.kubectl_path = folder, kubeconfig, kubectl
        self._seed, self._scripts, self._settings = seed, scripts, dict(settings or {})
        self._pace = dict(pace or HEADLONG)
        self._nursery, self._network = nursery, dict(network)
        self.namespaces, self.system = list(namespaces), system
        beside = system != SYSTEM  # other worlds may share the API server
        self.installation = Installation(
            namespace=system, suffix=system if beside else "", namespaces=tuple(namespaces) if beside else ()
        )
        self.github_url = self.model_url = self.gateway_url = self.health_url = ""
        self.processes: dict[str, Process] = {}
        for name in ("logs", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Everything, in the order in which it is needed; returns when the operator is ready."""
        self.start_github()
        self.start_model()
        self.prepare_cluster()
        self.start_gateway()
        self.start_operator()
        asyncio.run(self._await_policies())
        self.wait_ready()

    def stop(self) -> None:
        """Everything that runs, in reverse."""
        for process in reversed(self.processes.values()):
            process.stop()
        asyncio.run(self._end_steps())
        self.server.close()
        shutil.rmtree(self._socket().parent, ignore_errors=True)
        (self.folder / "run").unlink(missing_ok=True)

    async def _end_steps(self) -> None:
        """Work steps outlive an operator, as they should. Here nothing may outlive the world."""
        data = self.folder / "operator"
        runner = SubprocessRunner(data, self._socket())
        for folder in (data / "steps").glob("[!.]*"):
            uid = StepFolder(folder).supervisor()
            if uid is not None:
                await runner.cancel(folder.name, uid)

    def start_github(self) -> None:
        seed = self.folder / "seed.yaml"
        seed.write_text(yaml.safe_dump(dict(self._seed)))
        arguments = ["standin-github", "--data", str(self.folder / "github"), "--seed", str(seed)]
        self.github_url = self._serve("github", [*arguments, "--port", _port(self.github_url)])

    def start_model(self) -> None:
        key = self._secret("model.key", MODEL_KEY)
        scripts = [part for path in self._scripts for part in ("--scripts", str(path))]
        arguments = ["standin-model", "--data", str(self.folder / "model"), "--api-key-file", str(key), *scripts]
        self.model_url = self._serve("model", [*arguments, "--port", _port(self.model_url)])

    def start_gateway(self, upstream: str | None = None, key: Path | None = None, **settings: str) -> None:
        """The gateway in front of the stand-in, or of another upstream with the key in a file; at its old address, if it
        had one. `settings`: more variables of its environment."""
        ready = self.folder / "gateway.ready"
        env = {
            "ORCH_GATEWAY_DATA_DIR": str(self.folder / "gateway"),
            "ORCH_GATEWAY_KUBECONFIG": str(self._operator_kubeconfig()),
            "ORCH_GATEWAY_TICKET_KEY_FILE": str(self._ticket_key()),
            "ORCH_GATEWAY_UPSTREAM_URL": upstream or self.model_url,
            "ORCH_GATEWAY_UPSTREAM_KEY_FILE": str(key or self._secret("model.key", MODEL_KEY)),
            "ORCH_GATEWAY_UNIX_SOCKET": str(self._socket()),
            "ORCH_GATEWAY_LISTEN_PORT": _port(self.gateway_url),
            "ORCH_GATEWAY_READY_FILE": str(ready),
            **settings,
        }
        self.gateway_url = self._run("gateway", ["gateway"], env=env, ready=ready)

    def start_operator(
        self, name: str = "operator", *, program: Sequence[str] = ("operator",), **settings: str
    ) -> None:
        """An operator; a second one under another name stands by. `program`: of orch, or another command."""
        ready = self.folder / f"{name}.ready"
        env = {
            "ORCH_KUBECONFIG": str(self._operator_kubeconfig()),
            "ORCH_NAMESPACES": json.dumps(self.namespaces),
            "ORCH_OPERATOR_NAMESPACE": self.system,
            "ORCH_SUFFIX": self.installation.suffix,
            "ORCH_IDENTITY": name,
            "ORCH_DATA_DIR": str(self.folder / "operator"),
            "ORCH_GATEWAY_URL": self.gateway_url,
            "ORCH_GATEWAY_SOCKET": str(self._socket()),
            "ORCH_TICKET_KEY_FILE": str(self._ticket_key()),
            "ORCH_SANDBOX_TOOLCHAINS": json.dumps(toolchains()),
            "ORCH_HEALTH_PORT": "0",
            "ORCH_READY_FILE": str(ready),
            **self._settings,
            **settings,
        }
        if self.github_url:
            env["ORCH_HOSTS_FILE"] = str(self._hosts())
        self.health_url = self._run(name, program, env=env, ready=ready)

    def wait_ready(self) -> None:
        """Until /readyz says so. Raises ProcessError with its last words."""
        deadline, answer = time.monotonic() + PATIENCE, ""
        while time.monotonic() < deadline:
            self.processes["operator"].check()
            reply = httpx2.get(f"{self.health_url}/readyz")
            if reply.status_code == 200:
                return
            answer = reply.text
            time.sleep(0.05)
        raise ProcessError(f"the operator is not ready: {answer}")

    async def _await_policies(self) -> None:
        """Until a decision that the operator forges is refused: an API server takes policies up some time after they are stored,
        and an answer that a run sees before that never counts. Raises ProcessError."""
        deadline = time.monotonic() + PATIENCE
        async with await connect(self._operator_kubeconfig()) as kube:
            for namespace in self.namespaces:
                while not await _refuses_forgery(Store(kube, Approval), namespace):
                    self.processes["operator"].check()
                    if time.monotonic() > deadline:
                        raise ProcessError(f"the API server does not protect decisions in {namespace}")
                    await asyncio.sleep(0.05)

    def prepare_cluster(self) -> None:
        """CRDs, the namespaces, and what manifests/ holds, for this world's operator. Who shares a server has given it the CRDs."""
        if not self.installation.suffix:
            self.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
            self.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(ROOT / "crds"))
        spaces = ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in self.namespaces)
        self.server.apply(*spaces, *self._manifests())

    def forget_cluster(self) -> None:
        """Take back what `prepare_cluster` left outside of namespaces, but for what every world shares."""
        if self.installation.suffix:
            with Server(self.kubeconfig) as server:  # the world's own is closed
                server.take_back(*outside_namespaces(self._manifests(), self.installation.suffix))

    def bind(self, user: str, role: str) -> None:
        """Give a person one of the roles of manifests/people.yaml in the world's namespaces."""
        for namespace in self.namespaces:
            given = {
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": _RBAC, "kind": "User", "name": user}],
            }
            self.server.apply({**_binding(user, role, namespace), **given})

    def unbind(self, user: str, role: str) -> None:
        """Take back what `bind` gave."""
        self.server.take_back(*(_binding(user, role, namespace) for namespace in self.namespaces))

    def _manifests(self) -> list[dict[str, Any]]:
        return [document for documents in manifests(self.installation).values() for document in documents]

    @cached_property
    def server(self) -> Server:
        """The API server, as its administrator."""
        return Server(self.kubeconfig)

    def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True, as_user: str | None = None) -> str:
        """Run kubectl as the administrator or as a person; its output. Raises ProcessError with its complaint."""
        person = [f"--as={as_user}"] if as_user else []
        done = subprocess.run(
            [str(self.kubectl_path), "--kubeconfig", str(self.kubeconfig), *person, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise ProcessError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def person(self, token: str) -> People:
        """Somebody on GitHub."""
        return People(self.github_url, token)

    def repository(self, namespace: str, name: str, repository: str, *, token: str, **spec: Any) -> None:
        """A Secret and an OrchestratedRepo, as a team would apply them."""
        meta = {"name": name, "namespace": namespace}
        data = {"token": base64.b64encode(token.encode()).decode()}
        self.server.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": {**meta, "name": f"{name}-github"}, "data": data},
            {
                "apiVersion": "orch.dev/v1alpha1",
                "kind": "OrchestratedRepo",
                "metadata": meta,
                "spec": {"repository": repository, "host": HOST, "credentialsRef": {"name": f"{name}-github"}, **spec},
            },
        )

    def _serve(self, name: str, arguments: list[str]) -> str:
        ready = self.folder / f"{name}.ready"
        return self._run(name, [*arguments, "--ready-file", str(ready)], env={}, ready=ready)

    def _run(self, name: str, arguments: Sequence[str], *, env: Mapping[str, str], ready: Path) -> str:
        orch = Path(sys.executable).with_name("orch")
        base = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        base["PATH"] = f"{orch.parent}:{base.get('PATH', '')}"
        base["TMPDIR"] = str(self.folder / "tmp")  # what one that is killed leaves there goes with the world
        is_ours = not Path(arguments[0]).is_absolute()
        process = Process(
            name,
            [str(orch), *arguments] if is_ours else list(arguments),
            log=self.folder / "logs" / f"{name}.log",
            env={**base, **self._network, **env},
            ready=ready,
            nursery=self._nursery if is_ours else None,
        )
        self.processes[name] = process
        process.start()
        return process.ready_line()

    def _hosts(self) -> Path:
        entry = {
            "api_url": self.github_url,
            "git_url": self.github_url,
            "web_url": self.github_url,
            "allow_private": True,
            **self._pace,
        }
        path = self.folder / "hosts.yaml"
        path.write_text(yaml.safe_dump({"hosts": {HOST: entry}}))
        return path

    def _socket(self) -> Path:
        """A Unix socket's path may have 107 bytes, and test folders are deep: it lives under the shortest folder."""
        link = self.folder / "run"
        if not link.exists():
            link.symlink_to(tempfile.mkdtemp(prefix="orch-"))
        return link.readlink() / "gateway.sock"

    def _ticket_key(self) -> Path:
        path = self.folder / "ticket.key"
        return path if path.exists() else self._secret("ticket.key", secrets.token_hex(32))

    def _secret(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return path

    def _operator_kubeconfig(self) -> Path:
        """The administrator's kubeconfig with the operator's own account and nothing more."""
        path = self.folder / "operator.kubeconfig"
        if path.exists():
            return path
        token = self.server.make_token("orch", self.system)
        config = yaml.safe_load(self.kubeconfig.read_text())
        config["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in config["users"]]
        self._secret(path.name, yaml.safe_dump(config))
        return path


def toolchains() -> list[str]:
    """What the sandbox needs of this Python: its virtual environment and the installation that it stands on."""
    return list(dict.fromkeys([sys.prefix, sys.base_prefix]))


async def _refuses_forgery(approvals: Store[Approval], namespace: str) -> bool:
    try:
        await approvals.create(forged(namespace), dry_run=True)
    except Invalid:
        return True
    except Forbidden:  # nor has it taken up yet what the operator may do
        pass
    return False


def _port(url: str) -> str:
    """The port that a program had before, so that others find it again; 0, any free one, at its first start."""
    return str(urlsplit(url).port) if url else "0"


def _binding(user: str, role: str, namespace: str) -> dict[str, Any]:
    name = hashlib.sha256(f"{role} {user}".encode()).hexdigest()[:16]
    return {"apiVersion": f"{_RBAC}/v1", "kind": "RoleBinding", "metadata": {"name": name, "namespace": namespace}}
