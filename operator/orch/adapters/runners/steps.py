"""The folder of one work step of the subprocess runner: its files, and how runner and supervisor agree on them.

    order.json    what the supervisor is to do; written by the runner before the folder gets its name
    input.json    the StepInput
    ticket        the step's ticket, mode 0600; deleted by the supervisor once it has read it
    supervisor    the supervisor's uid; made by whoever comes first, so that a step never runs twice
    result.json   how the step ended; written last, by rename
    agent.log, tools.log   what the two programs printed, capped
    checkout/ state/       what the tools' sandbox may write to

Standard library only.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final, NamedTuple

REPORT_PREFIX: Final = "sha256:"
_MOST: Final = 1_000_000


class Order(NamedTuple):
    """What the supervisor is told. `bwrap`: the command with its fixed options, empty for no sandbox at all. `input_digest`: what
    the step was asked, so that its folder is not taken for that of another question."""

    seconds: float
    gateway_socket: str
    toolchains: list[str]
    bwrap: list[str]
    input_digest: str = ""


class Result(NamedTuple):
    """How a step ended. `report`: digest, set when it succeeded; `message`: one line, why not. `vanished`: something killed its
    program, the kernel for want of memory say, so that nobody knows what it would have come to."""

    report: str | None = None
    message: str = ""
    vanished: bool = False


class StepFolder:
    """One step's folder at `path`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.input = path / "input.json"
        self.ticket = path / "ticket"
        self.checkout = path / "checkout"
        self.state = path / "state"
        self._order = path / "order.json"
        self._supervisor = path / "supervisor"
        self._result = path / "result.json"

    def write_order(self, order: Order) -> None:
        """Say what is to be done."""
        self._order.write_text(json.dumps(order._asdict()))

    def read_order(self) -> Order:
        """What is to be done."""
        return Order(**json.loads(self._order.read_text()))

    def input_digest(self) -> str | None:
        """What the step was asked; None without a step."""
        try:
            return self.read_order().input_digest
        except (FileNotFoundError, NotADirectoryError):
            return None

    def claim(self, uid: str) -> bool:
        """Write `uid` as the supervisor. False if there has been one, alive or not: a step is started once."""
        draft = self.path / f".supervisor-{uid}"
        draft.write_text(uid)
        try:
            os.link(draft, self._supervisor)
        except FileExistsError:
            return False
        finally:
            draft.unlink()
        return True

    def supervisor(self) -> str | None:
        """The supervisor's uid; None before there is one."""
        try:
            return self._supervisor.read_text()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def write_result(self, result: Result) -> None:
        """Say how it ended; a reader sees all of it or nothing."""
        draft = self.path / ".result"
        draft.write_text(json.dumps(result._asdict()))
        draft.replace(self._result)

    def result(self) -> Result | None:
        """How it ended; None as long as nobody has said so."""
        try:
            found: dict[str, Any] = json.loads(self._result.read_text()[:_MOST])
        except (FileNotFoundError, NotADirectoryError):
            return None
        return Result(found.get("report"), str(found.get("message", "")), found.get("vanished") is True)
