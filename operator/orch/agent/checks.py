"""Set-up, lint and tests of the repository: run, compared with how they were before the change.

Used by `change`. A step is green when nothing fails but what failed before *and* the model has declared unrelated (a test
that needs the network fails in every sandbox). What failed before and is not declared stays red: it may be the bug itself.
Red tests are run once more on the same tree: what failed in one of the two runs is flaky, and nothing that the model could mend.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from orch.agent.client import Ran, Tools
from orch.agent.commands import CUT_SHORT
from orch.agent.errors import StepError
from orch.agent.transcript import Transcript
from orch.api.work import Commands, TestRun

_TAIL = 8_000
_MOST_NAMES = 50


class SetupFailed(StepError):
    """A set-up command failed; the text holds its last lines."""


@dataclass(frozen=True)
class Check:
    """One run of one command. `failing`: test names, or the command itself where its runner names none."""

    command: str
    exit_code: int
    output: str
    passed: int | None = None
    failed: int | None = None
    failing: tuple[str, ...] = ()
    flaky: tuple[str, ...] = ()
    """What failed in one of two runs on one tree, now or earlier in the step."""
    seconds: float = 0.0

    @property
    def names_all(self) -> bool:
        """Whether `failing` holds the name of every test that failed."""
        return bool(self.failed) and self.failed == len(self.failing)

    def as_report(self) -> TestRun:
        """The part of it that goes into the report."""
        return TestRun(
            command=self.command,
            exit_code=self.exit_code,
            passed=self.passed,
            failed=self.failed,
            failing=_cut(self.failing),
            flaky=_cut(self.flaky),
            tail=self.output[-_TAIL:],
        )


@dataclass(frozen=True)
class Red:
    """A check that keeps the step from being done, and the failures that do."""

    check: Check
    names: tuple[str, ...]


class Checks:
    """Runs the repository's commands in the sandbox."""

    def __init__(self, tools: Tools, commands: Commands, transcript: Transcript) -> None:
        self._tools = tools
        self._commands = commands
        self._transcript = transcript
        self._tests: tuple[str, ...] | None = None
        self._flaky: dict[str, set[str]] = {}

    @property
    def has_tests(self) -> bool:
        """Whether a test command is given or was found."""
        return bool(self._test_commands())

    def set_up(self) -> None:
        """Run the set-up commands. Raises SetupFailed."""
        for command in self._commands.setup:
            ran = self._tools.run(command, self._commands, seconds=self._commands.test_timeout_seconds)
            self._record("setup", command, ran)
            if ran.exit_code:
                raise SetupFailed(f"{command!r} ended with {ran.exit_code}: {ran.output[-2_000:].strip()}")

    def run(self) -> tuple[Check, ...]:
        """Lint and tests, all of them, whatever fails."""
        seconds = self._commands.test_timeout_seconds
        linted = [self._check(c, self._tools.run(c, self._commands, seconds=seconds)) for c in self._commands.lint]
        tested = [self._check(c, self._tools.test(c, self._commands)) for c in self._test_commands()]
        return (*linted, *tested)

    def run_again(self, checks: Iterable[Check], red: Iterable[Red]) -> tuple[Check, ...]:
        """The checks, with each red test command run once more on the same tree and both its outcomes joined. Not so lint,
        which knows no chance, what did not end by itself (an endless loop would take as long again), and what would take
        more than half of the time that is left: the other half is for mending."""
        doubtful = [one.check for one in red if one.check.command in self._test_commands()]
        return tuple(self._once_more(check) if check in doubtful else check for check in checks)

    def _once_more(self, first: Check) -> Check:
        if first.exit_code in CUT_SHORT or 2 * first.seconds > self._tools.seconds_left:
            return first
        again = self._check(first.command, self._tools.test(first.command, self._commands))
        joined = join(first, again)
        known = self._flaky.setdefault(first.command, set())
        known.update(joined.flaky)
        return replace(joined, flaky=tuple(sorted(known)))

    def _check(self, command: str, ran: Ran) -> Check:
        passed, failed, names = ran.counts or (None, None, ())
        failing = (names or (command,)) if ran.exit_code else ()
        self._record("check", command, ran, failing=failing[:_MOST_NAMES])
        flaky = tuple(sorted(self._flaky.get(command, ())))
        return Check(command, ran.exit_code, ran.output, passed, failed, failing, flaky, ran.seconds)

    def _record(self, kind: str, command: str, ran: Ran, **facts: Any) -> None:
        """In the transcript: `took` is in seconds."""
        ended = {"exit_code": ran.exit_code, "took": round(ran.seconds, 3)}
        self._transcript.add(kind, command=command, **ended, **facts, output=ran.output[-_TAIL:])

    def _test_commands(self) -> tuple[str, ...]:
        if self._tests is None:
            found = None if self._commands.test else self._tools.detect(self._commands.working_directory)
            self._tests = self._commands.test or ((found,) if found else ())
        return self._tests


def join(first: Check, again: Check) -> Check:
    """What a failed run and a second one on the same tree say together: red is what failed both times, flaky what failed once.
    The first stands alone where the two cannot be compared: name by name, or as a whole."""
    alike = first.names_all is again.names_all or not again.exit_code
    if again.exit_code in CUT_SHORT or not alike:
        return first
    both = tuple(name for name in again.failing if name in first.failing)
    return replace(again, failing=both, flaky=tuple(sorted({*first.failing} ^ {*again.failing})))


def _cut(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name[:1_000] for name in names[:_MOST_NAMES])


def find_red(before: Iterable[Check], after: Iterable[Check], excused: Iterable[str]) -> list[Red]:
    """What keeps the change from being done: each failing check with the names that are new or not excused."""
    known = {check.command: set(check.failing) for check in before}
    patterns = list(excused)
    found = []
    for check in after:
        if check.exit_code:
            names = tuple(
                name for name in check.failing if not _is_excused(name, known.get(check.command, set()), patterns)
            )
            if names:
                found.append(Red(check, names))
    return found


def _is_excused(name: str, known: set[str], patterns: list[str]) -> bool:
    return name in known and any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)
