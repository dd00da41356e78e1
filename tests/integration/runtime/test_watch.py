"""What the watches survive, and what tells that they do not."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import structlog
import yaml
from tests.cluster import Cluster, Kubectl
from tests.integration.kube.widgets import Widget
from tests.integration.runtime.loop import (
    WIDGETS,
    Telling,
    a_controller,
    a_manager,
    a_source,
    eventually,
    running,
)
from tests.integration.runtime.proxy import Proxy

from orch.kube.client import Kube, connect
from orch.kube.lease import Lease, LeaseTimes
from orch.kube.store import Store
from orch.runtime.audit import setup_logging
from orch.runtime.manager import Times
from orch.runtime.reconcile import Key
from orch.runtime.source import Source
from orch.runtime.watch import WatchTimes

Widgets = Store[Widget]


@pytest.fixture
async def proxy(control_plane: Cluster) -> Proxy:
    return Proxy(control_plane.kubeconfig)


@pytest.fixture
async def proxied(proxy: Proxy, widget_kind: None, tmp_path: Path) -> AsyncIterator[Kube]:
    async with proxy.open(tmp_path) as kubeconfig, await connect(kubeconfig) as kube:
        yield kube


async def test_a_gap_loses_no_deletion_and_no_creation(
    proxy: Proxy, proxied: Kube, store: Widgets, namespace: str
) -> None:
    doomed = await store.create(Widget.named(namespace, "doomed"))
    await store.create(Widget.named(namespace, "stays"))
    telling, source = Telling(), a_source()
    async with running(a_manager(proxied, namespace, a_controller(telling, source))):
        await telling.called("doomed", "stays")
        proxy.refuse()
        await store.delete(doomed)
        await store.create(Widget.named(namespace, "new"))
        proxy.expire()  # the version from which kopf would go on has been forgotten: it lists anew
        await eventually(lambda: proxy.expired > 0)
        proxy.flow()
        await telling.until(lambda: telling.times("new") == 1 and telling.times("doomed") == 2)
        assert {entry.key.name for entry in source.cache} == {"stays", "new"}
    assert telling.times("stays") == 1, "what has not changed wakes nobody"


async def test_a_short_interruption_goes_on_where_it_was(
    proxy: Proxy, proxied: Kube, store: Widgets, namespace: str
) -> None:
    telling = Telling()
    async with running(a_manager(proxied, namespace, a_controller(telling))):
        await store.create(Widget.named(namespace, "one"))
        await telling.called("one")
        proxy.cut()
        await store.create(Widget.named(namespace, "two"))
        await telling.called("two")


async def test_a_silent_network_fails_liveness_and_heals(
    proxy: Proxy, proxied: Kube, store: Widgets, namespace: str
) -> None:
    # The true figures (85 s, and a bookmark each 60 s) scaled down: the server ends each watch after a second.
    times = Times(dead_after=4, watch=WatchTimes(silence=2, server=1, proof=1))
    telling = Telling()
    manager = a_manager(proxied, namespace, a_controller(telling), times=times, probes=("127.0.0.1", 0))
    async with running(manager), httpx2.AsyncClient() as http:
        await eventually(lambda: not manager.ready_problems())
        for _ in range(10):
            await asyncio.sleep(0.6)
            assert manager.live_problems() == [], "an idle watch lives"
        proxy.silence()
        await eventually(lambda: bool(manager.live_problems()), seconds=10)
        assert WIDGETS.path(namespace) in manager.live_problems()[0]
        answer = await http.get(f"http://127.0.0.1:{manager.probe_port}/healthz")  # what the kubelet asks
        assert answer.status_code == 503
        assert "has been silent for more than 4 s" in answer.text
        proxy.flow()
        proxy.cut()
        await eventually(lambda: not manager.live_problems())
        await store.create(Widget.named(namespace, "one"))
        await telling.called("one")


async def test_a_watch_that_is_opened_and_swallowed_fails_liveness(
    proxy: Proxy, proxied: Kube, store: Widgets, namespace: str
) -> None:
    """kopf opens a new watch, and again one: that the server accepts each of them says nothing of what arrives."""
    times = Times(dead_after=4, watch=WatchTimes(silence=2, server=60, proof=1))
    telling = Telling()
    manager = a_manager(proxied, namespace, a_controller(telling), times=times)
    async with running(manager):
        await store.create(Widget.named(namespace, "one"))
        await telling.called("one")
        proxy.swallow()
        await store.create(Widget.named(namespace, "two"))
        await eventually(lambda: bool(manager.live_problems()), seconds=20)
        assert telling.times("two") == 0
        proxy.flow()
        proxy.cut()
        await telling.called("two")
        await eventually(lambda: not manager.live_problems())


async def test_a_watch_that_fell_silent_once_lives_on_by_the_end_of_the_next(
    proxy: Proxy, proxied: Kube, store: Widgets, namespace: str
) -> None:
    times = Times(dead_after=6, watch=WatchTimes(silence=2, server=60, proof=1))
    telling = Telling()
    manager = a_manager(proxied, namespace, a_controller(telling), times=times)
    async with running(manager):
        await store.create(Widget.named(namespace, "one"))
        await telling.called("one")
        for _ in range(40):  # no bookmark comes that soon: each watch is silent, and the next one ends after a second
            await asyncio.sleep(0.25)
            assert manager.live_problems() == []
        short = [line for line in proxy.requests if "watch=true" in line and "timeoutSeconds=1&" in f"{line}&"]
        assert len(short) >= 2


async def test_bytes_on_an_open_watch_are_heard(kube: Kube, store: Widgets, namespace: str) -> None:
    widget = await store.create(Widget.named(namespace, "one"))
    telling = Telling()
    manager = a_manager(kube, namespace, a_controller(telling), times=Times(dead_after=2))
    async with running(manager):
        await telling.called("one")
        for number in range(8):  # twice as long as silence may last, on one and the same watch
            await asyncio.sleep(0.5)
            assert manager.live_problems() == []
            widget = await store.patch_metadata(widget, labels={"n": str(number)})
        await eventually(lambda: bool(manager.live_problems()))  # no bookmark comes that soon


async def test_a_start_lists_each_kind_once(proxy: Proxy, proxied: Kube, store: Widgets, namespace: str) -> None:
    await store.create(Widget.named(namespace, "one"))
    telling = Telling()
    async with running(a_manager(proxied, namespace, a_controller(telling))):
        await telling.called("one")
    lists = [line for line in proxy.requests if "limit=" in line]
    assert len(lists) == 1, lists


async def test_an_idle_operator_asks_for_nothing_but_its_lease(
    proxy: Proxy, proxied: Kube, store: Widgets, namespace: str
) -> None:
    await store.create(Widget.named(namespace, "one"))
    lease = Lease(
        proxied, namespace, "orch", times=LeaseTimes(duration=3, renew_deadline=2, retry=0.2), on_lost=lambda why: None
    )
    telling = Telling()
    async with running(a_manager(proxied, namespace, a_controller(telling), lease=lease)):
        await telling.called("one")
        await asyncio.sleep(1)
        before = len(proxy.requests)
        await asyncio.sleep(4)
        idle = {line.split("?")[0] for line in proxy.requests[before:]}
    assert idle == {f"PUT /apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/orch"}


async def test_what_a_handler_could_not_read_is_found_by_the_resync(kube: Kube, store: Widgets, namespace: str) -> None:
    failures = ["flaky"]

    def project(document: Mapping[str, Any]) -> str:
        if document["metadata"]["name"] in failures:
            failures.clear()
            raise KeyError("spec")
        return str(document["metadata"]["name"])

    telling = Telling()
    source = Source(WIDGETS, project)
    async with running(a_manager(kube, namespace, a_controller(telling, source), times=Times(resync=0.5))):
        await store.create(Widget.named(namespace, "other"))
        await telling.called("other")
        await store.create(Widget.named(namespace, "flaky"))
        await telling.called("flaky")
        assert source.cache.find(Key(namespace, "flaky")) == "flaky"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What a program of ours would write to its log."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = io.StringIO()
    setup_logging(stream=stream)
    yield stream
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
async def stranger(
    control_plane: Cluster, kubectl: Kubectl, widget_kind: None, namespace: str, tmp_path: Path
) -> AsyncIterator[Kube]:
    """The client of a service account, `watcher`, that may do nothing yet."""
    kubectl("create", "serviceaccount", "watcher", "-n", namespace)
    token = kubectl("create", "token", "watcher", "-n", namespace).stdout.strip()
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    async with await connect(path) as kube:
        yield kube


def let_watch(kubectl: Kubectl, namespace: str) -> None:
    """Grant the stranger what a watch needs."""
    kubectl("create", "role", "watch", "--verb=get,list,watch", f"--resource={WIDGETS.name}", "-n", namespace)
    account = f"--serviceaccount={namespace}:watcher"
    kubectl("create", "rolebinding", "watch", "--role=watch", account, "-n", namespace)


async def test_a_watch_that_is_forbidden_begins_when_it_is_allowed(
    kubectl: Kubectl, stranger: Kube, store: Widgets, namespace: str
) -> None:
    await store.create(Widget.named(namespace, "one"))
    telling = Telling()
    manager = a_manager(stranger, namespace, a_controller(telling))
    async with running(manager):
        await asyncio.sleep(1.5)
        assert manager.ready_problems()
        let_watch(kubectl, namespace)
        await telling.called("one")


async def test_a_watch_that_stays_forbidden_is_told_in_a_line_and_begun_anew(
    kubectl: Kubectl, stranger: Kube, store: Widgets, namespace: str, log: io.StringIO
) -> None:
    """An API server that has just started forbids everything until it has read the roles, which may last for long."""
    await store.create(Widget.named(namespace, "one"))
    telling = Telling()
    times = Times(watch=WatchTimes(retries=(0.1,)))
    async with running(a_manager(stranger, namespace, a_controller(telling), times=times)):
        await eventually(lambda: "watch.ended" in log.getvalue())
        let_watch(kubectl, namespace)
        await telling.called("one")
    ended = next(line for line in map(json.loads, log.getvalue().splitlines()) if line["event"] == "watch.ended")
    assert ended["why"].startswith(f"APIForbiddenError: {WIDGETS.name} is forbidden: User")
    assert "'code'" not in ended["why"]
    assert "Traceback" not in log.getvalue()
