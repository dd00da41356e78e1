"""Typed access to a kind, against a real API server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.cluster import Cluster
from tests.integration.kube.widgets import Widget

from orch.errors import NotFound, Transient
from orch.kube.client import Kube, connect
from orch.kube.errors import AlreadyExists, Conflict, Forbidden, Invalid, KubeNotFound, Unavailable
from orch.kube.objects import Objects
from orch.kube.resource import CONFIGMAPS
from orch.kube.store import Store

Widgets = Store[Widget]


async def test_what_is_created_is_found_with_what_the_server_added(store: Widgets, namespace: str) -> None:
    created = await store.create(Widget.named(namespace, "one", size=3))
    found = await store.find(namespace, "one")
    assert found == created
    assert found.spec.size == 3
    assert found.metadata.uid
    assert found.metadata.resource_version


async def test_a_missing_object_is_none_or_an_error_as_the_name_says(store: Widgets, namespace: str) -> None:
    assert await store.find(namespace, "nobody") is None
    with pytest.raises(KubeNotFound, match=r'cannot get widgets\.widgets\.test\.orch\.dev "nobody"') as caught:
        await store.get(namespace, "nobody")
    assert isinstance(caught.value, NotFound)


async def test_a_taken_name_says_so(store: Widgets, namespace: str) -> None:
    await store.create(Widget.named(namespace, "one"))
    with pytest.raises(AlreadyExists, match="one"):
        await store.create(Widget.named(namespace, "one"))


async def test_a_dry_run_leaves_nothing(store: Widgets, namespace: str) -> None:
    await store.create(Widget.named(namespace, "one"), dry_run=True)
    assert await store.find(namespace, "one") is None


async def test_a_list_goes_on_over_pages_and_selects_by_label(store: Widgets, namespace: str) -> None:
    for number in range(7):
        await store.create(Widget.named(namespace, f"w{number}", parity="odd" if number % 2 else "even"))
    everything = await store.list(namespace, page=3)
    assert [widget.metadata.name for widget in everything] == [f"w{number}" for number in range(7)]
    assert [w.metadata.name for w in await store.list(namespace, labels="parity=odd", page=2)] == ["w1", "w3", "w5"]


async def test_status_is_written_only_when_it_changed(store: Widgets, namespace: str) -> None:
    read = await store.create(Widget.named(namespace, "one"))
    same = await store.write_status(read.model_copy(deep=True), read)
    assert (await store.get(namespace, "one")).metadata.resource_version == read.metadata.resource_version
    changed = same.model_copy(deep=True)
    changed.status.seen = 4
    written = await store.write_status(changed, read)
    assert written.status.seen == 4
    assert written.metadata.resource_version != read.metadata.resource_version


async def test_status_of_a_newer_operator_survives_and_removed_fields_go(store: Widgets, namespace: str) -> None:
    read = await store.create(Widget.named(namespace, "one"))
    await store.objects.patch(
        namespace, "one", {"status": {"fromTheFuture": True, "seen": 1, "nested": {"a": "1"}}}, subresource="status"
    )
    read = await store.get(namespace, "one")
    changed = read.model_copy(deep=True)
    changed.status.seen, changed.status.parts, changed.status.nested = None, ["x"], {"b": "2"}
    await store.write_status(changed, read)
    status = (await store.objects.get(namespace, "one"))["status"]
    assert status == {"fromTheFuture": True, "parts": ["x"], "nested": {"b": "2"}}


async def test_a_status_write_on_a_stale_read_is_a_conflict(store: Widgets, namespace: str) -> None:
    read = await store.create(Widget.named(namespace, "one"))
    await store.patch_metadata(read, labels={"moved": "on"})
    changed = read.model_copy(deep=True)
    changed.status.seen = 1
    with pytest.raises(Conflict) as caught:
        await store.write_status(changed, read)
    assert isinstance(caught.value, Transient)
    assert (await store.get(namespace, "one")).status.seen is None


async def test_labels_annotations_and_finalizers_are_set_and_removed(store: Widgets, namespace: str) -> None:
    widget = await store.create(Widget.named(namespace, "one", old="1"))
    widget = await store.patch_metadata(
        widget, labels={"new": "2", "old": None}, annotations={"a": "b"}, finalizers=["orch.dev/hold"]
    )
    assert (widget.metadata.labels, widget.metadata.annotations) == ({"new": "2"}, {"a": "b"})
    assert widget.metadata.finalizers == ["orch.dev/hold"]
    widget = await store.patch_metadata(widget, finalizers=[])
    assert widget.metadata.finalizers == []


async def test_only_the_very_object_is_deleted(store: Widgets, namespace: str) -> None:
    first = await store.create(Widget.named(namespace, "one"))
    assert await store.delete(first) is True
    assert await store.delete(first) is False
    await store.create(Widget.named(namespace, "one"))
    with pytest.raises(Conflict):
        await store.delete(first)
    assert await store.find(namespace, "one") is not None


async def test_a_refusal_by_the_schema_names_the_field(store: Widgets, namespace: str) -> None:
    with pytest.raises(Invalid) as caught:
        await store.create(Widget.named(namespace, "one", size=-1))
    assert caught.value.fields == ("spec.size",)
    with pytest.raises(Invalid, match="unknown field"):
        await store.objects.create(namespace, {"metadata": {"name": "two"}, "spec": {"syze": 1}})


async def test_what_rbac_refuses_names_verb_and_resource(store: Widgets, kube: Kube, namespace: str) -> None:
    kube._api.set_default_header("Impersonate-User", "nobody-in-particular")
    with pytest.raises(Forbidden, match=r"cannot list widgets.* needs 'list' on it"):
        await store.list(namespace)


async def test_a_name_cannot_leave_its_place_in_the_url(kube: Kube, namespace: str) -> None:
    maps = Objects(kube, CONFIGMAPS)
    assert await maps.find(namespace, "x/../../../namespaces") is None
    with pytest.raises(ValueError, match="no name"):
        await maps.find(namespace, "..")


async def test_a_server_that_is_not_there_is_unavailable(tmp_path, unused_tcp_port: int) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"""
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{unused_tcp_port}"}}}}]
users: [{{name: u, user: {{token: super-secret-token}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""
    )
    async with await connect(config) as kube:
        with pytest.raises(Unavailable, match="no answer from the API server") as caught:
            await Store(kube, Widget).list("default")
    assert "super-secret-token" not in str(caught.value)


async def test_a_server_that_does_not_answer_is_unavailable_in_time(tmp_path) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    config = tmp_path / "config"
    config.write_text(
        f"""
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "http://127.0.0.1:{port}"}}}}]
contexts: [{{name: x, context: {{cluster: c}}}}]
current-context: x
"""
    )
    async with server, await connect(config) as kube:
        with pytest.raises(Unavailable, match="TimeoutError"):
            await kube.request("list", CONFIGMAPS, namespace="default", timeout=0.2)


async def test_a_netrc_of_the_person_is_left_alone(
    control_plane: Cluster, widget_kind: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its password would take the place of the kubeconfig's credential, or stand beside it, which HTTP forbids."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with await connect(control_plane.kubeconfig) as kube:
        assert await Store(kube, Widget).find("default", "nobody") is None
