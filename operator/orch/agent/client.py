"""The agent's side of the socket to the tool server: one method per operation.

Called by `tools`, `checks` and the stages. What comes back was made beside hostile code: shapes are checked, texts cut,
and nothing in it is believed beyond "this is what the sandbox says".
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeGuard

from orch.agent.commands import OUT_OF_TIME
from orch.agent.errors import StepError
from orch.agent.wire import BrokenWire, Wire
from orch.api.work import Commands

RESULT_LIMIT: Final = 200_000_000
"""Bytes of the bundle that a step may give back (the mirror takes no more)."""
_PATIENCE: Final = 700
"""Seconds for an operation that is no command; git may take ten minutes on a large repository."""
_SLACK: Final = 30
_LONGEST: Final = 100_000


class ToolFailed(StepError):
    """The tool server refused or could not; the text goes back to the model."""


@dataclass(frozen=True)
class Ran:
    """How a command ended, after how many seconds. `counts` (passed, failed, names of failing tests) where the runner wrote
    JUnit XML."""

    exit_code: int
    output: str
    counts: tuple[int, int, tuple[str, ...]] | None = None
    seconds: float = 0.0


class Tools:
    """Asks the tool server. `deadline`: the monotonic time after which no command runs any more."""

    def __init__(self, wire: Wire, *, deadline: float) -> None:
        self._wire = wire
        self.deadline = deadline

    @property
    def seconds_left(self) -> float:
        """Until the deadline."""
        return self.deadline - time.monotonic()

    def check_out(self, chunks: Iterable[bytes], *, head: str, known: list[str]) -> None:
        """Hand over the bundle and make the checkout."""
        self._wire.set_timeout(_PATIENCE)
        self._wire.send({"op": "checkout", "head": head, "known": known})
        self._wire.send_data(chunks)
        self._reply()

    def call(self, operation: str, **arguments: Any) -> str:
        """A file tool by name; its text."""
        return str(self._ask(operation, **arguments))[:_LONGEST]

    def run(self, command: str, commands: Commands, *, seconds: float) -> Ran:
        """Run a shell command in the working directory, at most until the deadline."""
        return self._command("run", command, commands, seconds)

    def test(self, command: str, commands: Commands) -> Ran:
        """Run a test command and read what its runner reports."""
        return self._command("test", command, commands, commands.test_timeout_seconds)

    def begin(self) -> None:
        """From here on the checkout may be changed."""
        self._ask("begin")

    def merge(self, sha: str) -> list[str]:
        """Merge a commit without committing; paths in conflict."""
        return _texts(self._ask("merge", sha=sha))

    def remember_untracked(self) -> None:
        """Leave what is untracked now out of the change."""
        self._ask("remember")

    def instructions(self, names: list[str], *, limit: int) -> dict[str, str]:
        """The files of the repository's root that are there, at most `limit` bytes of each."""
        found = self._ask("instructions", names=names, limit=limit)
        return {str(name): str(text)[:limit] for name, text in found.items()} if isinstance(found, dict) else {}

    def detect(self, folder: str) -> str | None:
        """A test command for a repository that names none."""
        command = self._ask("detect", folder=folder)
        return str(command)[:1_000] if command else None

    def status(self) -> tuple[bool, list[str]]:
        """Whether the tree differs from the head, and which paths still hold conflict markers."""
        state = self._ask("status")
        if not isinstance(state, dict):
            raise BrokenWire("an unexpected answer")
        return bool(state.get("changed")), _texts(state.get("marked"))

    def result(self) -> tuple[str, Iterator[bytes]] | None:
        """The commit and the stream of its bundle, which must be read to its end; None if nothing has changed, or conflict
        markers are left."""
        found = self._ask("result")
        if found is None:
            return None
        if not isinstance(found, dict):
            raise BrokenWire("an unexpected answer")
        return str(found.get("sha"))[:64], self._wire.receive_data(RESULT_LIMIT)

    def _command(self, operation: str, command: str, commands: Commands, seconds: float) -> Ran:
        left = min(seconds, self.seconds_left)
        if left <= 0:
            return Ran(OUT_OF_TIME, "[not run: the step's time is up]")
        self._wire.set_timeout(left + _SLACK)
        folder, env = commands.working_directory, dict(commands.env)
        start = time.monotonic()
        self._wire.send({"op": operation, "command": command, "folder": folder, "env": env, "seconds": left})
        ran = _ran(self._reply())
        return replace(ran, seconds=time.monotonic() - start)

    def _ask(self, operation: str, **arguments: Any) -> Any:
        self._wire.set_timeout(_PATIENCE)
        self._wire.send({"op": operation, **arguments})
        return self._reply()

    def _reply(self) -> Any:
        reply = self._wire.receive()
        if reply.get("ok") is not True:
            raise ToolFailed(str(reply.get("error"))[:2_000])
        return reply.get("value")


def _ran(value: Any) -> Ran:
    if not isinstance(value, Mapping) or not _is_number(value.get("exit_code")):
        raise BrokenWire("an unexpected answer")
    counts = value.get("counts")
    output = str(value.get("output"))[:_LONGEST]
    if not isinstance(counts, Mapping):
        return Ran(value["exit_code"], output)
    numbers = [number if _is_number(number := counts.get(name)) else 0 for name in ("passed", "failed")]
    failing = tuple(name for name in _texts(counts.get("failing")))
    return Ran(value["exit_code"], output, (numbers[0], numbers[1], failing))


def _is_number(value: Any) -> TypeGuard[int]:
    return type(value) is int and abs(value) < 2**31  # True is an int to Python, and to no report


def _texts(value: Any) -> list[str]:
    return [str(item)[:1_000] for item in value[:2_000]] if isinstance(value, list) else []
