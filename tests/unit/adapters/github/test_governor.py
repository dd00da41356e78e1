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
from orch.adapters.github.pace import Bucket, Pace, Quota, Urgency, Window
from orch.errors import RateLimited
from orch.ports import RateLimit

URL = "https://git.example"
EFFECT, LOOK, POLL = Urgency


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def pace(clock: Callable[[], float] | None = None, **host: float) -> Pace:
    made = Host.model_validate({"api_url": URL, "git_url": URL, "web_url": URL, "write_interval": 0, **host})
    return Pace(made, clock=clock) if clock else Pace(made)


def test_a_window_slides() -> None:
    window = Window(60, 3)
    for moment in (0, 10, 20):
        window.add(moment)
    assert window.wait(30) == 30
    assert window.wait(60) == 0
    window.add(60)
    assert window.wait(61) == 9


def test_half_of_an_unknown_past_is_presumed_and_passes() -> None:
    window = Window(3600, 500)
    window.presume(0)
    for _ in range(250):
        assert window.wait(1) == 0
        window.add(1)
    assert window.wait(1) == pytest.approx(3600 / 251 - 1)
    assert window.wait(3600) == 0


def test_writes_are_serial_and_apart() -> None:
    clock = Clock()
    mine = pace(clock, write_interval=1.0)
    assert mine.wait(EFFECT) == 0
    mine.begin(EFFECT)
    assert mine.wait(EFFECT) == math.inf
    assert mine.wait(LOOK) == 0
    mine.end(EFFECT)
    assert mine.wait(EFFECT) == 1.0
    clock.now += 1.0
    assert mine.wait(EFFECT) == 0


def test_content_has_a_minute_and_an_hour() -> None:
    clock = Clock()
    mine = pace(clock, content_per_minute=2, content_per_hour=3)
    clock.now += 3600
    for _ in range(2):
        mine.begin(EFFECT)
        mine.end(EFFECT)
    assert mine.wait(EFFECT) == 60
    clock.now += 60
    mine.begin(EFFECT)
    mine.end(EFFECT)
    assert mine.wait(EFFECT) == 3540


@pytest.mark.parametrize(("first", "second"), [(POLL, LOOK), (LOOK, POLL)])
def test_reads_leave_points_for_effects_and_none_for_each_other(first: Urgency, second: Urgency) -> None:
    mine = pace(Clock(), points_per_minute=900)
    while mine.wait(first) == 0:
        mine.begin(first)
    assert mine.wait(second) == mine.wait(first) > 0
    for _ in range(2):
        assert mine.wait(EFFECT) == 0
        mine.begin(EFFECT)
        mine.end(EFFECT)


@pytest.mark.parametrize("urgencies", [(LOOK,), (EFFECT,), (POLL, LOOK, EFFECT)])
def test_no_minute_is_overrun_even_if_its_process_starts_anew_twice(urgencies: tuple[Urgency, ...]) -> None:
    """Whoever asks as fast as it can, in processes that know nothing of each other, gets at most 900 points a minute."""
    clock, sent = Clock(), list[tuple[float, int]]()
    content = {"content_per_minute": 10_000, "content_per_hour": 100_000}
    mine = pace(clock, **content)
    began = clock.now
    while clock.now < began + 180:
        if clock.now - began in (70, 75):
            mine = pace(clock, **content)
        for urgency in urgencies:
            while mine.wait(urgency) == 0:
                mine.begin(urgency)
                mine.end(urgency)
                sent.append((clock.now, 5 if urgency is EFFECT else 1))
        clock.now += 0.25
    for start, _ in sent:
        assert sum(points for moment, points in sent if start <= moment < start + 60) <= 900
    assert sum(points for _, points in sent) > 3 * 700


def told(remaining: int, reset: int = 3600) -> RateLimit:
    return RateLimit(5000, remaining, datetime.fromtimestamp(1_000_000 + reset, UTC))


def test_the_hour_is_kept_for_effects() -> None:
    clock = Clock()
    mine = pace(clock)
    assert mine.wait(POLL) == 0, "nothing is known"
    mine.observe(told(400), timedelta(minutes=10))
    assert (mine.wait(POLL), mine.wait(LOOK), mine.wait(EFFECT)) == (600, 0, 0)
    mine.observe(told(200), timedelta(minutes=10))
    assert (mine.wait(LOOK), mine.wait(EFFECT)) == (600, 0)
    mine.observe(told(1), timedelta(minutes=10))
    assert mine.wait(EFFECT) == 0
    mine.begin(LOOK)
    assert mine.wait(EFFECT) == 600, "one is under way, and may be the last"
    mine.end(LOOK)
    clock.now += 600
    assert mine.wait(POLL) == 0, "another hour"


