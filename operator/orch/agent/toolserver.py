"""`python -m orch.agent.toolserver --fd N --checkout DIR --state DIR [--sweep]`: everything that touches the repository's code.

Runs in a sandbox of its own, without ticket, network or way to the gateway; started by the runner's supervisor with one
end of a socket, whose other end `orch.agent.client` holds. Answers one request at a time until the other side hangs up.
What it says is a claim: code that it runs shares its user. It imports the standard library and its neighbours only, and
heavy ones late, because each step waits for its start.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from orch.agent.commands import Shell
from orch.agent.files import Files, ToolError
from orch.agent.repo import Repo, read_chunks
from orch.agent.wire import BrokenWire, Wire

USAGE: Final = "orch.agent.toolserver takes --fd N --checkout DIR --state DIR [--sweep]"
BIGGEST_FILE: Final = 2_000_000_000
"""Bytes that any process in here may write to one file."""
MOST_PROCESSES: Final = 4_096
BUNDLE_LIMIT: Final = 1_000_000_000


class Options(NamedTuple):
    """What the supervisor says. `fd`: the socket to the agent; `checkout`: an empty folder; `state`: another one, for our own
    files; `sweep`: kill every process that a command leaves, which takes a pid namespace of our own."""

    fd: int
    checkout: Path
    state: Path
    sweep: bool


def read_options(words: list[str]) -> Options:
    """The options in the one order in which our supervisor gives them. Raises SystemExit for anything else: argparse, which
    would take more, makes the start longer by a tenth."""
    sweep = words[-1:] == ["--sweep"]
    match words[:-1] if sweep else words:
        case ["--fd", fd, "--checkout", checkout, "--state", state] if fd.isdecimal():
            return Options(int(fd), Path(checkout), Path(state), sweep)
    raise SystemExit(f"{USAGE}, not {' '.join(words)}")


class ToolServer:
    """The operations by name; each takes the request's fields as keywords and returns JSON values."""

    def __init__(self, wire: Wire, checkout: Path, state: Path, *, sweep: bool) -> None:
        self._wire = wire
        self._state = state
        self._files = Files(checkout)
        self._repo = Repo(self._files.root, state)
        home = state / "home"
        home.mkdir(exist_ok=True)
        self._shell = Shell(self._files.root, home=home, sweep=sweep)
        self._operations: dict[str, Callable[..., Any]] = {
            "checkout": self._check_out,
            "begin": self._repo.begin,
            "merge": self._repo.merge,
            "remember": self._repo.remember_untracked,
            "instructions": self._instructions,
            "detect": self._detect,
            "list": self._files.list_folder,
            "search": self._files.search,
            "view": self._files.view,
            "edit": self._files.edit,
            "write": self._files.write,
            "delete": self._files.delete,
            "run": self._run,
            "test": self._test,
            "status": self._status,
            "result": self._result,
        }

    def serve(self) -> None:
        """Answer until the other side hangs up."""
        while True:
            request = self._wire.receive()
            name = str(request.pop("op", ""))
            try:
                value = self._answer(name, request)
            except ToolError as err:
                self._wire.send({"ok": False, "error": str(err)})
            except (OSError, TypeError, ValueError, KeyError) as err:
                self._wire.send({"ok": False, "error": f"{type(err).__name__}: {str(err)[:300]}"})
            else:
                self._wire.send({"ok": True, "value": value})
                if name == "result" and value:
                    self._wire.send_data(read_chunks(self._state / "result.bundle"))

    def _answer(self, name: str, request: dict[str, Any]) -> Any:
        operation = self._operations.get(name)
        if operation is None:
            raise ToolError("there is no such operation")
        return operation(**request)

    def _check_out(self, head: str, known: list[str]) -> None:
        path = self._state / "input.bundle"
        with path.open("xb") as file:
            for chunk in self._wire.receive_data(BUNDLE_LIMIT):
                file.write(chunk)
        self._repo.check_out(path, head=head, known=known)

    def _instructions(self, names: list[str], limit: int) -> dict[str, str]:
        found = {name: self._files.read_capped(name, limit) for name in names}
        return {name: text for name, text in found.items() if text}

    def _folder(self, folder: str) -> Path:
        place = self._files.locate(folder)
        if not place.is_dir():
            raise ToolError(f"workingDirectory {folder} is not there")
        return place

    def _detect(self, folder: str) -> str | None:
        from orch.agent.detect import detect_test_command

        return detect_test_command(self._folder(folder))

    def _run(self, command: str, folder: str, env: dict[str, str], seconds: float) -> dict[str, Any]:
        ended = self._shell.run(command, folder=self._folder(folder), env=env, seconds=seconds)
        return {"exit_code": ended.exit_code, "output": ended.output}

    def _test(self, command: str, folder: str, env: dict[str, str], seconds: float) -> dict[str, Any]:
        from orch.agent.junit import read_junit

        report = self._state / "junit.xml"
        report.unlink(missing_ok=True)
        options = f"{env.get('PYTEST_ADDOPTS', '')} --junitxml={report}".strip()
        ended = self._shell.run(
            command, folder=self._folder(folder), env=env | {"PYTEST_ADDOPTS": options}, seconds=seconds
        )
        counts = read_junit(report)
        shown = counts and {"passed": counts.passed, "failed": counts.failed, "failing": list(counts.failing)}
        return {"exit_code": ended.exit_code, "output": ended.output, "counts": shown}

    def _status(self) -> dict[str, Any]:
        return {"changed": self._repo.tree(self._files.written) is not None, "marked": self._repo.marked()}

    def _result(self) -> dict[str, Any] | None:
        tree = None if self._repo.marked() else self._repo.tree(self._files.written)
        if tree is None:
            return None
        sha, path = self._repo.bundle(tree)
        return {"sha": sha, "size": path.stat().st_size}


def limit_resources() -> None:
    """No core dumps, no endless files, no fork bomb; inherited by every command."""
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: BIGGEST_FILE,
        resource.RLIMIT_NPROC: MOST_PROCESSES,
    }
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        value = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (value, value))


def main(argv: list[str] | None = None) -> int:
    """The program. 0: the other side hung up, which is how a step ends; 1: it broke off in the middle."""
    options = read_options(sys.argv[1:] if argv is None else argv)
    os.umask(0o022)
    limit_resources()
    wire = Wire(socket.socket(fileno=options.fd))
    try:
        ToolServer(wire, options.checkout, options.state, sweep=options.sweep).serve()
    except BrokenWire:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
