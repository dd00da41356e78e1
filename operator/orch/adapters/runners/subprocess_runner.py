"""The subprocess runner: work steps as sandboxed processes of this host. For one host, the demo and the tests.

Made by `main`; implements `orch.ports.WorkRunner`. A step is a folder named after its place under `<data_dir>/steps`; making the
folder is the lock that keeps a name from running twice. The step's supervisor outlives this process, so that an operator that
comes back finds its steps. Without bubblewrap every start is refused, unless `insecure` is set.
"""

from __future__ import annotations

import asyncio
import compileall
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from orch.adapters.runners.processes import Process
from orch.adapters.runners.sandbox import ISOLATION, NO_NESTING, Python, Sandbox
from orch.adapters.runners.steps import Order, StepFolder
from orch.api.work import StepInput, encode
from orch.errors import Terminal, Transient
from orch.failpoints import Moment, failpoint
from orch.policy.identity import step_place
from orch.ports import StepState, StepStatus

_START_SECONDS: Final = 30
_END_SECONDS: Final = 20
_CHECK_SECONDS: Final = 20
_DRAFT: Final = ".new-"
_DRAFT_SECONDS: Final = 3600
"""A draft that is older was left by a crash: making one takes no second, whoever makes it."""
_ADVICE: Final = (
    "install bubblewrap 0.8 or newer and allow unprivileged user namespaces, "
    "or set ORCH_INSECURE=true if all code that will run is trusted"
)
_INSIDE: Final = ("orch.agent", "junitparser")
"""Packages that run in sandboxes only."""


class SubprocessRunner:
    """Runs steps under `data_dir`. `gateway_socket`: the gateway's Unix socket, in a folder of its own, since the sandbox sees
    the folder (a gateway that starts anew makes a new socket). `toolchains`: folders that commands see read-only, with
    `<folder>/bin` on their PATH. `insecure`: run without a sandbox where none can be made: only for code that is trusted."""

    kind = "Subprocess"

    def __init__(
        self,
        data_dir: Path,
        gateway_socket: Path,
        toolchains: Sequence[Path] = (),
        *,
        insecure: bool = False,
        bwrap: str = "bwrap",
    ) -> None:
        self._steps = data_dir.absolute() / "steps"
        self._gateway_socket = gateway_socket.absolute()
        self._toolchains = [str(folder.absolute()) for folder in toolchains]
        self._insecure = insecure
        self._program = bwrap
        self._bwrap: list[str] | None = None
        self._lock = asyncio.Lock()

    async def prepare(self) -> None:
        """Compile what steps import and try a sandbox, so that the first step need not. Raises Terminal `SandboxUnavailable`."""
        async with self._lock:
            if self._bwrap is None:
                await asyncio.to_thread(_sweep, self._steps)
                await asyncio.to_thread(_compile)
                self._bwrap = await asyncio.to_thread(self._isolation)

    async def start(self, step: StepInput, *, input_digest: str, ticket: str, seconds: float) -> str:
        """Start the step, or find it started. Raises Terminal `SandboxUnavailable`, Transient when the host refuses."""
        folder = StepFolder(self._folder(step_place(step.identity, step.name)))
        await asyncio.to_thread(_make_room, folder, input_digest)
        if (uid := await asyncio.to_thread(folder.supervisor)) is not None:
            return uid
        await self.prepare()
        if self._bwrap:
            await asyncio.to_thread(_check_gateway_folder, self._gateway_socket)
        order = Order(
            seconds, str(self._gateway_socket), self._toolchains, self._bwrap or [], input_digest=input_digest
        )
        await asyncio.to_thread(self._make_folder, folder, step, ticket, order)
        return await asyncio.to_thread(_supervise, folder)

    async def observe(self, name: str, uid: str) -> StepStatus:
        """How the step is doing."""
        return await asyncio.to_thread(_observe, StepFolder(self._folder(name)), uid)

    async def cancel(self, name: str, uid: str) -> None:
        """End the step and all its processes, and wait until they are gone."""
        process = Process.parse(uid)
        folder = StepFolder(self._folder(name))
        if process is not None and await asyncio.to_thread(folder.supervisor) == uid:
            await asyncio.to_thread(_end, process)

    async def forget(self, name: str) -> None:
        """Remove the folder of a finished step; one that is gone is no error."""
        await asyncio.to_thread(_remove, self._folder(name))

    def _folder(self, name: str) -> Path:
        if not name or name.startswith(".") or "/" in name or "\0" in name:
            raise Terminal("BadStepName", f"{name!r} cannot be the name of a work step")
        return self._steps / name

    def _isolation(self) -> list[str]:
        """The sandbox's command with its fixed options; empty where none can be made and none is asked for."""
        found = _find_bwrap(self._program)
        if not isinstance(found, str):
            return found
        if self._insecure:
            return []
        raise Terminal("SandboxUnavailable", f"work steps cannot be kept apart on this host: {found}; {_ADVICE}")

    def _make_folder(self, folder: StepFolder, step: StepInput, ticket: str, order: Order) -> None:
        """Make the whole folder under another name, then give it its own: a crash in between leaves no half step."""
        self._steps.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = StepFolder(Path(tempfile.mkdtemp(prefix=_DRAFT, dir=self._steps)))
        draft.input.write_bytes(encode(step))
        os.close(os.open(draft.ticket, os.O_CREAT | os.O_WRONLY, 0o600))
        draft.ticket.write_text(ticket)
        draft.checkout.mkdir()
        draft.state.mkdir()
        draft.write_order(order)
        try:
            draft.path.rename(folder.path)
        except OSError:  # it is there: an earlier start came so far
            _remove(draft.path)
            if not folder.path.is_dir():
                raise


