"""An IssueRun on a real API server: its whole way, its end, a second one under its name, and what happens when things vanish."""

import asyncio
from datetime import timedelta
from itertools import permutations

import pytest
from tests.integration.issuerun.conftest import Desk

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import ApprovalOutcome, IssueRun, StepState
from orch.errors import Transient
from orch.kube.errors import Conflict
from orch.kube.objects import Objects
from orch.kube.resource import CONFIGMAPS
from orch.reconcilers import context
from orch.reconcilers.projections import FINALIZER, TERMINAL_LABEL

BOUND = timedelta(minutes=5, seconds=1)


def _ended(run: IssueRun | None) -> tuple[str, str]:
    assert run is not None
    found = find_condition(run, "Succeeded")
    assert found is not None
    return found.status.value, found.reason


async def test_the_whole_way(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    run = await desk.settle()
    assert _ended(run) == ("True", "Merged")
    run = await desk.run()
    assert run.metadata.labels[TERMINAL_LABEL] == "Merged"
    assert run.metadata.finalizers == []
    before = run.metadata.resource_version
    await desk.look()
    assert (await desk.run()).metadata.resource_version == before, "a run that has ended is never written again"


async def test_only_until_its_claim_a_run_goes_before_others(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    assert desk.forge.said, "it is claimed"
    hurries = desk.forge.hurries
    await desk.settle()
    assert hurries == desk.forge.hurries == 1


async def test_waiting_writes_nothing(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    before = (await desk.run()).metadata.resource_version
    for _ in range(3):
        desk.clock.forward(timedelta(seconds=30))
        await desk.look()
    assert (await desk.run()).metadata.resource_version == before


async def test_a_run_that_is_created_again_takes_nothing_over(desk: Desk) -> None:
    """Nothing collects garbage here, as in a cluster that lags: the earlier run's question and documents are still there."""
    await desk.prepare(approvals={"gates": [{"gate": "Plan", "when": "Always"}]})
    await desk.add_run()
    await desk.settle()
    [asked] = await desk.approvals.list(desk.namespace)
    read = asked.deep_copy()
    asked.status.outcome = ApprovalOutcome.APPROVED
    await desk.approvals.write_status(asked, read)
    await desk.runs.delete(await desk.run())
    await desk.look()
    assert await desk.runs.find(desk.namespace, "web-7-1") is None
    second = await desk.add_run()
    again = await desk.settle()
    assert again is not None
    assert again.metadata.uid == second.metadata.uid
    waiting = find_condition(again, "Waiting")
    assert waiting is not None
    assert waiting.reason == "AwaitingApproval"
    [asked] = await desk.approvals.list(desk.namespace)
    assert (asked.spec.target.uid, asked.status.outcome) == (second.metadata.uid, None)
    documents = await Objects(desk.kube, CONFIGMAPS).list(desk.namespace, labels="orch.dev/run=web-7-1")
    owners = {entry["metadata"]["ownerReferences"][0]["uid"] for entry in documents.items}
    assert second.metadata.uid in owners
    assert len(desk.forge.said) == 1, "its comment is taken over: it is the issue's, not the run's"


async def test_a_step_that_vanished_is_started_anew(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    desk.runner.vanish()
    run = await desk.settle()
    assert _ended(run) == ("True", "Merged")
    assert run is not None
    assert [step.state for step in run.status.steps[:2]] == [StepState.LOST, StepState.SUCCEEDED]


async def test_a_store_that_does_not_answer_is_waited_for(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.prepare()
    await desk.add_run()

    async def gone(*_: object, **__: object) -> bytes:
        raise Transient("GatewayUnreachable", "the gateway did not answer (ConnectError)")

    with monkeypatch.context() as patched:
        patched.setattr(desk.artifacts, "put", gone)
        result = await desk.look()
    assert result.requeue_after is not None
    run = await desk.run()
    succeeded = find_condition(run, "Succeeded")
    assert succeeded is not None
    assert "the gateway did not answer" in succeeded.message
    assert run.status.attempts.transient == 1
    assert _ended(await desk.settle()) == ("True", "Merged")


async def test_a_store_that_has_lost_everything_ends_the_run_explained(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    desk.artifacts.lost.update(desk.artifacts.blobs)
    await desk.runner.finish()
    run = await desk.settle()
    assert _ended(run) == ("False", "ArtifactMissing")
    [comment] = desk.forge.said
    assert "ArtifactMissing" in comment.body


@pytest.mark.parametrize(
    ("written_by", "states"),
    [("0.3.0", [StepState.SUCCEEDED]), ("0.2.0", [StepState.LOST, StepState.SUCCEEDED])],
    ids=["the release before", "an older one"],
)
async def test_the_run_of_an_earlier_operator(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, written_by: str, states: list[StepState]
) -> None:
    await desk.prepare()
    await desk.add_run()
    monkeypatch.setattr(context, "_VERSION", written_by)
    await desk.look()
    assert (await desk.run()).status.worker_version == written_by
    monkeypatch.setattr(context, "_VERSION", "0.4.0")
    run = await desk.settle()
    assert _ended(run) == ("True", "Merged")
    assert run is not None
    assert run.status.worker_version == "0.4.0"
    assert [step.state for step in run.status.steps if "-analyse-" in step.name] == states


# --- deletion, in any order ------------------------------------------------------------------------------------------


async def _delete(desk: Desk, what: str) -> None:
    match what:
        case "run":
            await desk.runs.delete(await desk.run())
        case "secret":
            desk.kubectl("delete", "secret", "github", "-n", desk.namespace)
        case "repo":
            await desk.repos.delete(await desk.repos.get(desk.namespace, "web"))
        case "approvals":
            desk.kubectl("delete", "approvals", "--all", "-n", desk.namespace)


@pytest.mark.parametrize("order", list(permutations(("run", "secret", "repo", "approvals"))), ids="-".join)
async def test_whatever_goes_first_the_run_lets_go(desk: Desk, order: tuple[str, ...]) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    assert (await desk.run()).metadata.finalizers == [FINALIZER]
    for what in order:
        await _delete(desk, what)
        await desk.look()
    if await desk.runs.find(desk.namespace, "web-7-1") is not None:
        desk.clock.now = (await desk.run()).metadata.deletion_timestamp + BOUND  # type: ignore[operator]
        await desk.look()
    assert await desk.runs.find(desk.namespace, "web-7-1") is None
    assert desk.runner.cancelled != []
    assert desk.runner.started == {}, "no process is left"


async def test_a_deletion_without_a_credential_waits_no_longer_than_its_bound(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    await _delete(desk, "secret")
    await _delete(desk, "run")
    run = await desk.run()
    assert run.metadata.deletion_timestamp is not None
    desk.clock.now = run.metadata.deletion_timestamp
    result = await desk.look()
    assert result.requeue_after == timedelta(seconds=10)
    assert desk.runner.cancelled == ["web-7-1-analyse-1"], "its step does not wait for the bound"
    desk.clock.now += BOUND
    await desk.look()
    assert await desk.runs.find(desk.namespace, "web-7-1") is None


async def test_a_namespace_that_goes_takes_everything_along(desk: Desk) -> None:
    await desk.prepare(approvals={"gates": [{"gate": "Plan", "when": "Always"}]})
    await desk.add_run()
    await desk.settle()
    desk.kubectl("delete", "issueruns,approvals,orchestratedrepos", "--all", "-n", desk.namespace, "--wait=false")
    await asyncio.gather(desk.look(), desk.look(), return_exceptions=True)
    await desk.look()
    left = desk.kubectl("get", "issueruns,approvals,orchestratedrepos", "-n", desk.namespace, "-o", "name").stdout
    assert left == ""


async def test_the_audit_log_tells_who_set_a_run_off_and_each_thing_once(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.settle()
    told = [line["event"] for line in desk.lines]
    for event in ("run_started", "pushed", "pull_request_opened", "merged", "run_finished"):
        assert told.count(event) == 1, event
    started, ended = (
        next(line for line in desk.lines if line["event"] == f"run_{what}") for what in ("started", "finished")
    )
    assert (started["who"], started["trigger"], started["trigger_event"]) == ("alice", "Label", "1")
    assert (ended["who"], ended["outcome"], ended["run"]) == ("alice", "Succeeded", "web-7-1")
    merged = next(line for line in desk.lines if line["event"] == "merged")
    assert (merged["by"], merged["sha"]) == ("orch", (await desk.run()).status.pull_request.merge_sha)  # type: ignore[union-attr]
    ids = [line["id"] for line in desk.lines]
    assert len(ids) == len(set(ids))


async def test_the_audit_log_tells_who_cancelled_a_run(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    await desk.look()
    asked = {"username": "bob@example.com", "reason": "not now"}
    await desk.runs.objects.patch(desk.namespace, "web-7-1", {"spec": {"cancel": asked}})
    await desk.settle()
    [cancelled] = [line for line in desk.lines if line["event"] == "run_cancelled"]
    assert (cancelled["who"], cancelled["reason"]) == ("bob@example.com", "not now")


async def test_a_line_waits_for_the_write_that_it_is_about(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    await desk.prepare()
    await desk.add_run()

    async def refuse(*_: object) -> IssueRun:
        raise Conflict("Conflict", "somebody else was faster")

    with monkeypatch.context() as patch:
        patch.setattr(desk.runs, "write_status", refuse)
        with pytest.raises(Conflict):
            await desk.look()
    assert desk.lines == []
    await desk.look()
    assert [line["event"] for line in desk.lines].count("run_started") == 1


async def test_a_pause_is_told_at_its_beginning_and_end(desk: Desk) -> None:
    await desk.prepare()
    await desk.add_run()
    for suspended in (True, True, None):
        await desk.runs.objects.patch(desk.namespace, "web-7-1", {"spec": {"suspend": suspended}})
        await desk.look()
    told = [line["event"] for line in desk.lines]
    assert (told.count("run_paused"), told.count("run_resumed")) == (1, 1)
