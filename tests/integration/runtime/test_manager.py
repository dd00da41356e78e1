"""The loop from the API server's events to reconciles, and its stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from datetime import timedelta

import httpx2
import pytest
from tests.integration.kube.widgets import Widget
from tests.integration.runtime.loop import (
    Telling,
    a_controller,
    a_manager,
    a_source,
    eventually,
    running,
)

from orch.errors import PolicyDenied
from orch.kube.client import Kube
from orch.kube.events import Recorder
from orch.kube.lease import Lease, LeaseTimes
from orch.kube.objects import Objects
from orch.kube.resource import CONFIGMAPS, EVENTS, LEASES
from orch.kube.store import Store
from orch.runtime.cache import Change
from orch.runtime.manager import LeaseLost, Manager, Times
from orch.runtime.reconcile import Key, Result
from orch.runtime.source import Source

Widgets = Store[Widget]
FAST = LeaseTimes(duration=3.0, renew_deadline=2.0, retry=0.2)


async def test_objects_from_before_and_after_the_start_are_reconciled(
    kube: Kube, store: Widgets, namespace: str
) -> None:
    await store.create(Widget.named(namespace, "before"))
    telling = Telling()
    async with running(a_manager(kube, namespace, a_controller(telling))):
        await telling.called("before")
        await store.create(Widget.named(namespace, "after"))
        await telling.called("after")
        assert telling.calls == [Key(namespace, "before"), Key(namespace, "after")], "once each"


async def test_all_namespaces_are_watched_when_none_is_named(kube: Kube, store: Widgets, namespace: str) -> None:
    telling, source = Telling(), a_source(labels=f"only={namespace}")  # other tests have widgets, too
    async with running(Manager(kube, [a_controller(telling, source)])):
        await store.create(Widget.named(namespace, "one", only=namespace))
        await telling.called("one")
    assert telling.calls == [Key(namespace, "one")]


def test_a_pattern_is_no_namespace(kube: Kube) -> None:
    with pytest.raises(ValueError, match="patterns are not supported"):
        a_manager(kube, "team-*", a_controller(Telling()))


async def test_watching_changes_nothing_on_the_objects(kube: Kube, store: Widgets, namespace: str) -> None:
    widget = await store.create(Widget.named(namespace, "one"))
    telling = Telling()
    async with running(a_manager(kube, namespace, a_controller(telling))):
        await telling.called("one")
        changed = widget.model_copy(deep=True)
        changed.status.seen = 1
        written = await store.write_status(changed, widget)
        await telling.until(lambda: telling.times("one") == 2)
    assert await store.get(namespace, "one") == written
    document = await store.objects.get(namespace, "one")
    assert {entry["manager"] for entry in document["metadata"]["managedFields"]} == {"orch"}


async def test_events_during_a_reconcile_make_one_more(kube: Kube, store: Widgets, namespace: str) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def step(_: Key) -> None:
        entered.set()
        await leave.wait()

    telling, source = Telling(step), a_source()
    async with running(a_manager(kube, namespace, a_controller(telling, source))):
        widget = await store.create(Widget.named(namespace, "one"))
        await entered.wait()
        for number in range(5):
            widget = await store.patch_metadata(widget, labels={"n": str(number)})
        version = int(widget.metadata.resource_version or 0)
        key = Key(namespace, "one")
        await eventually(lambda: (entry := source.cache.entry(key)) is not None and entry.version == version)
        leave.set()
        await telling.until(lambda: telling.times("one") == 2)
    assert telling.times("one") == 2, "five events, one more reconcile"
    assert telling.overlaps == 0


async def test_a_deleted_object_is_reconciled_once_more_and_forgotten(
    kube: Kube, store: Widgets, namespace: str
) -> None:
    widget = await store.create(Widget.named(namespace, "one"))
    telling, source = Telling(), a_source()
    async with running(a_manager(kube, namespace, a_controller(telling, source))):
        await telling.called("one")
        await store.delete(widget)
        await telling.until(lambda: telling.times("one") == 2)
        assert source.cache.find(Key(namespace, "one")) is None


async def test_an_object_that_is_labelled_out_leaves_the_cache(kube: Kube, store: Widgets, namespace: str) -> None:
    widget = await store.create(Widget.named(namespace, "one"))
    await store.create(Widget.named(namespace, "old", terminal="yes"))
    telling, source = Telling(), a_source(labels="!terminal")
    async with running(a_manager(kube, namespace, a_controller(telling, source))):
        await telling.called("one")
        await store.patch_metadata(widget, labels={"terminal": "yes"})
        await telling.until(lambda: telling.times("one") == 2)
        assert len(source.cache) == 0
    assert telling.times("old") == 0


async def test_a_child_wakes_its_parent(kube: Kube, namespace: str) -> None:
    def parent(change: Change[str]) -> list[Key]:
        return [Key(change.key.namespace, name) for name in (change.new, change.old) if name]

    children = Source(
        CONFIGMAPS,
        lambda document: (document["metadata"].get("labels") or {}).get("parent", ""),
        indexes={"parent": lambda name: [name] if name else []},
    )
    telling = Telling()
    async with running(a_manager(kube, namespace, a_controller(telling, wakes={children: parent}))):
        maps = Objects(kube, CONFIGMAPS)
        await maps.create(namespace, {"metadata": {"name": "child", "labels": {"parent": "mother"}}})
        await telling.until(lambda: telling.times("mother") == 1)
        assert children.cache.indexed("parent", "mother") == ["mother"]
        await maps.delete(namespace, "child")
        await telling.until(lambda: telling.times("mother") == 2)
        assert children.cache.indexed("parent", "mother") == []


def test_a_kind_has_one_source(kube: Kube) -> None:
    with pytest.raises(ValueError, match="watched twice"):
        a_manager(kube, "default", a_controller(Telling(), wakes={a_source(): lambda change: []}))


async def test_waiting_is_a_value(kube: Kube, store: Widgets, namespace: str) -> None:
    telling = Telling()

    async def step(key: Key) -> Result | None:
        return Result(timedelta(milliseconds=50)) if telling.times(key.name) < 3 else None

    telling.step = step
    async with running(a_manager(kube, namespace, a_controller(telling))):
        await store.create(Widget.named(namespace, "one"))
        await telling.until(lambda: telling.times("one") == 3)


async def test_a_reconciler_that_raises_is_tried_again_and_harms_no_other(
    kube: Kube, store: Widgets, namespace: str
) -> None:
    telling = Telling()

    async def step(key: Key) -> None:
        if key.name == "bad" and telling.times("bad") < 4:
            raise RuntimeError("the token is ghp_0123456789abcdefghij")

    telling.step = step
    manager = a_manager(kube, namespace, a_controller(telling, workers=1), recorder=Recorder(kube))
    async with running(manager):
        await store.create(Widget.named(namespace, "bad"))
        await telling.called("bad")
        await store.create(Widget.named(namespace, "good"))
        await telling.called("good")
        await telling.until(lambda: telling.times("bad") == 4)
    assert manager.metrics.reconciles.labels("widgets", "error")._value.get() == 3
    events = (await Objects(kube, EVENTS).list(namespace)).items
    assert [(event["type"], event["reason"], event["regarding"]["name"]) for event in events] == [
        ("Warning", "InternalError", "bad")
    ], "said once for three failures"
    assert events[0]["note"] == "RuntimeError in the operator, tried again; see its log"
    assert events[0]["regarding"]["uid"]


async def test_a_failure_of_ours_says_its_reason_on_the_object(kube: Kube, store: Widgets, namespace: str) -> None:
    telling = Telling()

    async def step(key: Key) -> None:
        if telling.times(key.name) < 2:
            raise PolicyDenied("NotAllowed", "ask the owner")

    telling.step = step
    async with running(a_manager(kube, namespace, a_controller(telling), recorder=Recorder(kube))):
        await store.create(Widget.named(namespace, "one"))
        await telling.until(lambda: telling.times("one") == 2)
    events = (await Objects(kube, EVENTS).list(namespace)).items
    assert [(event["reason"], event["note"]) for event in events] == [("NotAllowed", "ask the owner")]


async def test_a_reconcile_without_end_is_cut_off(kube: Kube, store: Widgets, namespace: str) -> None:
    telling = Telling()

    async def step(key: Key) -> None:
        if telling.times(key.name) == 1:
            await asyncio.Event().wait()

    telling.step = step
    manager = a_manager(kube, namespace, a_controller(telling, workers=1, seconds=0.2))
    async with running(manager):
        await store.create(Widget.named(namespace, "one"))
        await telling.until(lambda: telling.times("one") == 2)
    assert manager.metrics.reconciles.labels("widgets", "timeout")._value.get() == 1


async def test_stop_lets_what_is_in_flight_end_and_starts_nothing_new(
    kube: Kube, store: Widgets, namespace: str
) -> None:
    entered, leave, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def step(_: Key) -> None:
        entered.set()
        await leave.wait()
        ended.set()

    telling = Telling(step)
    lost: list[str] = []
    lease = Lease(kube, namespace, "orch", times=FAST, on_lost=lost.append)
    async with running(a_manager(kube, namespace, a_controller(telling, workers=1), lease=lease)) as stop:
        await store.create(Widget.named(namespace, "one"))
        await store.create(Widget.named(namespace, "two"))
        await entered.wait()
        stop.set()
        await asyncio.sleep(FAST.duration + 0.5)  # a drain longer than the lease: it is renewed meanwhile
        assert lease.remaining() > 0
        leave.set()
    assert ended.is_set()
    assert len(telling.calls) == 1
    assert lease.remaining() == 0
    assert not lost


async def test_a_reconcile_that_does_not_end_is_cancelled_at_the_stop(
    kube: Kube, store: Widgets, namespace: str
) -> None:
    entered = asyncio.Event()

    async def step(_: Key) -> None:
        entered.set()
        await asyncio.Event().wait()

    times = Times(drain=0.2)
    async with running(a_manager(kube, namespace, a_controller(Telling(step)), times=times)):
        await store.create(Widget.named(namespace, "one"))
        await entered.wait()


async def test_a_lease_is_kept_while_a_reconcile_cannot_be_stopped(kube: Kube, store: Widgets, namespace: str) -> None:
    entered, give_up = asyncio.Event(), asyncio.Event()

    async def step(_: Key) -> None:
        entered.set()
        while not give_up.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await give_up.wait()

    lease = Lease(kube, namespace, "orch", times=FAST, on_lost=lambda why: None)
    manager = a_manager(kube, namespace, a_controller(Telling(step)), lease=lease, times=Times(drain=0.1, end=0.5))
    async with running(manager):
        await store.create(Widget.named(namespace, "one"))
        await entered.wait()
    assert (await Objects(kube, LEASES).get(namespace, "orch"))["spec"]["holderIdentity"] == lease.identity
    give_up.set()


async def test_a_warm_standby_takes_over_and_looks_at_everything(kube: Kube, store: Widgets, namespace: str) -> None:
    await store.create(Widget.named(namespace, "one"))

    def contender(telling: Telling):  # type: ignore[no-untyped-def]
        lease = Lease(kube, namespace, "orch", times=FAST, on_lost=lambda why: None)
        return a_manager(kube, namespace, a_controller(telling), lease=lease)

    first, second = Telling(), Telling()
    leader, standby = contender(first), contender(second)
    async with running(standby) as stop_of_standby:
        await eventually(lambda: standby._lease.remaining() > 0)
        stop_of_standby.clear()
        leader, standby, first, second = standby, leader, second, first
        async with running(standby):
            await first.called("one")
            await eventually(lambda: not standby.ready_problems())
            assert second.calls == []
            stop_of_standby.set()
            await second.called("one")
            count = len(first.calls)
            await store.create(Widget.named(namespace, "two"))
            await second.called("two")
            assert len(first.calls) == count


async def test_a_lost_lease_ends_the_manager(kube: Kube, store: Widgets, namespace: str) -> None:
    lost: list[str] = []
    lease = Lease(kube, namespace, "orch", times=FAST, on_lost=lost.append)
    telling = Telling()
    manager = a_manager(kube, namespace, a_controller(telling), lease=lease)
    task = asyncio.create_task(manager.run(asyncio.Event()))
    await store.create(Widget.named(namespace, "one"))
    await telling.called("one")
    await lease._objects.patch(namespace, "orch", {"spec": {"holderIdentity": "usurper"}})
    with pytest.raises(LeaseLost):
        async with asyncio.timeout(30):
            await task
    assert lost == ["held by 'usurper' now"]


async def test_nothing_is_reconciled_on_a_lease_that_ran_out(kube: Kube, store: Widgets, namespace: str) -> None:
    ahead = [0.0]
    never = LeaseTimes(duration=30, renew_deadline=20, retry=3600)  # it does not even notice that it ran out
    lease = Lease(
        kube, namespace, "orch", times=never, on_lost=lambda why: None, clock=lambda: time.monotonic() + ahead[0]
    )
    telling = Telling()
    manager = a_manager(kube, namespace, a_controller(telling), lease=lease)
    async with running(manager):
        await store.create(Widget.named(namespace, "one"))
        await telling.called("one")
        ahead[0] = 31
        await store.create(Widget.named(namespace, "two"))
        await eventually(lambda: len(manager.sources[0].cache) == 2)
        await asyncio.sleep(0.3)
        assert telling.times("two") == 0
        ahead[0] = 0
        await telling.called("two")


async def test_nothing_is_reconciled_while_the_preflight_objects(kube: Kube, store: Widgets, namespace: str) -> None:
    problems = ["CRD widgets is of another release"]

    async def preflight() -> Sequence[str]:
        return list(problems)

    await store.create(Widget.named(namespace, "one"))
    telling = Telling()
    times = Times(preflight=0.1, preflight_retry=0.1)
    manager = a_manager(
        kube, namespace, a_controller(telling), preflight=preflight, times=times, probes=("127.0.0.1", 0)
    )
    async with running(manager), httpx2.AsyncClient() as http:
        await eventually(
            lambda: manager.ready_problems() == [*problems, "widgets.widgets.test.orch.dev is not listed yet"]
        )
        answer = await http.get(f"http://127.0.0.1:{manager.probe_port}/readyz")
        assert (answer.status_code, answer.text.splitlines()[0]) == (503, problems[0])
        assert (await http.get(f"http://127.0.0.1:{manager.probe_port}/healthz")).status_code == 200
        assert telling.calls == []
        problems.clear()
        await telling.called("one")
        await eventually(lambda: manager.ready_problems() == [])
        assert (await http.get(f"http://127.0.0.1:{manager.probe_port}/readyz")).text == "ok\n"
        problems.append("CRD widgets is gone")
        await eventually(lambda: manager.ready_problems() == problems)
        await store.create(Widget.named(namespace, "two"))
        await eventually(lambda: len(manager.sources[0].cache) == 2)
        await asyncio.sleep(0.3)
        assert telling.times("two") == 0
        problems.clear()
        await telling.called("two")
        metrics = (await http.get(f"http://127.0.0.1:{manager.probe_port}/metrics")).text
        assert 'orch_cache_objects{resource="widgets.widgets.test.orch.dev"} 2.0' in metrics
        assert 'orch_reconcile_total{controller="widgets",outcome="ok"}' in metrics


async def test_a_poke_makes_a_key_due(kube: Kube, store: Widgets, namespace: str) -> None:
    telling = Telling()
    manager = a_manager(kube, namespace, a_controller(telling))
    async with running(manager):
        await store.create(Widget.named(namespace, "one"))
        await telling.called("one")
        manager.poke("widgets", namespace, "one")
        await telling.until(lambda: telling.times("one") == 2)


async def test_sigterm_stays_with_the_program(kube: Kube, store: Widgets, namespace: str) -> None:
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, asked.set)
    telling = Telling()
    try:
        manager = a_manager(kube, namespace, a_controller(telling), probes=("127.0.0.1", 0))
        async with running(manager):
            await store.create(Widget.named(namespace, "one"))
            await telling.called("one")
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait_for(asked.wait(), 10)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
