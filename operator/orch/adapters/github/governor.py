"""Who is next: gives the process's threads to requests. Effects go before reads, tenants take turns, and each credential keeps
its pace. Used by `rest`, from the event loop only.

Reads go in the order in which they came, whatever for: were looks before polls, the runs under way would keep new work from
being found. None waits long, for there are no more of them than workers. Of one tenant's requests, those in a hurry go first:
from a label to its claim a dozen follow on each other, which would wait one by one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from math import inf
from typing import Final, TypeVar

from orch.adapters.github.pace import Pace, Urgency

T = TypeVar("T")
THREADS: Final = 8
PATIENCE: Final = 20.0
"""Seconds that a caller waits for its turn; after that it is told when to come back, and its worker is free."""


@dataclass(eq=False)
class _Turn:
    pace: Pace
    tenant: str
    urgency: Urgency
    hurries: bool
    granted: asyncio.Future[None] = field(repr=False)
    is_held: bool = False


class _Queue:
    """Those who wait, by tenant."""

    def __init__(self) -> None:
        self._tenants: OrderedDict[str, list[_Turn]] = OrderedDict()

    def __iter__(self) -> Iterator[_Turn]:
        """The tenant that was served longest ago first, each in the order in which they came. One whose credential rests holds
        up nobody else."""
        for turns in list(self._tenants.values()):
            yield from [turn for turn in turns if not turn.granted.done()]  # a caller may just have given up

    def enter(self, turn: _Turn) -> None:
        """To the end of the tenant's own line, or of those in it that are in a hurry."""
        line = self._tenants.setdefault(turn.tenant, [])
        line.insert(sum(other.hurries for other in line) if turn.hurries else len(line), turn)

    def leave(self, turn: _Turn) -> None:
        """Served, or tired of waiting."""
        turns = self._tenants.get(turn.tenant, [])
        if turn in turns:
            turns.remove(turn)
        if not turns:
            self._tenants.pop(turn.tenant, None)

    def serve(self, turn: _Turn) -> None:
        """Its tenant's others come after all other tenants'."""
        self._tenants.move_to_end(turn.tenant)
        self.leave(turn)


class Governor:
    """One for the process. `deadline`: seconds after which a request is not waited for any more; its thread still is."""

    def __init__(self, *, deadline: float, patience: float = PATIENCE) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="github")
        self._free = THREADS
        self._deadline, self._patience = deadline, patience
        self._effects, self._reads = _Queue(), _Queue()
        self._alarm: asyncio.TimerHandle | None = None

    async def run(
        self, work: Callable[[], T], *, pace: Pace, tenant: str, urgency: Urgency, hurries: bool = False
    ) -> T:
        """Run `work` in a thread, in the caller's context, when it is its turn. Raises RateLimited without running it when that
        would take too long, TimeoutError when the answer does. A caller that is cancelled leaves its thread and its turn to the
        work's end."""
        turn = await self._turn(pace, tenant, urgency, hurries)
        future = asyncio.get_running_loop().run_in_executor(self._pool, copy_context().run, work)
        future.add_done_callback(lambda _: self._release(turn))
        async with asyncio.timeout(self._deadline):
            return await asyncio.shield(future)

    def close(self) -> None:
        """Let the threads go as soon as their requests are over."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, pace: Pace, tenant: str, urgency: Urgency, hurries: bool) -> _Turn:
        refusal = pace.refusal()
        if refusal is not None:
            raise refusal
        wait = pace.wait(urgency)
        if self._patience < wait < inf:
            raise pace.late(urgency)
        turn = _Turn(pace, tenant, urgency, hurries, asyncio.get_running_loop().create_future())
        self._queue(urgency).enter(turn)
        self._grant()
        try:
            async with asyncio.timeout(self._patience):
                await turn.granted
        except BaseException as err:
            self._drop(turn)
            if isinstance(err, TimeoutError):
                raise pace.late(urgency) from None
            raise
        return turn

    def _grant(self) -> None:
        """Hand out what is free to whoever may go; if somebody has to wait for a time to come, wake up then."""
        self._refuse_closed()
        while (turn := self._next()) is not None:
            self._queue(turn.urgency).serve(turn)
            turn.is_held = True
            turn.pace.begin(turn.urgency)
            self._free -= 1
            turn.granted.set_result(None)
        self._set_alarm()

    def _next(self) -> _Turn | None:
        """The most urgent that may go. Effects find a thread free, whatever reads there are."""
        for queue, spare in ((self._effects, 0), (self._reads, 1)):
            if self._free > spare:
                for turn in queue:
                    if turn.pace.wait(turn.urgency) <= 0:
                        return turn
        return None

    def _queue(self, urgency: Urgency) -> _Queue:
        return self._effects if urgency is Urgency.EFFECT else self._reads

    def _all(self) -> list[_Turn]:
        return [*self._effects, *self._reads]

    def _refuse_closed(self) -> None:
        for turn in self._all():
            refusal = turn.pace.refusal()
            if refusal is not None:
                self._queue(turn.urgency).leave(turn)
                turn.granted.set_exception(refusal)

    def _release(self, turn: _Turn) -> None:
        turn.is_held = False
        turn.pace.end(turn.urgency)
        self._free += 1
        self._grant()

    def _drop(self, turn: _Turn) -> None:
        """The caller has given up: it leaves the queue, or gives back what it was just granted."""
        if turn.is_held:
            self._release(turn)
        else:
            self._queue(turn.urgency).leave(turn)

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        waits = [turn.pace.wait(turn.urgency) for turn in self._all()]
        soonest = min((wait for wait in waits if 0 < wait < self._patience), default=None)
        if soonest is not None:
            self._alarm = asyncio.get_running_loop().call_later(soonest, self._grant)
