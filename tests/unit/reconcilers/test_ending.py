"""How a run ends: what it holds is let go, people are told, the outcome is written once, wherever it stood."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from tests.builders import NUMBER, a_repo, sha
from tests.fakes.acts import Crash
from tests.unit.stages.world import World, at

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import ApprovalOutcome, FailureClass, RunStage, StepState
from orch.errors import (
    Cancelled,
    CredentialsRefused,
    NotFound,
    NotMergeable,
    OrchError,
    PolicyDenied,
    RateLimited,
    Terminal,
)
from orch.policy.intake import DECLINED
from orch.ports import BranchRules
from orch.reconcilers.ending import end
from orch.stages import Stage, Waiting
from orch.stages.checks import checks
from orch.stages.claim import claim
from orch.stages.implement import implement
from orch.stages.merge import merge
from orch.stages.plan import plan
from orch.stages.publish import publish
from orch.stages.queued import queued
from orch.stages.texts import is_released

STOPPED = Cancelled("CancelledByUser", "alice: not now")


def _condition(world: World, kind: str) -> tuple[str, str] | None:
    found = find_condition(world.run, kind)
    return (found.status.value, found.reason) if found is not None else None


@pytest.mark.parametrize("stage", [queued, claim, plan, implement, publish, checks, merge], ids=lambda s: s.__name__)
async def test_it_may_end_anywhere(stage: Stage) -> None:
    world = await at(stage)
    assert await end(world.context(), STOPPED) is None
    status = world.run.status
    assert status.completion_time == world.clock()
    assert status.failure is not None
    assert (status.failure.class_, status.failure.reason) == (FailureClass.CANCELLED, "CancelledByUser")
    assert _condition(world, "Succeeded") == ("False", "CancelledByUser")
    assert _condition(world, "Waiting") is None
    assert all(is_released(comment.body) for comment in world.forge.said)
    assert len(world.forge.branches) == 1 + len(world.forge.pulls), "a branch without a pull request goes"
    assert [pull.state for pull in world.forge.pulls] == ["open"] * len(world.forge.pulls)


@pytest.mark.parametrize(
    ("err", "class_"),
    [
        (Terminal("TestsRed", "still red"), FailureClass.TERMINAL),
        (PolicyDenied("Denied", "no"), FailureClass.POLICY_DENIED),
        (NotFound("ArtifactMissing", "gone\nwith\u202e it"), FailureClass.TERMINAL),
    ],
)
async def test_a_failure_is_told_on_the_issue(err: OrchError, class_: FailureClass) -> None:
    world = await at(implement)
    await end(world.context(), err)
    failure = world.run.status.failure
    assert failure is not None
    assert failure.class_ is class_
    assert "\n" not in failure.message
    [comment] = world.forge.said
    assert err.reason in comment.body


async def test_success() -> None:
    world = World()
    await world.settle()
    await end(world.context(), None)
    assert _condition(world, "Succeeded") == ("True", "Merged")
    assert world.run.status.stage is RunStage.DONE
    assert is_released(world.forge.said[0].body)


async def test_a_running_step_is_stopped_and_paid_for() -> None:
    world = await at(implement)
    await world.play(implement)
    await end(world.context(), STOPPED)
    assert world.runner.cancelled == ["web-7-1-implement-1"]
    assert world.runner.started == {}
    assert world.run.status.steps[-1].state is StepState.CANCELLED
    assert world.run.status.usage.cost_usd == world.meter.book.cost_usd


@pytest.mark.parametrize("settles", [True, False])
async def test_a_call_that_is_under_way_is_waited_for_so_long(settles: bool) -> None:
    world = await at(implement)
    await world.play(implement)
    world.meter.book = replace(world.meter.book, reserved_usd=Decimal("0.5"))
    assert await end(world.context(), STOPPED) is not None
    assert world.run.status.completion_time is None
    assert is_released(world.forge.said[0].body), "people need not wait for the figures"
    if settles:
        world.meter.book = replace(world.meter.book, reserved_usd=Decimal(0), cost_usd=Decimal("0.3"))
    else:
        world.clock.forward(timedelta(seconds=46))
    assert await end(world.context(), None) is None
    assert world.run.status.completion_time == world.clock()
    assert world.run.status.usage.cost_usd == world.meter.book.cost_usd
    assert world.runner.cancelled == ["web-7-1-implement-1"], "once"


@pytest.mark.parametrize("how", ["crash_after", "crash_before"])
async def test_a_push_that_was_never_answered_leaves_no_branch(how: str) -> None:
    world = await at(publish)
    setattr(world.acts, how, "push")
    with pytest.raises(Crash):
        await world.play(publish)
    world.acts.heal()
    await end(world.context(), STOPPED)
    assert list(world.forge.branches) == ["main"]


async def test_a_pull_request_that_was_never_answered_is_named() -> None:
    world = await at(publish)
    world.acts.crash_after = "open_pull"
    with pytest.raises(Crash):
        await world.play(publish)
    world.acts.heal()
    await end(world.context(), STOPPED)
    assert world.run.status.pull_request is not None
    assert len(world.forge.branches) == 2, "its branch is not pulled away from under it"


async def test_a_branch_of_somebody_else_stays() -> None:
    world = await at(publish)
    branch = world.run.status.branch
    assert branch is not None
    world.forge.branches[branch.name or ""] = sha("theirs")
    await world.play(publish)
    await end(world.context(), STOPPED)
    assert world.forge.branches[branch.name or ""] == sha("theirs")


async def test_nobody_is_asked_any_more() -> None:
    world = World(a_repo(mode="Supervised"))
    await world.reach(merge)
    assert isinstance(await world.play(merge), Waiting)
    world.forge.set_pull(state="merged", merge_sha=sha("theirs"))
    await world.look()
    await end(world.context(), None)
    [approval] = world.records.asked.values()
    assert approval.status.outcome is ApprovalOutcome.SUPERSEDED
    assert _condition(world, "Succeeded") == ("True", "MergedExternally")
    assert world.run.status.approvals[-1].outcome is ApprovalOutcome.SUPERSEDED


async def test_a_pull_request_that_a_person_closed_marks_its_issue() -> None:
    world = await at(merge)
    world.forge.set_pull(state="closed")
    with pytest.raises(Cancelled) as told:
        await world.look()
    await end(world.context(), told.value)
    assert world.forge.labels == {NUMBER: [DECLINED]}


async def in_a_queue() -> World:
    """A world whose pull request stands in the merge queue, by our act."""
    world = await at(merge)
    world.forge.rules = BranchRules(merge_queue=True)
    await world.play(merge)
    assert world.forge.place.entry is not None
    return world


async def test_what_has_ended_is_not_merged_by_a_queue() -> None:
    world = await in_a_queue()
    assert await end(world.context(), STOPPED) is None
    assert world.forge.place.entry is None
    assert _condition(world, "Succeeded") == ("False", "CancelledByUser")


async def test_it_ends_when_the_queue_has_let_go() -> None:
    world = await in_a_queue()
    world.acts.refused["dequeue"] = NotMergeable("NotMergeable", "is being merged")
    assert await end(world.context(), STOPPED) is not None
    assert world.run.status.completion_time is None
    world.acts.refused["dequeue"] = Terminal("RequestRefused", "422")
    assert await end(world.context(), None) is None
    assert "farewell_refused" in world.audit


@pytest.mark.parametrize("act", ["edit_comment", "delete_branch"])
async def test_a_farewell_that_is_refused_for_good_does_not_keep_it(act: str) -> None:
    world = await at(publish)
    world.acts.crash_after = "push"
    with pytest.raises(Crash):
        await world.play(publish)
    world.acts.heal()
    world.acts.refused[act] = Terminal("RequestRefused", "422")
    await end(world.context(), STOPPED)
    assert world.run.status.completion_time is not None
    assert "farewell_refused" in world.audit


@pytest.mark.parametrize(
    "late",
    [RateLimited("wait", retry_at=World().clock()), CredentialsRefused("BadCredentials", "revoked")],
    ids=["a limit", "a token that was revoked"],
)
async def test_an_end_that_meets_a_limit_goes_on_later(late: OrchError) -> None:
    world = await at(implement)
    world.acts.refused["edit_comment"] = late
    with pytest.raises(type(late)):
        await end(world.context(), Terminal("TestsRed", "still red"))
    assert world.run.status.completion_time is None
    assert world.run.status.failure is not None
    world.acts.heal()
    await end(world.context(), None)
    assert _condition(world, "Succeeded") == ("False", "TestsRed")


async def test_the_first_failure_is_the_one_that_counts() -> None:
    world = await at(implement)
    await end(world.context(), Terminal("TestsRed", "still red"))
    await end(world.context(), STOPPED)
    assert world.run.status.failure is not None
    assert world.run.status.failure.reason == "TestsRed"
