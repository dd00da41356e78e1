"""The pace of one credential: when its next request may be sent. Values in, values out; the governor acts on it.

Source of the rules: GitHub REST "Rate limits for the REST API" and "Best practices for using the REST API". The limit of
100 requests at once needs no count: the process has eight threads.

A process does not know what the one before it has sent a moment ago, with the same credential. So points are spent
steadily, with a small burst: then no minute holds more than GitHub's limit, whoever sent in it. Of an hour of content it
presumes that half is used. The hour's quota needs no guess, each answer tells it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from orch.adapters.github.hosts import Host
from orch.errors import RateLimited
from orch.ports import RateLimit

_COST: Final = (5, 1, 1)
"""Points of a write and of reads."""
_BURSTS: Final = 20
"""So many bursts are the points of a minute. Three are not spent steadily: a minute in which the process starts anew twice
holds three bursts, and is within the limit still."""
_KEPT_BURST: Final = 0.25
"""The part of a burst that reads leave to effects; at least one write's points, or reads that take a point whenever there is
one would keep a write waiting for ever. All reads leave the same, or those that leave less would keep the others waiting."""
_KEPT_QUOTA: Final = (0.0, 0.05, 0.1)
"""Parts of the hour's quota that each urgency leaves to the more urgent ones: an effect must not fail because polling has used
it up."""


class Urgency(IntEnum):
    """What is done without for longest when the hour's quota comes to its end: the search for new work, then what a run needs to
    know, then effects. Effects go before reads as well."""

    EFFECT = 0
    LOOK = 1
    POLL = 2


class Window:
    """What was spent in the last `span` seconds, of at most `limit`."""

    def __init__(self, span: float, limit: int) -> None:
        self._span, self._limit = span, limit
        self._spent: deque[float] = deque()

    def presume(self, now: float) -> None:
        """Half was spent before, evenly: by whom is not known."""
        count = self._limit // 2
        self._spent.extend(now - self._span * number / (count + 1) for number in range(count, 0, -1))

    def add(self, now: float) -> None:
        """Spend one."""
        self._spent.append(now)

    def wait(self, now: float) -> float:
        """Seconds until one more fits; 0 when it fits now."""
        while self._spent and self._spent[0] <= now - self._span:
            self._spent.popleft()
        excess = len(self._spent) + 1 - self._limit
        return self._spent[excess - 1] + self._span - now if excess > 0 else 0.0


class Bucket:
    """Points that come back steadily, up to a burst."""

    def __init__(self, per_minute: int) -> None:
        self._burst = per_minute / _BURSTS
        self._rate = (per_minute - 3 * self._burst) / 60
        self._level, self._at = self._burst, -math.inf

    def spend(self, now: float, urgency: Urgency) -> None:
        """Take what one request costs; the caller has asked `wait` before."""
        self._level, self._at = self._now(now) - _COST[urgency], now

    def wait(self, now: float, urgency: Urgency) -> float:
        """Seconds until there are enough; 0 when there are. There is never more than a burst, so a whole one is enough."""
        kept = 0.0 if urgency is Urgency.EFFECT else max(_KEPT_BURST * self._burst, _COST[Urgency.EFFECT])
        wanted = min(_COST[urgency] + kept, self._burst)
        return max(0.0, (wanted - self._now(now)) / self._rate)

    def _now(self, now: float) -> float:
        return min(self._burst, self._level + (now - self._at) * self._rate) if self._at > -math.inf else self._burst


class Quota:
    """What is left of the hour, as the answers tell. They may come in another order than they were made in."""

    def __init__(self) -> None:
        self._told: RateLimit | None = None
        self._until = -math.inf

    def observe(self, now: float, told: RateLimit, rest: timedelta) -> None:
        """`rest`: until the hour is over, by the answer's own clock. Within an hour what is left only gets less."""
        known = self._told
        if known is None or told.reset_time > known.reset_time or now >= self._until:
            self._until = now + rest.total_seconds()
        elif told.reset_time < known.reset_time or told.remaining >= known.remaining:
            return
        self._told = told

    def wait(self, now: float, under_way: int, kept: float) -> float:
        """Seconds until one more request fits, with that part of the whole left over; 0 when it fits now."""
        if self._told is None or now >= self._until:
            return 0.0
        left = self._told.remaining - under_way - 1
        return 0.0 if left >= kept * self._told.limit else self._until - now


class Pace:
    """One credential on one host. `clock`: monotonic seconds."""

    def __init__(self, host: Host, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = host.write_interval, clock
        self._points = Bucket(host.points_per_minute)
        self._content = (Window(60, host.content_per_minute), Window(3600, host.content_per_hour))
        for window in self._content:
            window.presume(clock())
        self._quota = Quota()
        self._under_way = 0
        self._is_writing = False
        self._rested_at = -math.inf
        self._closed_until = -math.inf

    def close(self, wait: timedelta) -> None:
        """The server asked to wait so long: nothing is sent before. Somebody may set the wall clock meanwhile."""
        self._closed_until = max(self._closed_until, self._clock() + wait.total_seconds())

    def observe(self, told: RateLimit, rest: timedelta) -> None:
        """What an answer said of the hour's quota, and how long that hour still is."""
        self._quota.observe(self._clock(), told, rest)

    def refusal(self) -> RateLimited | None:
        """Why nothing is sent at all now."""
        rest = self._closed_until - self._clock()
        if rest <= 0:
            return None
        retry_at = datetime.now(UTC) + timedelta(seconds=rest)
        return RateLimited("GitHub asked to wait: nothing is sent before", retry_at=retry_at)

    def wait(self, urgency: Urgency) -> float:
        """Seconds until the next request of this urgency may begin: 0 for now, infinite while a write waits for another."""
        now = self._clock()
        waits = [
            self._points.wait(now, urgency),
            self._quota.wait(now, self._under_way, _KEPT_QUOTA[urgency]),
        ]
        if urgency is Urgency.EFFECT:
            waits += [window.wait(now) for window in self._content]
            waits.append(math.inf if self._is_writing else max(self._rested_at - now, 0.0))
        return max(waits)

    def late(self, urgency: Urgency) -> RateLimited:
        """What a caller is told whose turn does not come soon. An endless wait is one for a write under way: a second is
        fair."""
        wait = self.wait(urgency)
        retry_at = datetime.now(UTC) + timedelta(seconds=max(wait, 1.0) if wait < math.inf else 1.0)
        if self._quota.wait(self._clock(), self._under_way, _KEPT_QUOTA[urgency]) > 0:
            text = "the token's hourly quota at GitHub is used up, but for what is kept for work under way"
            return RateLimited(text, retry_at=retry_at)
        text = "more requests wait than GitHub takes from one account: coming back later"
        return RateLimited(text, retry_at=retry_at)

    def begin(self, urgency: Urgency) -> None:
        """A request is sent."""
        now = self._clock()
        self._points.spend(now, urgency)
        self._under_way += 1
        if urgency is Urgency.EFFECT:
            self._is_writing = True
            for window in self._content:
                window.add(now)

    def end(self, urgency: Urgency) -> None:
        """Its answer is there, or is not waited for any more."""
        self._under_way -= 1
        if urgency is Urgency.EFFECT:
            self._is_writing = False
            self._rested_at = self._clock() + self._interval