def test_answers_that_come_late_do_not_give_quota_back() -> None:
    quota = Quota()
    quota.observe(0, told(10), timedelta(hours=1))
    quota.observe(1, told(12), timedelta(hours=1))
    assert quota.wait(1, under_way=0, kept=0.0022) == 3599
    quota.observe(2, told(5000, reset=7200), timedelta(hours=1))
    quota.observe(3, told(9), timedelta(hours=1))
    assert quota.wait(3, under_way=0, kept=0.5) == 0


def test_points_come_back_steadily() -> None:
    bucket = Bucket(900)
    for _ in range(9):
        bucket.spend(0, EFFECT)
    assert bucket.wait(0, EFFECT) == pytest.approx(5 / 12.75)
    assert bucket.wait(0, LOOK) == pytest.approx((1 + 45 / 4) / 12.75)


@pytest.mark.parametrize("per_minute", [100, 200, 900])
def test_where_a_read_may_go_a_write_may_go_and_so_none_starves(per_minute: int) -> None:
    bucket = Bucket(per_minute)
    for tick in range(200):
        now = tick / 10
        assert bucket.wait(now, EFFECT) <= bucket.wait(now, LOOK) == bucket.wait(now, POLL)
        while bucket.wait(now, LOOK) == 0:
            bucket.spend(now, LOOK)


def test_a_wait_is_not_made_shorter_by_a_later_answer() -> None:
    now = [0.0]
    mine = pace(lambda: now[0])
    mine.close(timedelta(hours=1))
    mine.close(timedelta(seconds=1))
    now[0] = 3599
    refusal = mine.refusal()
    assert refusal is not None
    assert refusal.retry_at - datetime.now(UTC) < timedelta(seconds=2)
    now[0] = 3600
    assert mine.refusal() is None, "by a clock that nobody sets, whatever the wall says"


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


async def test_effects_go_before_reads_and_tenants_take_turns() -> None:
    governor, work = Governor(deadline=30), Work()

    def ask(name: str, tenant: str, *, urgency: Urgency = POLL, holds: bool = False) -> asyncio.Task[str]:
        work_of = governor.run(work.job(name, holds=holds), pace=pace(), tenant=tenant, urgency=urgency)
        return asyncio.create_task(work_of)

    held = [ask("held", "a", holds=True) for _ in range(THREADS - 1)]
    held.append(ask("held", "a", urgency=EFFECT, holds=True))
    await started(work, THREADS)
    queued = [ask(f"a{number}", "a") for number in range(3)] + [ask("b0", "b"), ask("c0", "c")]
    queued += [ask("look", "b", urgency=LOOK), ask("effect", "c", urgency=EFFECT)]
    await asyncio.sleep(0)
    assert len(work.began) == THREADS
    work.gate.set()
    await asyncio.gather(*held, *queued)
    order = work.began[THREADS:]
    assert order[0] == "effect"
    assert set(order[1:4]) == {"a0", "b0", "c0"}
    assert set(order[4:6]) == {"a1", "look"}
    governor.close()


async def test_a_search_for_new_work_waits_for_no_look_that_came_after_it() -> None:
    governor, work = Governor(deadline=30), Work()

    def ask(name: str, urgency: Urgency, *, holds: bool = False) -> asyncio.Task[str]:
        work_of = governor.run(work.job(name, holds=holds), pace=pace(), tenant="a", urgency=urgency)
        return asyncio.create_task(work_of)

    held = [ask("held", LOOK, holds=True) for _ in range(THREADS - 2)]
    await started(work, THREADS - 2)
    queued = [ask("first look", LOOK), ask("poll", POLL), ask("last look", LOOK)]  # one thread is left for them
    await asyncio.gather(*queued)
    assert work.began[THREADS - 2 :] == ["first look", "poll", "last look"]
    work.gate.set()
    await asyncio.gather(*held)
    governor.close()


