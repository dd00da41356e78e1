"""No reconciler, mapping or grouping can kill a worker or lose a key."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orch.errors import RateLimited, Transient
from orch.kube.errors import Conflict
from orch.kube.resource import Resource
from orch.runtime.backoff import Backoff
from orch.runtime.cache import Change
from orch.runtime.controller import Controller, Workers
from orch.runtime.metrics import Metrics
from orch.runtime.reconcile import Key, Result
from orch.runtime.source import Source

KEY = Key("ns", "one")


class Failing:
    """Raises or returns what it is given, then succeeds and says so."""

    plural = "things"

    def __init__(self, first: Callable[[], Any]) -> None:
        self._first = first
        self.calls = 0
        self.succeeded = asyncio.Event()

    async def reconcile(self, key: Key) -> Result:
        self.calls += 1
        if self.calls == 1:
            return await self._first()  # type: ignore[no-any-return]
        self.succeeded.set()
        return Result()


def workers_for(reconciler: Failing, **options: Any) -> Workers:
    source: Source[str] = Source(Resource("g", "v1", "things", "Thing"), lambda document: "")
    backoff: Backoff[Key] = Backoff(first=0.01, limit=0.01)
    controller = Controller(reconciler, source, backoff=backoff, workers=1, **options)
    return Workers(controller, metrics=Metrics(), recorder=None, may_work=lambda: True)


async def raise_(error: BaseException) -> None:
    raise error


async def await_what_was_cancelled() -> None:
    task = asyncio.ensure_future(asyncio.Event().wait())
    task.cancel()
    await task


async def nothing() -> None:
    return None


@pytest.mark.parametrize(
    ("first", "outcome"),
    [
        pytest.param(lambda: raise_(ValueError("x")), "error", id="a bug"),
        pytest.param(lambda: raise_(Transient("Flaky", "again")), "error", id="a failure of ours"),
        pytest.param(lambda: raise_(Conflict("Conflict", "moved")), "conflict", id="a conflict"),
        pytest.param(lambda: raise_(TimeoutError()), "error", id="a timeout of its own"),
        pytest.param(await_what_was_cancelled, "error", id="a cancellation from inside"),
        pytest.param(nothing, "error", id="no result"),
        pytest.param(
            lambda: raise_(RateLimited("slow", retry_at=datetime.now(UTC) - timedelta(days=1))),
            "requeued",
            id="limited",
        ),
        pytest.param(
            lambda: raise_(RateLimited("slow", retry_at=datetime(2020, 1, 1))),  # noqa: DTZ001 -- that is the point
            "requeued",
            id="limited, in a time without a zone",
        ),
    ],
)
async def test_whatever_comes_out_the_key_comes_back(first: Callable[[], Any], outcome: str) -> None:
    reconciler = Failing(first)
    workers = workers_for(reconciler)
    task = asyncio.create_task(workers.run())
    workers.queue.add(KEY)
    await asyncio.wait_for(reconciler.succeeded.wait(), 20)
    assert workers._metrics.reconciles.labels("things", outcome)._value.get() == 1
    workers.queue.close()
    await task


async def test_a_grouping_that_raises_loses_nothing() -> None:
    def group(key: Key) -> str:
        raise LookupError(key)

    reconciler = Failing(nothing)
    workers = workers_for(reconciler, group=group)
    task = asyncio.create_task(workers.run())
    workers.queue.add(KEY)
    await asyncio.wait_for(reconciler.succeeded.wait(), 20)
    workers.queue.close()
    await task


async def test_a_mapping_that_raises_still_wakes_the_object_itself() -> None:
    def wake(change: Change[str]) -> list[Key]:
        raise LookupError(change)

    source: Source[str] = Source(Resource("g", "v1", "things", "Thing"), lambda document: "")
    controller = Controller(Failing(nothing), source, wakes={source: wake})
    assert controller.concerned(source, Change(KEY, None, "x")) == {KEY: 0.0}


def test_news_of_others_are_gathered_and_own_news_is_not_kept_waiting() -> None:
    other = Key("ns", "other")
    source: Source[str] = Source(Resource("g", "v1", "things", "Thing"), lambda document: "")
    beside: Source[str] = Source(Resource("g", "v1", "parts", "Part"), lambda document: "")
    wakes = {source: lambda _: [KEY, other], beside: lambda _: [KEY]}
    controller = Controller(Failing(nothing), source, wakes=wakes, gather=2.0)
    assert controller.concerned(beside, Change(Key("ns", "part"), None, "x")) == {KEY: 2.0}
    assert controller.concerned(source, Change(KEY, None, "x")) == {KEY: 0.0, other: 2.0}


@pytest.mark.parametrize(
    ("old", "new", "looks"),
    [
        pytest.param(None, "asks waits", True, id="it is new"),
        pytest.param("asks waits", None, True, id="it is gone"),
        pytest.param("asks waits", "asks-more waits", True, id="people ask for something"),
        pytest.param("asks waits", "asks works", False, id="what the reconciler has written itself"),
    ],
)
def test_a_reconciler_is_not_woken_by_what_it_writes(old: str | None, new: str | None, looks: bool) -> None:
    source: Source[str] = Source(Resource("g", "v1", "things", "Thing"), lambda document: "")
    controller = Controller(Failing(nothing), source, own=lambda value: value.split()[0])
    assert controller.concerned(source, Change(KEY, old, new)) == ({KEY: 0.0} if looks else {})
    careless = Controller(Failing(nothing), source)
    assert careless.concerned(source, Change(KEY, old, new)) == {KEY: 0.0}


async def test_a_worker_that_is_cancelled_ends() -> None:
    entered = asyncio.Event()

    async def hang() -> None:
        entered.set()
        await asyncio.Event().wait()

    workers = workers_for(Failing(hang))
    task = asyncio.create_task(workers.run())
    workers.queue.add(KEY)
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await workers.queue.drained()
