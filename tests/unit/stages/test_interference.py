"""What people and the world do meanwhile: the second table of how a run goes, row by row."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import a_repo, a_run, sha
from tests.unit.stages.world import World, at

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import ApprovalOutcome, CancelRequest, PullRequestState, StepState
from orch.api.v1alpha1.reasons import IssueRunCondition, WaitingReason
from orch.errors import Cancelled, CredentialsRefused
from orch.stages import Stage, Waiting
from orch.stages.claim import claim
from orch.stages.implement import implement
from orch.stages.merge import merge
from orch.stages.plan import plan
from orch.stages.publish import publish
from orch.stages.queued import queued
from orch.stages.verify import verify

EVERYWHERE = [queued, claim, plan, implement, publish, merge]


def _reason(outcome: Waiting | None) -> WaitingReason | None:
    return outcome.reason if outcome is not None else None


def _name(stage: Stage) -> str:
    return stage.__name__


@pytest.mark.parametrize("stage", [*EVERYWHERE, verify], ids=_name)
async def test_nothing_happens(stage: Stage) -> None:
    world = await at(stage)
    before = world.run.status.model_copy(deep=True)
    assert await world.look() is None
    assert world.run.status == before


@pytest.mark.parametrize("stage", EVERYWHERE, ids=_name)
async def test_a_person_cancels(stage: Stage) -> None:
    world = await at(stage)
    spec = world.run.spec.model_copy(update={"cancel": CancelRequest(username="alice", reason="not\nnow")})
    world.run = world.run.model_copy(update={"spec": spec})
    with pytest.raises(Cancelled, match="alice: not now"):
        await world.look()


@pytest.mark.parametrize("stage", EVERYWHERE, ids=_name)
@pytest.mark.parametrize("whole", [True, False], ids=["repository", "run"])
async def test_a_suspension_holds_everything(stage: Stage, whole: bool) -> None:
    world = await at(stage)
    if whole:
        world.repo = a_repo(suspend=True)
    else:
        world.run = world.run.model_copy(update={"spec": world.run.spec.model_copy(update={"suspend": True})})
    made = list(world.acts.made)
    for _ in range(2):
        assert _reason(await world.look()) is WaitingReason.SUSPENDED
    assert world.acts.made == made


@pytest.mark.parametrize("stage", [plan, publish], ids=_name)
@pytest.mark.parametrize(
    ("change", "reason"), [({"state": "closed"}, "IssueClosed"), ({"labels": frozenset()}, "Unlabelled")]
)
async def test_before_the_pull_request_an_issue_that_goes_ends_the_run(
    stage: Stage, change: dict[str, object], reason: str
) -> None:
    world = await at(stage)
    assert world.forge.issue is not None
    world.forge.issue = replace(world.forge.issue, **change)  # type: ignore[arg-type]
    with pytest.raises(Cancelled) as told:
        await world.look()
    assert told.value.reason == reason


@pytest.mark.parametrize(
    "change", [{"state": "closed"}, {"labels": frozenset()}, None], ids=["closed", "unlabelled", "gone"]
)
async def test_after_it_the_merge_is_held_for_a_day(change: dict[str, object] | None) -> None:
    world = await at(merge)
    before = world.forge.issue
    assert before is not None
    world.forge.issue = replace(before, **change) if change is not None else None  # type: ignore[arg-type]
    assert _reason(await world.look()) is WaitingReason.AWAITING_HUMAN
    world.clock.forward(timedelta(hours=23))
    held = await world.look()
    assert held == await world.look(), "its text is stable"
    issue, world.forge.issue = world.forge.issue, before
    assert await world.look() is None, "it is back, and the day begins anew"
    world.forge.issue = issue
    world.clock.forward(timedelta(hours=2))
    assert _reason(await world.look()) is WaitingReason.AWAITING_HUMAN
    world.clock.forward(timedelta(hours=24, seconds=1))
    with pytest.raises(Cancelled, match="stays open"):
        await world.look()


async def test_a_label_that_a_stranger_puts_on_again_resumes_nothing() -> None:
    world = await at(merge)
    world.forge.label("alice", world.clock.now, added=False)
    assert _reason(await world.look()) is WaitingReason.AWAITING_HUMAN
    world.forge.label("mallory", world.clock.now + timedelta(seconds=5))
    held = await world.look()
    assert held is not None
    assert "mallory labelled issue #7 again" in held.message
    world.forge.label("mallory", world.clock.now + timedelta(seconds=6), added=False)
    world.forge.label("alice", world.clock.now + timedelta(seconds=7))
    assert await world.look() is None
    assert world.run.status.held_time is None


@pytest.mark.parametrize("stage", [plan, merge], ids=_name)
async def test_a_repository_that_the_token_no_longer_sees_ends_no_run(stage: Stage) -> None:
    """GitHub answers 404 for what a token may not see: that is not a deleted issue."""
    world = await at(stage)
    world.forge.issue = world.forge.facts = None
    world.forge.pulls.clear()
    with pytest.raises(CredentialsRefused):
        await world.look()


@pytest.mark.parametrize("reason", ["RepositoryChanged", "RepositoryArchived"])
@pytest.mark.parametrize("stage", [claim, publish, merge], ids=_name)
async def test_a_repository_that_is_not_the_one_it_was_is_not_written_to(stage: Stage, reason: str) -> None:
    world = await at(stage)
    set_condition(world.repo, "Ready", False, reason, "another repository has taken the name", world.clock())
    held = await world.look()
    assert _reason(held) is WaitingReason.AWAITING_HUMAN
    assert held is not None
    assert "another repository" in held.message


async def test_a_repository_that_does_not_answer_for_a_moment_holds_no_run() -> None:
    world = await at(publish)
    set_condition(world.repo, "Ready", False, "Unreachable", "no answer", world.clock())
    assert await world.look() is None


async def test_a_person_closes_the_pull_request() -> None:
    world = await at(merge)
    world.forge.set_pull(state="closed")
    with pytest.raises(Cancelled) as told:
        await world.look()
    assert told.value.reason == "ClosedByHuman"
    assert world.run.status.pull_request is not None
    assert world.run.status.pull_request.state is PullRequestState.CLOSED


async def test_a_person_merges_the_pull_request() -> None:
    world = await at(merge)
    world.forge.set_pull(state="merged", merge_sha=sha("theirs"))
    assert await world.look() is None
    assert world.run.status.pull_request is not None
    assert world.run.status.pull_request.merge_sha == sha("theirs")
    assert world.forge.issue is not None
    world.forge.issue = replace(world.forge.issue, state="closed")
    assert await world.look() is None, "GitHub closes the issue with the merge: that is no interference"


async def test_a_push_of_ours_that_is_on_its_way_is_nobody_elses() -> None:
    world = await at(merge)
    branch = world.run.status.branch
    assert branch is not None
    old = world.head
    branch.head_sha = branch.expected_sha = sha("a newer one, which GitHub does not show yet")
    assert world.forge.branches[branch.name or ""] == old
    assert await world.look() is None
    assert not branch.taken_over


@pytest.mark.parametrize(
    ("waits_for", "looks_after"),
    [(timedelta(0), 30), (timedelta(minutes=4), 30), (timedelta(minutes=20), 120), (timedelta(days=2), 300)],
)
async def test_people_are_looked_after_ever_more_slowly(waits_for: timedelta, looks_after: int) -> None:
    world = await at(merge)
    assert world.run.status.branch is not None
    world.forge.branches[world.run.status.branch.name or ""] = sha("theirs")
    set_condition(
        world.run, IssueRunCondition.WAITING, True, WaitingReason.TAKEN_OVER, "theirs", world.clock.now - waits_for
    )
    held = await world.look()
    assert held is not None
    assert held.retry_after == timedelta(seconds=looks_after)


async def test_a_run_that_did_not_wait_looks_soon() -> None:
    world = await at(merge)
    assert world.run.status.branch is not None
    world.forge.branches[world.run.status.branch.name or ""] = sha("theirs")
    set_condition(
        world.run, IssueRunCondition.WAITING, False, "NotWaiting", "at work", world.clock.now - timedelta(days=2)
    )
    held = await world.look()
    assert held is not None
    assert held.retry_after == timedelta(seconds=30)


@pytest.mark.parametrize("outcome", [ApprovalOutcome.PENDING, ApprovalOutcome.APPROVED])
async def test_somebody_elses_push_closes_the_question_also_when_it_was_answered_already(
    outcome: ApprovalOutcome,
) -> None:
    world = await at(merge, a_repo(mode="Supervised"))
    await world.play(merge)
    name = world.decide(outcome)
    assert world.run.status.branch is not None
    world.forge.branches[world.run.status.branch.name or ""] = sha("theirs")
    assert _reason(await world.look()) is WaitingReason.TAKEN_OVER
    assert world.records.asked[name].status.outcome is ApprovalOutcome.SUPERSEDED
    assert (name, ApprovalOutcome.SUPERSEDED) in [(it.name, it.outcome) for it in world.run.status.approvals]


async def test_somebody_elses_push_leaves_an_approval_that_was_used_as_it_is() -> None:
    world = World(a_repo(approvals={"gates": [{"gate": "Publish", "when": "Always"}]}))
    await world.reach(publish)
    await world.play(publish)
    name = world.decide(ApprovalOutcome.APPROVED)
    await world.play(publish)
    assert world.run.status.branch is not None
    world.forge.branches[world.run.status.branch.name or ""] = sha("theirs")
    assert _reason(await world.look()) is WaitingReason.TAKEN_OVER
    assert world.records.asked[name].status.outcome is ApprovalOutcome.APPROVED


async def test_an_edit_that_starts_over_drops_what_was_made_from_the_old_text() -> None:
    world = World(a_repo(issues={"trust": {"onContentChange": "Replan"}}))
    await world.reach(implement)
    await world.play(implement)
    world.forge.edit_issue(world.clock.now, body="It should be 4.")
    assert await world.look() is None
    status = world.run.status
    assert (status.issue, status.analysis, status.plan, status.change) == (None, None, None, None)
    assert world.runner.cancelled == ["web-7-1-implement-1"]
    assert status.steps[-1].state is StepState.CANCELLED
    await world.settle()
    assert world.run.status.pull_request is not None


async def test_a_run_that_has_not_begun_is_not_asked_about() -> None:
    world = World(run=a_run())
    world.forge.issue = None
    assert await world.look() is None
