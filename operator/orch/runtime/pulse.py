"""Do the watches live? Told by the bytes that arrive on them, and by an end that the server gives them.

A watch whose peer has gone silent looks like one on which nothing happens: the process lives and sees nothing. The
API server sends a bookmark on every watch about once a minute, kopf asks for them and then drops them before any
handler, so they are heard here, one level lower: `orch.runtime.watch` gives kopf an HTTP session whose responses
report each chunk. Written in the watch's thread, read by health and metrics.

That a watch was opened shows that the server was there, not that what it sends arrives: something in between may pass the
answer's head and swallow the rest. So an opening counts once, and then something must be heard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

DEAD_AFTER: Final = 85.0
"""Seconds without a sign. Bookmarks come every 60 s; kopf gives a silent watch up after 70 s, and the next one is asked to
end after 5 s: it is told from a dead one by its end, before 90 s are over."""


class Pulse:
    """When each watch, named by its URL path, was heard last."""

    def __init__(self, *, dead_after: float = DEAD_AFTER, clock: Callable[[], float] = time.monotonic) -> None:
        self.dead_after = dead_after
        self._clock = clock
        self._heard: dict[str, float] = {}
        self._proven: set[str] = set()

    def expect(self, paths: Iterable[str]) -> None:
        """From now on these must be heard."""
        now = self._clock()
        self._heard = {path: self._heard.get(path, now) for path in paths}
        self._proven = set(self._heard)

    def heard(self, path: str) -> None:
        """Something arrived on a watch, or the server ended it."""
        if path in self._heard:
            self._heard[path] = self._clock()
            self._proven.add(path)

    def opened(self, path: str) -> None:
        """A watch was opened, which counts when something was heard since the last time."""
        if path in self._proven:
            self.heard(path)
            self._proven.discard(path)

    def fell_silent(self, path: str) -> None:
        """A watch was given up because nothing came."""
        self._proven.discard(path)

    def is_proven(self, path: str) -> bool:
        """Whether its next opening counts."""
        return path in self._proven

    def ages(self) -> dict[str, float]:
        """Seconds since each was heard."""
        now = self._clock()
        return {path: now - heard for path, heard in self._heard.items()}

    def problems(self) -> list[str]:
        """A sentence for each watch that must be taken for dead. Without figures: it is compared and shown."""
        dead = sorted(path for path, age in self.ages().items() if age > self.dead_after)
        return [f"the watch on {path} has been silent for more than {self.dead_after:.0f} s" for path in dead]
