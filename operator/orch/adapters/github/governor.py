"""In front of every request of one credential: writes one after the other and spaced, effects before polling, and silence
while GitHub has asked for it. Fair between tenants, because each takes its turn.

Source of the figures: GitHub REST "Rate limits for the REST API" (80 content-creating requests a minute, 500 an hour).
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from orch.errors import RateLimited

_READS: Final = 8
"""Requests at once; GitHub allows 100 for all of an account's programs."""
_CONTENT: Final = ((60.0, 80), (3_600.0, 500))
"""Seconds, and how many content-creating requests may be made in them."""


class Governor:
    """The pace of one credential. Used from the event loop only."""

    def __init__(self, write_interval: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = write_interval, clock
        self._reads = asyncio.Semaphore(_READS)
        self._writes = asyncio.Lock()
        self._writing = asyncio.Event()
        self._writing.set()
        self._last_write = float("-inf")
        self._made: deque[float] = deque()
        self._closed_until: datetime | None = None

    def close(self, until: datetime) -> None:
        """GitHub asked to wait: nothing is sent before."""
        self._closed_until = until

    def check(self) -> None:
        """Raise RateLimited while the credential is closed, without a request."""
        if self._closed_until is not None and datetime.now(UTC) < self._closed_until:
            raise RateLimited("GitHub asked to wait; no request is sent before that", retry_at=self._closed_until)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[None]:
        """A turn for a read; one that comes while an effect waits for its turn lets it go first."""
        await self._writing.wait()
        async with self._reads:
            self.check()
            yield

    @asynccontextmanager
    async def write(self) -> AsyncIterator[None]:
        """A turn for a write: alone, and not before the interval is over. Raises RateLimited when the hour is full."""
        async with self._writes:
            self.check()
            self._check_content()
            self._writing.clear()
            try:
                await asyncio.sleep(max(self._last_write + self._interval - self._clock(), 0))
                yield
            finally:
                self._last_write = self._clock()
                self._made.append(self._last_write)
                self._writing.set()

    def _check_content(self) -> None:
        now = self._clock()
        while self._made and self._made[0] < now - _CONTENT[-1][0]:
            self._made.popleft()
        for seconds, most in _CONTENT:
            recent = [made for made in self._made if made > now - seconds]
            if len(recent) >= most:
                rest = timedelta(seconds=recent[-most] + seconds - now + 0.1)
                raise RateLimited(
                    f"{most} writes in {seconds:g} s are the most that GitHub takes from one account",
                    retry_at=datetime.now(UTC) + rest,
                )
