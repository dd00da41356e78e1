"""The pace of one credential: when its next request may be sent. Values in, values out; the governor acts on it.

Source of the rules: GitHub REST "Rate limits for the REST API" and "Best practices for using the REST API". The limit of
100 requests at once needs no count: the process has eight threads.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from orch.adapters.github.hosts import Host
from orch.errors import RateLimited

_READ, _WRITE = 1, 5
"""Points."""
_KEPT_FOR_WRITES: Final = 50
"""Points of a minute that reads leave over: an effect must not wait for polling."""


class Window:
    """What was spent in the last `span` seconds, of at most `limit`."""

    def __init__(self, span: float, limit: int) -> None:
        self._span, self._limit = span, limit
        self._spent: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, now: float, cost: int) -> None:
        """Spend."""
        self._spent.append((now, cost))
        self._sum += cost

    def wait(self, now: float, cost: int, *, spare: int = 0) -> float:
        """Seconds until `cost` more fit, with `spare` left over; 0 when they fit now."""
        while self._spent and self._spent[0][0] <= now - self._span:
            self._sum -= self._spent.popleft()[1]
        excess = self._sum + cost + spare - self._limit
        for spent, freed in self._spent:
            if excess <= 0:
                break
            excess -= freed
            if excess <= 0:
                return spent + self._span - now
        return 0.0


class Pace:
    """One credential on one host. `clock`: monotonic seconds."""

    def __init__(self, host: Host, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = host.write_interval, clock
        self._points = Window(60, host.points_per_minute)
        self._content = (Window(60, host.content_per_minute), Window(3600, host.content_per_hour))
        self._is_writing = False
        self._rested_at = -math.inf
        self._closed_until: datetime | None = None

    def close(self, until: datetime) -> None:
        """The server asked to wait: nothing is sent before."""
        self._closed_until = max(until, self._closed_until or until)

    def refusal(self) -> RateLimited | None:
        """Why nothing is sent at all now."""
        if self._closed_until is not None and datetime.now(UTC) < self._closed_until:
            return RateLimited("GitHub asked to wait: nothing is sent before", retry_at=self._closed_until)
        return None

    def wait(self, *, write: bool) -> float:
        """Seconds until the next read or write may begin: 0 for now, infinite while another write is under way."""
        now = self._clock()
        if not write:
            return self._points.wait(now, _READ, spare=_KEPT_FOR_WRITES)
        if self._is_writing:
            return math.inf
        budgets = max(window.wait(now, 1) for window in self._content)
        return max(self._rested_at - now, self._points.wait(now, _WRITE), budgets, 0.0)

    def begin(self, *, write: bool) -> None:
        """A request is sent."""
        now = self._clock()
        self._points.add(now, _WRITE if write else _READ)
        if write:
            self._is_writing = True
            for window in self._content:
                window.add(now, 1)

    def end(self, *, write: bool) -> None:
        """Its answer is there, or is not waited for any more."""
        if write:
            self._is_writing = False
            self._rested_at = self._clock() + self._interval
