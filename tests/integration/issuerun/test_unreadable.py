"""Objects that a newer version has stored: each says so itself, none holds up another, and each can still be deleted."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from tests.builders import a_repo, a_run, an_approval
from tests.cluster import Kubectl
from tests.integration.issuerun.conftest import Desk

from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.kube.errors import Unreadable
from orch.kube.events import Recorder
from orch.kube.objects import Objects
from orch.kube.resource import EVENTS
from orch.kube.store import Store
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.issuerun import IssueRunReconciler
from orch.reconcilers.orchestratedrepo import OrchestratedRepoReconciler
from orch.reconcilers.projections import FINALIZER, project_run
from orch.runtime.backoff import Backoff
from orch.runtime.controller import Controller, Workers
from orch.runtime.metrics import Metrics
from orch.runtime.reconcile import Key
from orch.runtime.source import Source

CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %(plural)s.orch.dev}
spec:
  group: orch.dev
  scope: Namespaced
  names: {kind: %(kind)s, plural: %(plural)s}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    subresources: {status: {}}
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
"""


class NewerRun(IssueRun):
    """An IssueRun under a name of its own, whose schema takes anything: as if a newer version's CRD had been there."""

    KIND = "NewerRun"
    PLURAL = "newerruns"


class NewerRepo(OrchestratedRepo):
    """Likewise."""

    KIND = "NewerRepo"
    PLURAL = "newerrepos"


class NewerApproval(Approval):
    """Likewise."""

    KIND = "NewerApproval"
    PLURAL = "newerapprovals"


Newer = NewerRun | NewerRepo | NewerApproval


def _establish(kubectl: Kubectl, kind: type[Newer]) -> None:
    crd = CRD % {"kind": kind.KIND, "plural": kind.PLURAL}
    kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=crd)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", f"crd/{kind.PLURAL}.orch.dev")


@pytest.fixture
def newer(desk: Desk, kubectl: Kubectl) -> Store[NewerRun]:
    _establish(kubectl, NewerRun)
    return Store(desk.kube, NewerRun)


def _reconciler(desk: Desk, newer: Store[NewerRun]) -> IssueRunReconciler:
    desk.contexts.runs = newer  # type: ignore[assignment]
    return IssueRunReconciler(runs=newer, repos=desk.repos, contexts=desk.contexts)  # type: ignore[arg-type]


def _store(desk: Desk, name: str, *, status: dict[str, Any], **spec: Any) -> None:
    document = a_run(name).dump()
    document |= {"kind": "NewerRun", "spec": document["spec"] | spec}
    document["metadata"] = {"name": name, "namespace": desk.namespace, "finalizers": [FINALIZER]}
    desk.kubectl("apply", "-f", "-", stdin=json.dumps(document))
    path = ["patch", "newerruns", name, "-n", desk.namespace, "--subresource=status", "--type=merge"]
    desk.kubectl(*path, "-p", json.dumps({"status": status}))


ODD: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("a state that we do not know", {"steps": [{"name": "x", "state": "Dreaming"}]}, {}),
    ("a list where we have a map", {"plan": ["one", "two"]}, {}),
    ("conditions of another shape", {"conditions": "fine", "stage": "Ponder"}, {}),
    ("a spec of another shape", {}, {"issueNumber": "seven", "trigger": []}),
]


@pytest.mark.parametrize(("status", "spec"), [odd[1:] for odd in ODD], ids=[odd[0] for odd in ODD])
async def test_it_says_so_itself_once(
    desk: Desk, newer: Store[NewerRun], status: dict[str, Any], spec: dict[str, Any]
) -> None:
    await desk.prepare()
    _store(desk, "odd", status=status, **spec)
    reconciler, key = _reconciler(desk, newer), Key(desk.namespace, "odd")
    with pytest.raises(Unreadable, match="cannot be read"):
        await reconciler.reconcile(key)
    document = await newer.objects.get(desk.namespace, "odd")
    [condition] = [entry for entry in document["status"]["conditions"] if entry["type"] == "Succeeded"]
    assert (condition["status"], condition["reason"]) == ("Unknown", "Unreadable")
    assert "upgrade the operator" in condition["message"]
    assert "seven" not in condition["message"], "it names the field, and quotes no value"
    assert {key: document["status"].get(key) for key in status if key != "conditions"} == {
        key: value for key, value in status.items() if key != "conditions"
    }
    assert project_run(document).name == "odd", "the watch keeps it, so that somebody looks at it at all"
    with pytest.raises(Unreadable):  # without the conditions of another shape, another field is the first that is wrong
        await reconciler.reconcile(key)
    told = await newer.objects.get(desk.namespace, "odd")
    with pytest.raises(Unreadable):
        await reconciler.reconcile(key)
    again = await newer.objects.get(desk.namespace, "odd")
    assert again["metadata"]["resourceVersion"] == told["metadata"]["resourceVersion"], "said once, not for ever"


