"""What a run keeps in the cluster beside itself, on a real API server: kept once, whatever was cut short before."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.builders import a_run
from tests.cluster import Cluster

from orch.api.v1alpha1 import IssueRun, ObjectMeta
from orch.kube.client import Kube, connect
from orch.kube.secrets import read_configmap
from orch.kube.store import Store
from orch.policy.guards.sizes import SHOWN
from orch.reconcilers.records import ClusterRecords

NOBODY_COUNTS: Any = None
"""No approval is looked at here."""
NOTHING_IS_TOLD: Any = None


@pytest.fixture
async def kube(control_plane: Cluster) -> AsyncIterator[Kube]:
    async with await connect(control_plane.kubeconfig) as connection:
        yield connection


@pytest.fixture
async def run(kube: Kube, namespace: str) -> IssueRun:
    """A run that is there: what has an owner that is not is garbage."""
    made = a_run()
    made.metadata = ObjectMeta(name=made.metadata.name, namespace=namespace)
    return await Store(kube, IssueRun).create(made)


async def test_a_document_is_kept_once(kube: Kube, namespace: str, run: IssueRun) -> None:
    records = ClusterRecords(kube, namespace, NOBODY_COUNTS, NOTHING_IS_TOLD)
    name = await records.keep_document(run, "diff-fix-1", {"change.diff": "+1"})
    assert name == f"{run.metadata.name}-diff-fix-1"
    assert await records.keep_document(run, "diff-fix-1", {"change.diff": "+1"}) == name


async def test_a_document_of_the_size_that_a_change_may_have_is_kept_whole(
    kube: Kube, namespace: str, run: IssueRun
) -> None:
    records = ClusterRecords(kube, namespace, NOBODY_COUNTS, NOTHING_IS_TOLD)
    whole, longer = "+" * SHOWN, "+" * (SHOWN + 1)
    name = await records.keep_document(run, "diff-fix-1", {"change.diff": whole})
    assert await read_configmap(kube, namespace, name) == {"change.diff": whole.encode()}
    other = await records.keep_document(run, "words", {"report.md": longer})
    assert (await read_configmap(kube, namespace, other))["report.md"].endswith("… cut here\n".encode())


async def test_a_look_that_was_cut_short_does_not_stand_in_the_way_of_the_next(
    kube: Kube, namespace: str, run: IssueRun
) -> None:
    records = ClusterRecords(kube, namespace, NOBODY_COUNTS, NOTHING_IS_TOLD)
    first = await records.keep_document(run, "diff-fix-1", {"change.diff": "against the old base"})
    again = [await records.keep_document(run, "diff-fix-1", {"change.diff": "against the new base"}) for _ in range(2)]
    assert again[0] == again[1] != first
    assert await read_configmap(kube, namespace, again[0]) == {"change.diff": b"against the new base"}
