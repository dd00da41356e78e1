"""`python -m orch.adapters.runners.supervise FOLDER`: runs one work step to its end, whatever becomes of the operator.

Started by the subprocess runner. Prints the uid of the process that supervises (its own child, or one that was there before),
and returns; the child lives in a session of its own, starts both sandboxes with one socket between them, keeps their output
within bounds, ends everything at the deadline or on SIGTERM, and writes the result. It parses nothing that the step says but
one last line. Standard library only.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, Final

from orch.adapters.runners.processes import Process, descendants
from orch.adapters.runners.sandbox import Python, Sandbox, agent_sandbox, search_path, tools_sandbox
from orch.adapters.runners.steps import Order, Result, StepFolder

LEAST_FREE: Final = 500_000_000
"""Bytes that a step leaves free on the disk of its folder; below that it is ended, before everything else on the host is."""
_MOST_LOG: Final = 1_000_000
_TAIL: Final = 4_000
_DISK_SECONDS: Final = 5.0
_END_SECONDS: Final = 10.0
_REPORT: Final = re.compile(r"sha256:[0-9a-f]{64}")
_KILLED: Final = (-signal.SIGKILL, 128 + signal.SIGKILL)
"""How a program ends that was killed by somebody else than us: without a sandbox, and as bubblewrap passes it on."""
_PR_SET_CHILD_SUBREAPER: Final = 36


def main(argv: list[str] | None = None) -> int:
    """The program: fork, tell who supervises, go."""
    (folder,) = sys.argv[1:] if argv is None else argv
    step = StepFolder(Path(folder))
    told, tell = os.pipe()
    if os.fork():
        os.close(tell)
        with os.fdopen(told) as line:
            sys.stdout.write(line.read())
        return 0
    os.close(told)
    os.setsid()
    uid = str(Process.current())
    is_ours = step.claim(uid)
    with os.fdopen(tell, "w") as line:
        line.write((uid if is_ours else step.supervisor() or "") + "\n")
    if not is_ours:
        os._exit(0)
    _leave_terminal(step)
    try:
        result = Supervisor(step).run()
    except OSError as err:
        result = Result(message=f"the step could not be run: {err}")
    step.write_result(result)
    os._exit(0)


def _leave_terminal(step: StepFolder) -> None:
    """No standard stream of the operator's is kept open: whoever reads it would wait for the step."""
    null = os.open(os.devnull, os.O_RDWR)
    log = os.open(step.path / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for target, source in ((0, null), (1, log), (2, log)):
        os.dup2(source, target)


class Output:
    """One stream of a program: its beginning goes to a file, its end is remembered."""

    def __init__(self, stream: IO[bytes], log: Path | None = None) -> None:
        self.stream = stream
        self.tail = b""
        self._written = 0
        self._log = log.open("wb") if log else None

    def take(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-_TAIL:]
        if self._log and self._written < _MOST_LOG:
            self._log.write(data[: _MOST_LOG - self._written])
            self._log.flush()
            self._written += len(data)

    def last_line(self) -> str:
        """The last line that says something, fit for a message."""
        lines = [line.strip() for line in self.tail.decode(errors="replace").splitlines() if line.strip()]
        return "".join(char for char in lines[-1] if char.isprintable())[:500] if lines else ""


class Supervisor:
    """One step at work."""

    def __init__(self, step: StepFolder) -> None:
        self._step = step
        self._order: Order = step.read_order()
        self._deadline = time.monotonic() + self._order.seconds
        self._selector = selectors.DefaultSelector()
        self._is_stopped = False
        self._children: list[subprocess.Popen[bytes]] = []

    def run(self) -> Result:
        """Start both programs and wait for the agent."""
        wakeup = self._listen_to_signals()
        if not self._order.bwrap:
            _adopt_orphans()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            python = Python.current()
            agent = self._start_agent(python, ours)
            tools = self._start_tools(python, theirs)
        report, said, shown = Output(_pipe(agent.stdout)), self._log(agent, "agent.log"), self._log(tools, "tools.log")
        self._watch(report)
        try:
            why = self._wait(agent, wakeup)
        finally:
            self._end_all()
        return self._judge(why, agent, report, said, shown)

    def _judge(self, why: str, agent: subprocess.Popen[bytes], report: Output, said: Output, shown: Output) -> Result:
        if why:
            return Result(message=why)
        digest = _digest_in(report.last_line())
        if agent.returncode == 0 and digest:
            return Result(report=digest)
        vanished = agent.returncode in _KILLED
        said_last = said.last_line() or f"the agent ended with status {agent.returncode} and no report"
        tools_last = shown.last_line()
        message = f"{said_last} (tools: {tools_last})" if tools_last else said_last
        return Result(message=message, vanished=vanished)

    def _listen_to_signals(self) -> socket.socket:
        reader, writer = socket.socketpair()
        reader.setblocking(False)
        writer.setblocking(False)
        signal.set_wakeup_fd(writer.detach())
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._stop)
        self._selector.register(reader, selectors.EVENT_READ)
        return reader

    def _stop(self, number: int, frame: Any) -> None:
        self._is_stopped = True

    def _start_agent(self, python: Python, end: socket.socket) -> subprocess.Popen[bytes]:
        gateway = Path(self._order.gateway_socket)
        ticket = self._step.ticket.read_bytes()
        if not self._order.bwrap:
            paths = (str(self._step.input), str(self._step.ticket), str(gateway))
            return self._start(
                python, None, end, "orch.agent", _agent_options(*paths, end.fileno()), stdout=subprocess.PIPE
            )
        self._step.ticket.unlink()
        inside = agent_sandbox(
            python, input_json=self._step.input.read_bytes(), ticket=ticket, gateway_folder=str(gateway.parent)
        )
        paths = ("/run/orch/input.json", "/run/orch/ticket", f"/run/orch/gateway/{gateway.name}")
        return self._start(
            python, inside, end, "orch.agent", _agent_options(*paths, end.fileno()), stdout=subprocess.PIPE
        )

    def _start_tools(self, python: Python, end: socket.socket) -> subprocess.Popen[bytes]:
        checkout, state = str(self._step.checkout), str(self._step.state)
        inside, options = None, ["--fd", str(end.fileno()), "--checkout", checkout, "--state", state]
        if self._order.bwrap:
            inside = tools_sandbox(python, checkout=checkout, state=state, toolchains=self._order.toolchains)
            options = ["--fd", str(end.fileno()), "--checkout", "/checkout", "--state", "/state", "--sweep"]
        return self._start(python, inside, end, "orch.agent.toolserver", options)

    def _start(
        self,
        python: Python,
        inside: Sandbox | None,
        end: socket.socket,
        module: str,
        options: list[str],
        *,
        stdout: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start one program, in its sandbox if it has one; it inherits one end of the socket and nothing else."""
        command = python.command(module, *options)
        descriptors: list[int] = []
        env = {"PATH": os.defpath}
        if inside is None:
            env = {**python.environment(), "PATH": search_path(self._order.toolchains)}
        else:
            command, descriptors = inside.wrap(self._order.bwrap, command)
        child = subprocess.Popen(
            command,
            env=env,
            cwd=self._step.checkout,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            pass_fds=[end.fileno(), *descriptors],
            start_new_session=True,
        )
        for descriptor in descriptors:
            os.close(descriptor)
        self._children.append(child)
        return child

    def _log(self, child: subprocess.Popen[bytes], name: str) -> Output:
        output = Output(_pipe(child.stderr), self._step.path / name)
        self._watch(output)
        return output

    def _watch(self, output: Output) -> None:
        self._selector.register(output.stream, selectors.EVENT_READ, output)

    def _wait(self, agent: subprocess.Popen[bytes], wakeup: socket.socket) -> str:
        """Until the agent has ended, or has to; why it has to, else nothing."""
        pidfd = os.pidfd_open(agent.pid)
        self._selector.register(pidfd, selectors.EVENT_READ)
        while agent.poll() is None:
            if self._is_stopped:
                return "cancelled"
            left = self._deadline - time.monotonic()
            if left <= 0:
                return f"ended: the step took longer than {self._order.seconds:.0f} s"
            if _free_bytes(self._step.path) < LEAST_FREE:
                return f"ended: less than {LEAST_FREE // 1_000_000} MB are free on the disk of the step's folder"
            self._pump(min(left, _DISK_SECONDS))
        self._selector.unregister(pidfd)
        os.close(pidfd)
        return ""

    def _pump(self, seconds: float) -> None:
        """Read what is there to be read, and wait for it no longer than `seconds`."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, Output):
                data = os.read(key.fd, 1 << 16)
                key.data.take(data)
                if not data:
                    self._selector.unregister(key.fileobj)

    def _is_output_open(self) -> bool:
        return any(isinstance(key.data, Output) for key in self._selector.get_map().values())

    def _end_all(self) -> None:
        """Kill both programs and all they have started, and read their output to its end, which is when all are gone."""
        for child in self._children:
            child.kill()  # bwrap dies, and with it the first process of its pid namespace, and so all others
        if not self._order.bwrap:
            _kill_descendants()
        for child in self._children:
            child.wait()
        end = time.monotonic() + _END_SECONDS
        while self._is_output_open() and time.monotonic() < end:
            self._pump(0.2)
            if not self._order.bwrap:
                _kill_descendants()


def _adopt_orphans() -> None:
    """What leaves its session still is ours to end."""
    import ctypes  # a twentieth of our start, and a step in a sandbox has no use for it

    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _kill_descendants() -> None:
    for process in descendants(os.getpid()):
        process.kill(signal.SIGKILL)


def _agent_options(input_path: str, ticket: str, gateway: str, descriptor: int) -> list[str]:
    return ["--input", input_path, "--ticket", ticket, "--gateway-socket", gateway, "--tools-fd", str(descriptor)]


def _digest_in(line: str) -> str | None:
    try:
        digest = json.loads(line)["report"]
    except (ValueError, KeyError, TypeError):
        return None
    return digest if isinstance(digest, str) and _REPORT.fullmatch(digest) else None


def _free_bytes(path: Path) -> int:
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise OSError("a program was started without its output")
    return stream


if __name__ == "__main__":
    sys.exit(main())
