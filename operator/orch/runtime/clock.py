"""The wall clock, with a memory of its steps. Given to stages and reconcilers by main.

NTP, a person or a resumed virtual machine may set the machine's clock. Times that are written down cannot know that; who
measures a short wait by them asks how long the clock has been left alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

_STEP: Final = 2.0
"""Seconds by which the clock must be off at once: slewing moves it by half a millisecond a second."""


class WallClock:
    """Called for the time, in UTC. A step is noticed at the first call after it, so `since_step` never tells too long a time."""

    def __init__(
        self, *, wall: Callable[[], float] | None = None, monotonic: Callable[[], float] | None = None
    ) -> None:
        """Both default to the machine's, in seconds."""
        self._wall, self._monotonic = wall or time.time, monotonic or time.monotonic
        self._offset = self._wall() - self._monotonic()
        self._stepped_at: float | None = None

    def __call__(self) -> datetime:
        wall = self._look()
        return datetime.fromtimestamp(wall, UTC)

    def since_step(self) -> timedelta:
        """How long nobody has set the clock, as far as this process knows; `timedelta.max` when it has seen no step."""
        self._look()
        if self._stepped_at is None:
            return timedelta.max
        return timedelta(seconds=self._monotonic() - self._stepped_at)

    def _look(self) -> float:
        wall, now = self._wall(), self._monotonic()
        if abs(wall - now - self._offset) > _STEP:
            self._stepped_at = now
        self._offset = wall - now
        return wall
