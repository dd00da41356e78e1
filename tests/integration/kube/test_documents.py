"""Secrets, ConfigMaps, Events and CRDs on a real API server."""

from __future__ import annotations

import base64

import pytest
from tests.integration.kube.widgets import GROUP, Widget

from orch.errors import CredentialsRefused
from orch.kube.client import Kube
from orch.kube.crds import crd_problems
from orch.kube.errors import AlreadyExists, Invalid, KubeNotFound
from orch.kube.events import Recorder, Regarding
from orch.kube.objects import Objects
from orch.kube.owners import controller_reference, is_controlled_by
from orch.kube.resource import CONFIGMAPS, EVENTS, SECRETS, Resource
from orch.kube.secrets import create_immutable, read_configmap, read_secret
from orch.kube.store import Store

WIDGETS = Resource.of(Widget)


async def test_a_secret_is_read_decoded(kube: Kube, namespace: str) -> None:
    data = {"token": base64.b64encode(b"t\x00k").decode()}
    await Objects(kube, SECRETS).create(namespace, {"metadata": {"name": "github"}, "data": data})
    assert await read_secret(kube, namespace, "github") == {"token": b"t\x00k"}


async def test_a_missing_secret_is_named_with_what_to_do(kube: Kube, namespace: str) -> None:
    with pytest.raises(
        CredentialsRefused, match=f"Secret 'github' does not exist in namespace '{namespace}': create it"
    ):
        await read_secret(kube, namespace, "github")


async def test_an_artifact_is_written_once_and_never_changed(kube: Kube, store: Store[Widget], namespace: str) -> None:
    owner = await store.create(Widget.named(namespace, "run"))
    reference = controller_reference(WIDGETS, "run", owner.metadata.uid or "")
    await create_immutable(kube, namespace, "plan", {"plan.md": b"\xffdo it"}, labels={"a": "b"}, owner=reference)
    await create_immutable(kube, namespace, "plan", {"plan.md": b"\xffdo it"})
    with pytest.raises(AlreadyExists):
        await create_immutable(kube, namespace, "plan", {"plan.md": b"do something else"})
    another = controller_reference(WIDGETS, "run", "of an earlier object of this name")
    with pytest.raises(AlreadyExists):
        await create_immutable(kube, namespace, "plan", {"plan.md": b"\xffdo it"}, owner=another)
    assert await read_configmap(kube, namespace, "plan") == {"plan.md": b"\xffdo it"}
    maps = Objects(kube, CONFIGMAPS)
    assert is_controlled_by(await maps.get(namespace, "plan"), owner.metadata.uid or "")
    with pytest.raises(Invalid, match="immutable"):
        await maps.patch(namespace, "plan", {"data": {"x": "y"}})
    with pytest.raises(Invalid):
        await create_immutable(kube, namespace, "big", {"x": b"x" * 2_000_000})
    with pytest.raises(KubeNotFound):
        await read_configmap(kube, namespace, "nothing")


async def test_a_text_configmap_is_read_as_bytes(kube: Kube, namespace: str) -> None:
    await Objects(kube, CONFIGMAPS).create(namespace, {"metadata": {"name": "hold"}, "data": {"reason": "Ünfall"}})
    assert await read_configmap(kube, namespace, "hold") == {"reason": "Ünfall".encode()}


async def test_an_event_is_said_once_even_after_a_restart(kube: Kube, store: Store[Widget], namespace: str) -> None:
    widget = await store.create(Widget.named(namespace, "one"))
    about = Regarding(WIDGETS, namespace, "one", widget.metadata.uid or "")
    before, after = Recorder(kube), Recorder(kube)
    for recorder in (before, before, after):
        await recorder.warning(about, "Failing", "the same")
    await after.warning(about, "Failing", "another" + "!" * 2000)
    await after.normal(about, "Merged", "the same", action="Merge")
    events = (await Objects(kube, EVENTS).list(namespace)).items
    assert sorted((event["type"], event["reason"], event["note"][:8]) for event in events) == [
        ("Normal", "Merged", "the same"),
        ("Warning", "Failing", "another!"),
        ("Warning", "Failing", "the same"),
    ]


async def test_an_event_that_cannot_be_written_harms_nobody_and_is_said_later(kube: Kube, namespace: str) -> None:
    gone = Regarding(WIDGETS, "no-such-namespace", "one", "u")
    recorder = Recorder(kube)
    await recorder.warning(gone, "Failing", "x")
    assert not recorder._said


async def test_crds_are_compared_by_their_hash(kube: Kube) -> None:
    ours, annotation = f"widgets.{GROUP}", "test/schema-hash"
    assert await crd_problems(kube, {ours: "abc"}, annotation=annotation) == []
    assert await crd_problems(kube, {ours: "newer", "x.orch.dev": "1"}, annotation=annotation) == [
        f"CRD {ours} is of another release: apply the CRDs of this release",
        "CRD x.orch.dev is missing: apply the CRDs of this release",
    ]
