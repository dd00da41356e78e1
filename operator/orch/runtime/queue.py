"""The work queue of one controller: a Backlog with an event loop around it.

Filled by the manager from watch events, emptied by its workers. All calls come from one event loop; it never drops a
key and keeps nothing over a restart, because everything is due again then.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from orch.runtime.backlog import Backlog
from orch.runtime.reconcile import Key


class QueueClosed(Exception):
    """No more work: the operator stops."""


def by_namespace(key: Key) -> str:
    """The default grouping: tenants take turns."""
    return key.namespace


class WorkQueue:
    """De-duplicating, fair, with delays. `async get` pairs with `done`."""

    def __init__(self, group: Callable[[Key], str] = by_namespace) -> None:
        self._backlog: Backlog[Key] = Backlog(group)
        self._waiters: deque[asyncio.Future[Key]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False
        self._quiet = asyncio.Event()
        self._quiet.set()

    def __len__(self) -> int:
        """Keys that are due and wait for a worker."""
        return len(self._backlog)

    @property
    def delayed(self) -> int:
        """Keys that are due later."""
        return self._backlog.delayed

    def add(self, key: Key) -> None:
        """Due now."""
        if not self._closed:
            self._backlog.add(key)
            self._pump()

    def add_after(self, key: Key, seconds: float) -> None:
        """Due in so many seconds, unless it is due earlier anyhow."""
        if self._closed:
            return
        self._backlog.add_at(key, asyncio.get_running_loop().time() + max(0.0, seconds))
        self._pump()

    async def get(self) -> Key:
        """Wait for the next key. Raises QueueClosed."""
        if self._closed:
            raise QueueClosed
        if (key := self._take()) is not None:
            return key
        waiter: asyncio.Future[Key] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())  # handed over in the moment of the cancellation
            raise

    def done(self, key: Key) -> None:
        """The worker is through; the key runs again if it was added meanwhile."""
        self._backlog.done(key)
        if not self._backlog.processing:
            self._quiet.set()
        self._pump()

    def close(self) -> None:
        """Take nothing in and give nothing out any more."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_exception(QueueClosed())

    async def drained(self) -> None:
        """Wait until no worker has a key."""
        await self._quiet.wait()

    def _give_back(self, key: Key) -> None:
        self._backlog.add(key)
        self.done(key)

    def _take(self) -> Key | None:
        self._backlog.promote(asyncio.get_running_loop().time())
        key = self._backlog.take()
        if key is not None:
            self._quiet.clear()
        return key

    def _pump(self) -> None:
        """Hand out what is due to who waits, and wake up for what is due next."""
        if self._closed:
            return
        while self._waiters:
            if self._waiters[0].done():  # cancelled
                self._waiters.popleft()
            elif (key := self._take()) is not None:
                self._waiters.popleft().set_result(key)
            else:
                break
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._backlog.next_due()
        if due is not None:
            self._timer = asyncio.get_running_loop().call_at(due, self._pump)
