"""The queue hands each due key to one waiter, in time, and ends cleanly."""

from __future__ import annotations

import asyncio

import pytest

from orch.runtime.queue import QueueClosed, WorkQueue
from orch.runtime.reconcile import Key

ONE, TWO = Key("ns", "one"), Key("ns", "two")


async def test_a_waiter_gets_what_is_added() -> None:
    queue = WorkQueue()
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(ONE)
    assert await waiter == ONE
    assert len(queue) == 0


async def test_one_key_goes_to_one_of_several_waiters() -> None:
    queue = WorkQueue()
    waiters = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.add(ONE)
    done, waiting = await asyncio.wait(waiters, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [ONE]
    assert len(waiting) == 2
    queue.done(ONE)
    queue.close()
    await asyncio.wait(waiting)
    assert all(isinstance(task.exception(), QueueClosed) for task in waiting)


async def test_later_is_later_and_the_earliest_counts() -> None:
    queue = WorkQueue()
    queue.add_after(ONE, 3600)
    queue.add_after(TWO, 0.01)
    queue.add_after(ONE, 0.02)
    assert [await queue.get(), await queue.get()] == [TWO, ONE]
    assert queue.delayed == 0


async def test_a_key_handed_to_a_waiter_that_is_cancelled_is_not_lost() -> None:
    queue = WorkQueue()
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(ONE)  # resolves the waiter's future; the task has not run yet
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await queue.get() == ONE


async def test_a_cancelled_waiter_takes_nothing() -> None:
    queue = WorkQueue()
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    waiter.cancel()
    await asyncio.gather(waiter, return_exceptions=True)
    queue.add(ONE)
    assert await queue.get() == ONE


async def test_closing_waits_for_who_works_and_gives_nothing_more() -> None:
    queue = WorkQueue()
    queue.add(ONE)
    queue.add(TWO)
    assert await queue.get() == ONE
    queue.close()
    drained = asyncio.create_task(queue.drained())
    await asyncio.sleep(0)
    assert not drained.done()
    with pytest.raises(QueueClosed):
        await queue.get()
    queue.add_after(ONE, 0)
    queue.done(ONE)
    await drained
