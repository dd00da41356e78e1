"""Do the watches live? Told by the bytes that arrive on them.

A watch whose peer has gone silent looks like one on which nothing happens: the process lives and sees nothing. The
API server sends a bookmark on every watch about once a minute, kopf asks for them and then drops them before any
handler, so they are heard here, one level lower: `orch.runtime.watch` gives kopf an HTTP session whose responses
report each chunk. Written in the watch's thread, read by health and metrics.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

DEAD_AFTER: Final = 90.0
"""Seconds without a byte. Bookmarks come every 60 s; kopf gives a silent watch up after 70 s and opens a new one."""


class Pulse:
    """When each watch, named by its URL path, was heard last."""

    def __init__(self, *, dead_after: float = DEAD_AFTER, clock: Callable[[], float] = time.monotonic) -> None:
        self.dead_after = dead_after
        self._clock = clock
        self._heard: dict[str, float] = {}

    def expect(self, paths: Iterable[str]) -> None:
        """From now on these must be heard."""
        now = self._clock()
        self._heard = {path: self._heard.get(path, now) for path in paths}

    def heard(self, path: str) -> None:
        """A watch was opened, or something arrived on it."""
        if path in self._heard:
            self._heard[path] = self._clock()

    def ages(self) -> dict[str, float]:
        """Seconds since each was heard."""
        now = self._clock()
        return {path: now - heard for path, heard in self._heard.items()}

    def problems(self) -> list[str]:
        """A sentence for each watch that must be taken for dead. Without figures: it is compared and shown."""
        dead = sorted(path for path, age in self.ages().items() if age > self.dead_after)
        return [f"the watch on {path} has been silent for more than {self.dead_after:.0f} s" for path in dead]
