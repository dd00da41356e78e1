"""One holder at a time, on a real Lease."""

from __future__ import annotations

import asyncio
from datetime import datetime

from orch.kube.client import Kube
from orch.kube.lease import Lease, LeaseTimes
from orch.kube.objects import Objects
from orch.kube.resource import LEASES

FAST = LeaseTimes(duration=2.0, renew_deadline=1.2, retry=0.1)


class Clock:
    """A clock that the test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_lease(kube: Kube, namespace: str, lost: list[str] | None = None, **options: object) -> Lease:
    losses = lost if lost is not None else []
    return Lease(kube, namespace, "orch", times=FAST, on_lost=losses.append, **options)  # type: ignore[arg-type]


async def test_one_holds_it_and_the_other_waits_until_it_is_given_back(kube: Kube, namespace: str) -> None:
    first, second = a_lease(kube, namespace), a_lease(kube, namespace)
    await first.acquire()
    waiting = asyncio.create_task(second.acquire())
    holding = asyncio.create_task(first.hold())
    await asyncio.sleep(FAST.duration + 0.5)  # longer than the lease lives without its holder
    assert not waiting.done()
    assert first.remaining() > 0
    assert second.remaining() == 0
    holding.cancel()
    await first.release()
    assert first.remaining() == 0
    await waiting
    assert second.remaining() > 0


async def test_a_crashed_holder_is_followed_when_its_time_is_over(kube: Kube, namespace: str) -> None:
    clock = Clock()
    first = a_lease(kube, namespace)
    await first.acquire()
    second = a_lease(kube, namespace, clock=clock)
    assert await second._try_acquire() is False
    clock.now += FAST.duration
    assert await second._try_acquire() is False, "exactly its duration is still its own"
    clock.now += 0.1
    assert await second._try_acquire() is True
    spec = (await Objects(kube, LEASES).get(namespace, "orch"))["spec"]
    assert spec["holderIdentity"] == second.identity
    assert spec["leaseTransitions"] == 1


async def test_a_holder_that_was_overtaken_learns_it_at_the_next_renewal(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    first = a_lease(kube, namespace, lost)
    await first.acquire()
    leases = Objects(kube, LEASES)
    await leases.patch(namespace, "orch", {"spec": {"holderIdentity": "usurper"}})
    await first.hold()
    assert lost == ["held by 'usurper' now"]
    assert first.remaining() == 0
    await first.release()
    assert (await leases.get(namespace, "orch"))["spec"]["holderIdentity"] == "usurper", "not ours to give back"


async def test_somebody_who_edits_the_lease_does_not_take_it_away(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    first = a_lease(kube, namespace, lost)
    await first.acquire()
    await Objects(kube, LEASES).patch(namespace, "orch", {"metadata": {"labels": {"touched": "yes"}}})
    assert await first._renew() is None
    assert first.remaining() > 0


async def test_a_holder_that_slept_too_long_gives_up_without_asking(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    clock = Clock()
    first = a_lease(kube, namespace, lost, clock=clock)
    await first.acquire()
    clock.now += FAST.renew_deadline + 0.1
    assert first.remaining() > 0, "nobody else can have it yet"
    await first.hold()
    assert len(lost) == 1
    assert "not renewed" in lost[0]


async def test_a_lease_that_cannot_be_renewed_is_lost_before_another_may_take_it(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    first = a_lease(kube, namespace, lost)
    await first.acquire()
    kube._api.configuration.host = "http://127.0.0.1:9"  # discard: nobody listens
    remaining_at_loss: list[float] = []
    first._on_lost = lambda why: (lost.append(why), remaining_at_loss.append(first._clock() - began))  # type: ignore[assignment]
    began = first._clock()
    await first.hold()
    assert lost
    assert remaining_at_loss[0] < FAST.duration


async def test_a_successor_knows_since_when_a_dead_holder_may_have_left_things_half_done(
    kube: Kube, namespace: str
) -> None:
    clock = Clock()
    first, second = a_lease(kube, namespace), a_lease(kube, namespace, clock=clock)
    await first.acquire()
    assert first.unsure is None, "nobody was before it"
    await second._try_acquire()
    clock.now += FAST.duration + 0.1
    assert await second._try_acquire() is True
    renewed = datetime.fromisoformat(first._mine["spec"]["renewTime"]) if first._mine else None
    assert second.unsure is not None
    assert second.unsure[0] == renewed
    assert second.unsure[1] > second.unsure[0]


async def test_one_that_gave_it_back_left_nothing_half_done(kube: Kube, namespace: str) -> None:
    first, second = a_lease(kube, namespace), a_lease(kube, namespace)
    await first.acquire()
    await first.release()
    assert await second._try_acquire() is True
    assert second.unsure is None


async def test_who_waits_learns_that_the_server_began_anew(kube: Kube, namespace: str) -> None:
    """etcd was emptied: the Lease is not there any more, and the one that is made has a smaller version than was seen."""
    lost: list[str] = []
    first, second = a_lease(kube, namespace), a_lease(kube, namespace, lost)
    await first.acquire()
    assert await second._try_acquire() is False
    second._newest += 1_000_000
    await first.release()
    await second.acquire()
    assert [why.partition(":")[0] for why in lost] == ["resource versions went back"]


async def test_a_holder_learns_that_the_server_was_restored_from_before(kube: Kube, namespace: str) -> None:
    lost: list[str] = []
    holder = a_lease(kube, namespace, lost)
    await holder.acquire()
    await Objects(kube, LEASES).patch(namespace, "orch", {"metadata": {"labels": {"restored": "yes"}}})
    holder._newest += 1_000_000
    await holder.hold()
    assert [why.partition(":")[0] for why in lost] == ["resource versions went back"]
    assert holder.remaining() == 0
