"""Which keys are due, and whose turn it is. Pure: time is an argument.

The inside of `orch.runtime.queue`; the rules are those of client-go's workqueue, with turns between groups on top.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from itertools import count
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Backlog(Generic[K]):
    """A dirty set, a processing set, a queue per group and a heap of later ones.

    A key is taken by one worker at a time; one that becomes dirty meanwhile comes back when it is done. Groups take
    turns, so a thousand runs of one repository do not make another one's run wait for all of them.
    """

    def __init__(self, group: Callable[[K], str]) -> None:
        self._group = group
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._ready: OrderedDict[str, deque[K]] = OrderedDict()
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._ticket = count()

    def __len__(self) -> int:
        """Keys that wait for a worker, those of later not among them."""
        return sum(len(queue) for queue in self._ready.values())

    @property
    def processing(self) -> int:
        return len(self._processing)

    @property
    def delayed(self) -> int:
        return len(self._due)

    def add(self, key: K) -> None:
        """Due now. Adding it again changes nothing until a worker has taken it."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._push(key)

    def add_at(self, key: K, due: float) -> None:
        """Due at that time. Of several times the earliest counts: a reconcile that then runs sets the next."""
        known = self._due.get(key)
        if known is not None and known <= due:
            return
        self._due[key] = due
        heapq.heappush(self._heap, (due, next(self._ticket), key))

    def promote(self, now: float) -> None:
        """Make due what has become due."""
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)

    def next_due(self) -> float | None:
        """When `promote` will have something to do."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # replaced by an earlier time
        return self._heap[0][0] if self._heap else None

    def take(self) -> K | None:
        """The next key, from the group whose turn it is. The caller owes a `done`."""
        if not self._ready:
            return None
        name, queue = self._ready.popitem(last=False)
        key = queue.popleft()
        if queue:
            self._ready[name] = queue
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: K) -> None:
        """The worker is through with it."""
        self._processing.discard(key)
        if key in self._dirty:
            self._push(key)

    def _push(self, key: K) -> None:
        self._ready.setdefault(self._group(key), deque()).append(key)