async def test_who_hurries_goes_before_others_of_its_tenant_and_not_of_another() -> None:
    governor, work = Governor(deadline=30), Work()

    def ask(name: str, tenant: str, *, hurries: bool = False, holds: bool = False) -> asyncio.Task[str]:
        job = work.job(name, holds=holds)
        return asyncio.create_task(governor.run(job, pace=pace(), tenant=tenant, urgency=LOOK, hurries=hurries))

    held = [ask("held", "c", holds=True) for _ in range(THREADS - 2)]
    await started(work, THREADS - 2)
    queued = [ask("under way", "a"), ask("b0", "b"), ask("a0", "a"), ask("b1", "b")]
    queued += [ask("a in a hurry", "a", hurries=True), ask("a in a hurry too", "a", hurries=True)]
    await asyncio.gather(*queued)
    assert work.began[THREADS - 2 :] == ["under way", "b0", "a in a hurry", "b1", "a in a hurry too", "a0"]
    work.gate.set()
    await asyncio.gather(*held)
    governor.close()


async def test_reads_never_take_the_last_thread() -> None:
    governor, work = Governor(deadline=30), Work()
    slow = [
        asyncio.create_task(governor.run(work.job("slow", holds=True), pace=pace(), tenant="a", urgency=LOOK))
        for _ in range(THREADS + 5)
    ]
    await started(work, THREADS - 1)
    assert await governor.run(work.job("effect"), pace=pace(), tenant="b", urgency=EFFECT) == "effect"
    assert work.began.count("slow") == THREADS - 1
    work.gate.set()
    await asyncio.gather(*slow)
    governor.close()


async def test_a_write_waits_for_the_one_before_even_if_nobody_waits_for_that() -> None:
    governor, work, mine = Governor(deadline=30), Work(), pace()
    first = asyncio.create_task(governor.run(work.job("first", holds=True), pace=mine, tenant="a", urgency=EFFECT))
    await started(work, 1)
    second = asyncio.create_task(governor.run(work.job("second"), pace=mine, tenant="a", urgency=EFFECT))
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
    first = asyncio.create_task(governor.run(work.job("first", holds=True), pace=mine, tenant="a", urgency=EFFECT))
    await started(work, 1)
    second = asyncio.create_task(governor.run(work.job("second"), pace=mine, tenant="a", urgency=EFFECT))
    await asyncio.sleep(0)
    second.cancel()
    third = asyncio.create_task(governor.run(work.job("third"), pace=mine, tenant="a", urgency=EFFECT))
    work.gate.set()
    await asyncio.gather(first, third)
    assert work.began == ["first", "third"]
    governor.close()


async def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    governor, work = Governor(deadline=0.05), Work()
    with pytest.raises(TimeoutError):
        await governor.run(work.job("slow", holds=True), pace=pace(), tenant="a", urgency=LOOK)
    work.gate.set()
    governor.close()


async def test_patience_ends_with_a_time_to_come_back() -> None:
    governor, work, mine = Governor(deadline=30, patience=0.05), Work(), pace()
    first = asyncio.create_task(governor.run(work.job("first", holds=True), pace=mine, tenant="a", urgency=EFFECT))
    await started(work, 1)
    with pytest.raises(RateLimited):
        await governor.run(work.job("second"), pace=mine, tenant="a", urgency=EFFECT)
    work.gate.set()
    await first
    assert work.began == ["first"]
    assert await governor.run(work.job("third"), pace=mine, tenant="a", urgency=EFFECT) == "third"
    governor.close()


async def test_a_full_hour_is_told_at_once() -> None:
    governor, mine = Governor(deadline=30), pace(content_per_hour=1)  # half of one is none
    assert await governor.run(lambda: 1, pace=mine, tenant="a", urgency=EFFECT) == 1
    with pytest.raises(RateLimited) as caught:
        await governor.run(lambda: 2, pace=mine, tenant="a", urgency=EFFECT)
    assert caught.value.retry_at - datetime.now(UTC) > timedelta(minutes=59)
    governor.close()


async def test_those_who_wait_are_refused_when_the_credential_closes() -> None:
    governor, mine, gate = Governor(deadline=30), pace(), threading.Event()

    def told_to_wait() -> None:
        assert gate.wait(30)
        mine.close(timedelta(hours=1))

    first = asyncio.create_task(governor.run(told_to_wait, pace=mine, tenant="a", urgency=EFFECT))
    second = asyncio.create_task(governor.run(lambda: None, pace=mine, tenant="b", urgency=EFFECT))
    await asyncio.sleep(0)
    gate.set()
    await first
    with pytest.raises(RateLimited):
        await second
    assert await governor.run(lambda: 3, pace=pace(), tenant="b", urgency=EFFECT) == 3
    governor.close()
