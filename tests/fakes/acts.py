"""The world in memory, behind the ports, and how its acts go wrong. For tests that need no process, disk or network.

Each fake keeps its state in plain fields that a test sets and looks at. Its acts go through `Acts`, where a test says how
one goes wrong: a crash before or after it, an answer that is lost, an act that lands late, a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from tests.builders import BEGAN

from orch.errors import Ambiguous, NotFound, OrchError

T = TypeVar("T")


class Crash(BaseException):
    """The process is gone: nothing after this line ran."""


class Acts:
    """How acts go wrong, by the name of the act. `made`: every act that happened, in order."""

    def __init__(self) -> None:
        self.crash_before = self.crash_after = self.lost = self.late = ""
        self.refused: dict[str, OrchError] = {}
        self.made: list[str] = []
        self._landing: list[Callable[[], object]] = []

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        self.crash_before = self.crash_after = self.lost = self.late = ""
        self.refused.clear()

    def land(self) -> None:
        """What was under way happens now."""
        while self._landing:
            self._landing.pop(0)()

    def do(self, name: str, act: Callable[[], T]) -> T:
        """Make the act, or what a test wants instead."""
        if name == self.crash_before:
            raise Crash
        if name in self.refused:
            raise self.refused[name]
        if name == self.late:
            self._landing.append(lambda: self._make(name, act))
            raise Ambiguous("Unreachable", f"{name}: no answer")
        done = self._make(name, act)
        if name == self.crash_after:
            raise Crash
        if name == self.lost:
            raise Ambiguous("Unreachable", f"{name}: no answer")
        return done

    def _make(self, name: str, act: Callable[[], T]) -> T:
        done = act()
        self.made.append(name)
        return done


class FakeClock:
    """Now, which a test moves."""

    def __init__(self, now: datetime = BEGAN) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def forward(self, span: timedelta) -> None:
        self.now += span


def there(found: T | None, what: str) -> T:
    """What was asked for. Raises NotFound."""
    if found is None:
        raise NotFound("NotFound", f"{what}: not there")
    return found