def _make_room(folder: StepFolder, input_digest: str) -> None:
    """A run that was restored or made anew uses its names again: what it did in its earlier life answers another question."""
    if folder.input_digest() in (None, input_digest):
        return
    process = Process.parse(folder.supervisor() or "")
    if process is not None:
        _end(process)
    _remove(folder.path)


def _find_bwrap(program: str) -> list[str] | str:
    """The command with its fixed options, or why it does not work. Tries what a step does: our Python in a sandbox."""
    path = shutil.which(program)
    if path is None:
        return f"{program} is not installed"
    python = Python.current()
    inside = Sandbox(read=[(folder, folder) for folder in python.folders], env=python.environment())
    problem = ""
    for more in ([NO_NESTING], []):
        isolating = [path, *ISOLATION, *more]
        problem = _try(isolating, inside, [python.executable, "-S", "-c", "pass"])
        if not problem:
            return isolating
    return problem


def _try(isolating: list[str], inside: Sandbox, command: list[str]) -> str:
    """Why a command cannot be run in a sandbox; empty if it can."""
    wrapped, descriptors = inside.wrap(isolating, command)
    try:
        tried = subprocess.run(wrapped, pass_fds=descriptors, capture_output=True, timeout=_CHECK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as err:
        return f"{isolating[0]} cannot be run ({type(err).__name__})"
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    if tried.returncode == 0:
        return ""
    last = tried.stderr.decode(errors="replace").strip().rpartition("\n")[2][:300]
    return last or f"{isolating[0]} ended with status {tried.returncode}"


def _compile() -> None:
    """Have Python keep what steps import, and the operator does not, in compiled form, where it is not yet: sandboxes may not,
    and would compile it at every start. A folder that nobody may write to stays as it is."""
    for package in _INSIDE:
        spec = find_spec(package)
        for folder in (spec and spec.submodule_search_locations) or ():
            compileall.compile_dir(folder, quiet=2)


def _check_gateway_folder(gateway_socket: Path) -> None:
    try:
        others = [entry.name for entry in gateway_socket.parent.iterdir() if not entry.is_socket()]
    except FileNotFoundError as err:
        raise Transient(
            "GatewayUnreachable", f"the gateway's socket {gateway_socket} is not there: start the gateway"
        ) from err
    if others:
        message = (
            f"{gateway_socket.parent} holds {others[0]!r} besides the gateway's socket, and a sandbox would see it"
        )
        raise Terminal("SandboxUnavailable", f"{message}: give the socket a folder of its own")


def _supervise(folder: StepFolder) -> str:
    """Start the supervisor, which tells its uid, or that of the one that was there."""
    command = [sys.executable, "-S", "-P", "-m", "orch.adapters.runners.supervise", str(folder.path)]
    python = Python.current()
    env = {"PATH": os.environ.get("PATH", os.defpath), **python.environment()}
    failpoint("start-step", Moment.BEFORE)
    pipe = subprocess.PIPE
    try:
        with subprocess.Popen(
            command, env=env, cwd="/", stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
        ) as child:
            failpoint("start-step", Moment.SENT)
            told, complaint = _told(child)
    except (OSError, subprocess.TimeoutExpired) as err:
        raise Transient(
            "StepNotStarted", f"the supervisor of a work step could not be started ({type(err).__name__})"
        ) from err
    failpoint("start-step", Moment.ANSWERED)
    uid = told.decode(errors="replace").strip()
    if Process.parse(uid) is None:
        last = complaint.decode(errors="replace").strip().rpartition("\n")[2][:300]
        raise Transient("StepNotStarted", f"the supervisor of a work step ended at once: {last}")
    return uid


def _told(child: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    """All that a short-lived child says. Raises TimeoutExpired once it is killed."""
    try:
        return child.communicate(timeout=_START_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        raise


def _observe(folder: StepFolder, uid: str) -> StepStatus:
    process = Process.parse(uid)
    if process is None or folder.supervisor() != uid:
        return StepStatus(StepState.GONE)
    is_alive = process.is_alive()  # looked at first: whoever dies after that has written its result
    result = folder.result()
    if result is not None and result.report is not None:
        return StepStatus(StepState.SUCCEEDED, report=result.report)
    if result is not None and not result.vanished:
        return StepStatus(StepState.FAILED, message=result.message)
    return StepStatus(StepState.RUNNING if is_alive and result is None else StepState.GONE)


def _end(process: Process) -> None:
    """SIGTERM, by which the supervisor ends its step; SIGKILL if it does not, by which the kernel ends the sandboxes."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        process.kill(number)
        end = time.monotonic() + _END_SECONDS
        while process.is_alive():
            if time.monotonic() > end:
                break
            time.sleep(0.02)
        else:
            return


def _sweep(steps: Path) -> None:
    """Remove drafts of steps that an operator left behind when it died; they hold tickets."""
    for draft in steps.glob(f"{_DRAFT}*"):
        with suppress(FileNotFoundError):  # somebody else on this host does the same
            if time.time() - draft.stat().st_mtime > _DRAFT_SECONDS:
                _remove(draft)


def _remove(path: Path) -> None:
    """Delete a tree that hostile code has made: deep, and perhaps with folders that nobody may enter."""
    if not path.exists():
        return
    remove = ["rm", "-rf", "--one-file-system", "--", str(path)]
    if subprocess.run(remove, capture_output=True, check=False).returncode:
        subprocess.run(["chmod", "-R", "u+rwX", "--", str(path)], capture_output=True, check=False)
        subprocess.run(remove, capture_output=True, check=False)
