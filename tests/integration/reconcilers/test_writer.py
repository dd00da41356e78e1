"""A run's status on a real API server, while others write to the run as well."""

from collections.abc import AsyncIterator

import pytest
from tests.builders import a_run
from tests.cluster import Cluster

from orch.api.v1alpha1 import IssueRun, PullRequestStatus
from orch.kube.client import connect
from orch.kube.errors import Conflict
from orch.kube.events import Recorder
from orch.kube.objects import Objects
from orch.kube.resource import EVENTS
from orch.kube.store import Store
from orch.reconcilers.context import RunWriter
from orch.reconcilers.trail import Trail

SILENT = Trail(lambda _event, _fields: None)


@pytest.fixture
async def runs(control_plane: Cluster) -> AsyncIterator[Store[IssueRun]]:
    async with await connect(control_plane.kubeconfig) as connection:
        yield Store(connection, IssueRun)


@pytest.fixture
async def run(runs: Store[IssueRun], namespace: str) -> IssueRun:
    wanted = a_run()
    wanted.metadata.namespace = namespace
    wanted.metadata.resource_version = wanted.metadata.uid = None
    return await runs.create(wanted)


@pytest.fixture
def recorder(runs: Store[IssueRun]) -> Recorder:
    return Recorder(runs.objects.kube)


async def _read(runs: Store[IssueRun], run: IssueRun) -> IssueRun:
    return await runs.get(run.metadata.namespace or "", run.metadata.name)


async def test_an_annotation_of_somebody_else_is_no_conflict(
    runs: Store[IssueRun], run: IssueRun, recorder: Recorder
) -> None:
    writer = RunWriter(runs, run, recorder, SILENT)
    for number in (1, 2):  # at each save of a long look
        await runs.patch_metadata(await _read(runs, run), annotations={"orch.dev/requestedAt": str(number)})
        run.status.attempts.implement = number
        await writer.save()
    found = await _read(runs, run)
    assert (found.status.attempts.implement, found.metadata.annotations["orch.dev/requestedAt"]) == (2, "2")
    assert writer.writes == 2


async def test_a_status_that_somebody_else_wrote_is_a_conflict(
    runs: Store[IssueRun], run: IssueRun, recorder: Recorder
) -> None:
    ours, theirs = RunWriter(runs, run, recorder, SILENT), await _read(runs, run)
    before = theirs.deep_copy()
    theirs.status.attempts.implement = 7
    await runs.write_status(theirs, before)
    run.status.attempts.implement = 1
    with pytest.raises(Conflict):
        await ours.save()
    assert (await _read(runs, run)).status.attempts.implement == 7


async def test_a_changed_spec_is_a_conflict(runs: Store[IssueRun], run: IssueRun, recorder: Recorder) -> None:
    writer = RunWriter(runs, run, recorder, SILENT)
    namespace, name = run.metadata.namespace or "", run.metadata.name
    await runs.objects.patch(namespace, name, {"spec": {"suspend": True}})
    run.status.attempts.implement = 1
    with pytest.raises(Conflict):
        await writer.save()


async def test_a_deletion_is_a_conflict(runs: Store[IssueRun], run: IssueRun, recorder: Recorder) -> None:
    held = await runs.patch_metadata(run, finalizers=["orch.dev/cleanup"])
    writer = RunWriter(runs, held, recorder, SILENT)
    await runs.delete(held)
    held.status.attempts.implement = 1
    with pytest.raises(Conflict):
        await writer.save()
    await runs.patch_metadata(await _read(runs, run), finalizers=[])


async def test_what_is_new_is_told_once_it_is_written(runs: Store[IssueRun], run: IssueRun, recorder: Recorder) -> None:
    writer = RunWriter(runs, run, recorder, SILENT)
    run.status.pull_request = PullRequestStatus(number=11, url="https://git.example/acme/web/pull/11")
    await writer.save()
    await writer.save()
    events = (await Objects(runs.objects.kube, EVENTS).list(run.metadata.namespace or "")).items
    assert [(event["reason"], event["type"], event["regarding"]["uid"]) for event in events] == [
        ("PullRequestOpened", "Normal", run.metadata.uid)
    ]
    assert events[0]["note"] == "#11: https://git.example/acme/web/pull/11"
