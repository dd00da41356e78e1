"""Who is next, and how fast: decisions with a clock of our own, turns with work that ends when the test says so."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from orch.adapters.github.governor import THREADS, Governor
from orch.adapters.github.hosts import Host
from orch.adapters.github.pace import Pace, Window
from orch.errors import RateLimited

URL = "https://git.example"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def pace(clock: Callable[[], float] | None = None, **host: float) -> Pace:
    made = Host.model_validate({"api_url": URL, "git_url": URL, "web_url": URL, "write_interval": 0, **host})
    return Pace(made, clock=clock) if clock else Pace(made)


def test_a_window_slides() -> None:
    window = Window(60, 10)
    window.add(0, 6)
    window.add(30, 4)
    assert window.wait(31, 1) == 29
    assert window.wait(31, 7) == 59
    assert window.wait(31, 1, spare=6) == 59
    assert window.wait(60, 6) == 0


def test_writes_are_serial_and_apart() -> None:
    clock = Clock()
    mine = pace(clock, write_interval=1.0)
    assert mine.wait(write=True) == 0
    mine.begin(write=True)
    assert mine.wait(write=True) == math.inf
    assert mine.wait(write=False) == 0
    mine.end(write=True)
    assert mine.wait(write=True) == 1.0
    clock.now += 1.0
    assert mine.wait(write=True) == 0


def test_content_has_a_minute_and_an_hour() -> None:
    clock = Clock()
    mine = pace(clock, content_per_minute=2, content_per_hour=3)
    for _ in range(2):
        mine.begin(write=True)
        mine.end(write=True)
    assert mine.wait(write=True) == 60
    clock.now += 60
    mine.begin(write=True)
    mine.end(write=True)
    assert mine.wait(write=True) == 3540


def test_reads_leave_points_for_writes() -> None:
    mine = pace(Clock(), points_per_minute=100)
    for _ in range(50):
        assert mine.wait(write=False) == 0
        mine.begin(write=False)
    assert mine.wait(write=False) == 60
    assert mine.wait(write=True) == 0


def test_a_wait_is_not_made_shorter_by_a_later_answer() -> None:
    mine, later = pace(), datetime.now(UTC) + timedelta(hours=1)
    mine.close(later)
    mine.close(datetime.now(UTC) + timedelta(seconds=1))
    refusal = mine.refusal()
    assert refusal is not None
    assert refusal.retry_at == later


class Work:
    """Jobs that wait in their threads until they are let go; `began` says in which order they started."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.gate = threading.Event()
        self._changed = threading.Condition()

    def job(self, name: str, *, holds: bool = False) -> Callable[[], str]:
        def run() -> str:
            with self._changed:
                self.began.append(name)
                self._changed.notify_all()
            if holds:
                assert self.gate.wait(30)
            return name

        return run

    def wait(self, count: int) -> None:
        """Until so many have begun."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.began) >= count, 30)


async def started(work: Work, count: int) -> None:
    await asyncio.to_thread(work.wait, count)


async def test_effects_go_before_polling_and_tenants_take_turns() -> None:
    governor, work = Governor(deadline=30), Work()

    def ask(name: str, tenant: str, *, write: bool = False, holds: bool = False) -> asyncio.Task[str]:
        return asyncio.create_task(governor.run(work.job(name, holds=holds), pace=pace(), tenant=tenant, write=write))

    held = [ask("held", "a", holds=True) for _ in range(THREADS - 1)]
    held.append(ask("held", "a", write=True, holds=True))
    await started(work, THREADS)
    queued = [ask(f"a{number}", "a") for number in range(3)] + [ask("b0", "b"), ask("c0", "c")]
    queued.append(ask("effect", "c", write=True))
    await asyncio.sleep(0)
    assert len(work.began) == THREADS
    work.gate.set()
    await asyncio.gather(*held, *queued)
    order = work.began[THREADS:]
    assert order[0] == "effect"
    assert set(order[1:4]) == {"a0", "b0", "c0"}
    governor.close()


async def test_reads_never_take_the_last_thread() -> None:
    governor, work = Governor(deadline=30), Work()
    slow = [
        asyncio.create_task(governor.run(work.job("slow", holds=True), pace=pace(), tenant="a", write=False))
        for _ in range(THREADS + 5)
    ]
    await started(work, THREADS - 1)
    assert await governor.run(work.job("effect"), pace=pace(), tenant="b", write=True) == "effect"
    assert work.began.count("slow") == THREADS - 1
    work.gate.set()
    await asyncio.gather(*slow)
    governor.close()


async def test_a_write_waits_for_the_one_before_even_if_nobody_waits_for_that() -> None:
    governor, work, mine = Governor(deadline=30), Work(), pace()
    first = asyncio.create_task(governor.run(work.job("first", holds=True), pace=mine, tenant="a", write=True))
    await started(work, 1)
    second = asyncio.create_task(governor.run(work.job("second"), pace=mine, tenant="a", write=True))
    first.cancel()
    await asyncio.sleep(0)
    assert work.began == ["first"]
    work.gate.set()
    assert await second == "second"
    with pytest.raises(asyncio.CancelledError):
        await first
    governor.close()


async def test_who_gives_up_leaves_the_queue() -> None:
    governor, work, mine = Governor(deadline=30), Work(), pace()
    first = asyncio.create_task(governor.run(work.job("first", holds=True), pace=mine, tenant="a", write=True))
    await started(work, 1)
    second = asyncio.create_task(governor.run(work.job("second"), pace=mine, tenant="a", write=True))
    await asyncio.sleep(0)
    second.cancel()
    third = asyncio.create_task(governor.run(work.job("third"), pace=mine, tenant="a", write=True))
    work.gate.set()
    await asyncio.gather(first, third)
    assert work.began == ["first", "third"]
    governor.close()


async def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    governor, work = Governor(deadline=0.05), Work()
    with pytest.raises(TimeoutError):
        await governor.run(work.job("slow", holds=True), pace=pace(), tenant="a", write=False)
    work.gate.set()
    governor.close()


async def test_patience_ends_with_a_time_to_come_back() -> None:
    governor, work, mine = Governor(deadline=30, patience=0.05), Work(), pace()
    first = asyncio.create_task(governor.run(work.job("first", holds=True), pace=mine, tenant="a", write=True))
    await started(work, 1)
    with pytest.raises(RateLimited):
        await governor.run(work.job("second"), pace=mine, tenant="a", write=True)
    work.gate.set()
    await first
    assert work.began == ["first"]
    assert await governor.run(work.job("third"), pace=mine, tenant="a", write=True) == "third"
    governor.close()


async def test_a_full_hour_is_told_at_once() -> None:
    governor, mine = Governor(deadline=30), pace(content_per_hour=1)
    assert await governor.run(lambda: 1, pace=mine, tenant="a", write=True) == 1
    with pytest.raises(RateLimited) as caught:
        await governor.run(lambda: 2, pace=mine, tenant="a", write=True)
    assert caught.value.retry_at - datetime.now(UTC) > timedelta(minutes=59)
    governor.close()


async def test_those_who_wait_are_refused_when_the_credential_closes() -> None:
    governor, mine, gate = Governor(deadline=30), pace(), threading.Event()

    def told_to_wait() -> None:
        assert gate.wait(30)
        mine.close(datetime.now(UTC) + timedelta(hours=1))

    first = asyncio.create_task(governor.run(told_to_wait, pace=mine, tenant="a", write=True))
    second = asyncio.create_task(governor.run(lambda: None, pace=mine, tenant="b", write=True))
    await asyncio.sleep(0)
    gate.set()
    await first
    with pytest.raises(RateLimited):
        await second
    assert await governor.run(lambda: 3, pace=pace(), tenant="b", write=True) == 3
    governor.close()