def _repositories(desk: Desk, store: Any) -> OrchestratedRepoReconciler:
    none: Any = None
    return OrchestratedRepoReconciler(
        repos=store, runs=desk.runs, index=none, contexts=desk.contexts, claims=none, admission=none
    )


def _approvals(desk: Desk, store: Any) -> ApprovalReconciler:
    return ApprovalReconciler(
        approvals=store,
        runs=desk.runs,
        counting=desk.contexts.counting,
        clock=desk.clock,
        trail=desk.contexts.trail,
    )


@pytest.mark.parametrize(
    ("kind", "reconciler", "odd", "expected"),
    [
        (NewerRepo, _repositories, {"spec": {"repository": ["acme", "web"]}}, ("Ready", "False", "Unreadable")),
        (NewerRepo, _repositories, {"status": {"runs": "many"}}, ("Ready", "False", "Unreadable")),
        (NewerApproval, _approvals, {"spec": {"gate": "Deploy"}}, ("Decided", "False", "Unreadable")),
        (NewerApproval, _approvals, {"status": {"outcome": "Maybe"}}, ("Decided", "False", "Unreadable")),
    ],
)
async def test_so_does_each_kind(
    desk: Desk,
    kubectl: Kubectl,
    kind: type[Newer],
    reconciler: Any,
    odd: dict[str, Any],
    expected: tuple[str, str, str],
) -> None:
    _establish(kubectl, kind)
    whole = (a_repo() if kind is NewerRepo else an_approval()).dump()
    meta = {"name": "odd", "namespace": desk.namespace}
    document = {"apiVersion": "orch.dev/v1alpha1", "kind": kind.KIND, "metadata": meta}
    desk.kubectl("apply", "-f", "-", stdin=json.dumps(document | {"spec": whole["spec"] | odd.get("spec", {})}))
    path = ["patch", kind.PLURAL, "odd", "-n", desk.namespace, "--subresource=status", "--type=merge"]
    desk.kubectl(*path, "-p", json.dumps({"status": odd.get("status", {})}))
    store: Any = Store(desk.kube, kind)
    for _ in range(2):
        with pytest.raises(Unreadable):
            await reconciler(desk, store).reconcile(Key(desk.namespace, "odd"))
    [condition] = (await store.objects.get(desk.namespace, "odd"))["status"]["conditions"]
    assert (condition["type"], condition["status"], condition["reason"]) == expected
    assert "upgrade the operator" in condition["message"]


async def test_others_go_on(desk: Desk, newer: Store[NewerRun]) -> None:
    await desk.prepare()
    _store(desk, "web-7-1", status={"steps": [{"state": "Dreaming"}]})
    _store(desk, "web-7-2", status={}, attempt=2)
    reconciler = _reconciler(desk, newer)
    await reconciler.reconcile(Key(desk.namespace, "web-7-2"))
    run = await newer.get(desk.namespace, "web-7-2")
    assert run.status.start_time is not None
    assert [found.metadata.name for found in await newer.list(desk.namespace)] == ["web-7-2"]


async def test_it_can_be_deleted(desk: Desk, newer: Store[NewerRun]) -> None:
    await desk.prepare()
    _store(desk, "odd", status={"steps": [{"state": "Dreaming"}]})
    desk.kubectl("delete", "newerruns", "odd", "-n", desk.namespace, "--wait=false")
    reconciler = _reconciler(desk, newer)
    with pytest.raises(Unreadable):
        await reconciler.reconcile(Key(desk.namespace, "odd"))
    assert await newer.objects.find(desk.namespace, "odd") is None


async def test_an_event_tells_it_too_and_the_worker_rests(desk: Desk, newer: Store[NewerRun]) -> None:
    await desk.prepare()
    _store(desk, "odd", status={"steps": [{"state": "Dreaming"}]})
    source: Source[str] = Source(newer.resource, lambda _: "")
    controller = Controller(_reconciler(desk, newer), source, backoff=Backoff(first=60), workers=1)
    workers = Workers(controller, metrics=Metrics(), recorder=Recorder(desk.kube), may_work=lambda: True)
    task = asyncio.create_task(workers.run())
    workers.queue.add(Key(desk.namespace, "odd"))
    events = Objects(desk.kube, EVENTS)
    while not (found := (await events.list(desk.namespace)).items):  # noqa: ASYNC110 - the server tells by lists only
        await asyncio.sleep(0.05)
    workers.queue.close()
    await task
    [event] = found
    assert (event["type"], event["reason"], event["regarding"]["name"]) == ("Warning", "Unreadable", "odd")
    assert len(workers.queue) == 0, "it waits for its back-off"
