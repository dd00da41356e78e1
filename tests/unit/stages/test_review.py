"""Checks and reviews of the pull request: what is red or asked for goes to the agent, what lacks is waited for."""

from datetime import timedelta

import pytest
from tests.builders import a_repo, a_review, sha
from tests.unit.stages.world import World, at

from orch.api.v1alpha1 import ChecksState
from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import StepOutcome
from orch.ports import BranchRules, Check, CheckState, Permission
from orch.stages import Again, Done, Waiting
from orch.stages.checks import GRACE, checks
from orch.stages.guard import guard
from orch.stages.merge import merge
from orch.stages.publish import publish
from orch.stages.review import review

RUNNING = (Check(name="build", state=CheckState.PENDING, id=1),)


def _reason(outcome: object) -> WaitingReason | None:
    return outcome.reason if isinstance(outcome, Waiting) else None


@pytest.mark.parametrize(
    ("found", "waited", "reason", "state"),
    [
        pytest.param(RUNNING, timedelta(0), WaitingReason.AWAITING_CHECKS, ChecksState.PENDING, id="running"),
        pytest.param(RUNNING, timedelta(hours=2), WaitingReason.AWAITING_HUMAN, ChecksState.PENDING, id="too long"),
        pytest.param((), timedelta(0), WaitingReason.AWAITING_CHECKS, ChecksState.NONE, id="not there yet"),
        pytest.param((), GRACE * 2, WaitingReason.AWAITING_HUMAN, ChecksState.NONE, id="none at all"),
    ],
)
async def test_checks_that_are_not_green(
    found: tuple[Check, ...], waited: timedelta, reason: WaitingReason, state: ChecksState
) -> None:
    world = await at(checks)
    world.forge.checked[world.head] = found
    world.clock.forward(waited)
    assert _reason(await world.play(checks)) is reason
    assert world.run.status.checks is not None
    assert world.run.status.checks.state is state


async def test_green_checks_are_asked_about_once() -> None:
    world = await at(review)
    world.forge.fail_checks(world.head)
    assert await world.play(checks) == Done()


async def test_a_red_check_is_fixed_and_its_log_is_what_the_agent_reads() -> None:
    world = await at(checks)
    world.forge.fail_checks(world.head)
    red = world.head
    assert await world.step(checks) == Again()
    assert [item.text for item in world.runner.started["web-7-1-checks-1"].feedback] == ["assert 2 == 3"]
    assert await world.play(guard) == Done()
    assert await world.play(publish) == Done()
    assert world.remote_head == world.head != red
    assert await world.play(checks) == Done()
    assert world.run.status.attempts.checks_fix == 1


async def test_out_of_fixes_a_person_is_asked() -> None:
    world = World(a_repo(pipeline={"attempts": {"checksFix": 1}}))
    await world.reach(checks)
    world.forge.fail_checks(world.head)
    again = await world.step(checks, StepOutcome.TESTS_RED)
    assert _reason(again) is None
    assert _reason(await world.play(checks)) is WaitingReason.AWAITING_HUMAN
    assert world.acts.made.count("start") == 4


@pytest.mark.parametrize("outcome", [StepOutcome.SETUP_FAILED, StepOutcome.MODEL_REFUSED])
async def test_a_fix_that_only_a_person_can_help(outcome: StepOutcome) -> None:
    world = await at(checks)
    world.forge.fail_checks(world.head)
    assert _reason(await world.step(checks, outcome)) is WaitingReason.AWAITING_HUMAN


async def test_a_fix_that_vanished_uses_no_second_attempt() -> None:
    world = World(a_repo(pipeline={"attempts": {"checksFix": 1}}))
    await world.reach(checks)
    world.forge.fail_checks(world.head)
    await world.play(checks)
    world.runner.vanish()
    await world.play(checks)
    assert await world.step(checks) == Again()
    assert world.run.status.attempts.checks_fix == 1
    assert list(world.runner.started) == ["web-7-1-checks-2"]


async def test_a_trusted_request_for_changes_is_worked_on() -> None:
    world = await at(review)
    world.forge.reviewed = [a_review("CHANGES_REQUESTED", body="Say why.", comments=("fee.py:3: here",))]
    assert await world.step(review) == Again()
    [feedback] = world.runner.started["web-7-1-review-1"].feedback
    assert feedback.text == "Say why.\n\nfee.py:3: here"


async def test_a_strangers_request_is_githubs_business() -> None:
    world = await at(review)
    world.forge.reviewed = [a_review("CHANGES_REQUESTED", "bob")]
    assert await world.play(review) == Done()


async def test_after_the_fix_it_is_the_reviewers_turn() -> None:
    world = await at(review)
    world.forge.reviewed = [a_review("CHANGES_REQUESTED")]
    await world.step(review)
    await world.play(guard)
    await world.play(publish)
    assert _reason(await world.play(review)) is WaitingReason.AWAITING_REVIEW
    world.forge.reviewed = [a_review("APPROVED", id=2)]
    assert await world.play(review) == Done()


async def test_a_review_that_came_while_a_fix_was_made_is_worked_on_as_well() -> None:
    world = await at(review)
    world.forge.reviewed = [a_review("CHANGES_REQUESTED", id=1)]
    await world.play(review)
    world.forge.reviewed.append(a_review("CHANGES_REQUESTED", "carol", id=2, body="And test it."))
    await world.runner.finish()
    assert await world.play(review) == Again()
    await world.play(guard)
    world.clock.forward(timedelta(minutes=5))
    await world.play(publish)
    assert await world.step(review) == Again()
    assert [item.text for item in world.runner.started["web-7-1-review-2"].feedback] == ["And test it."]


async def test_a_push_for_another_reason_answers_no_review() -> None:
    world = await at(checks)
    world.forge.reviewed = [a_review("CHANGES_REQUESTED")]
    world.forge.fail_checks(world.head)
    await world.step(checks)
    world.clock.forward(timedelta(minutes=5))
    for stage in (guard, publish, checks):
        assert await world.play(stage) == Done()
    assert await world.step(review) == Again()


@pytest.mark.parametrize(
    ("permission", "enough"),
    [(Permission.READ, False), (Permission.TRIAGE, False), (Permission.WRITE, True), (Permission.ADMIN, True)],
)
async def test_an_approval_counts_from_people_who_may_write(permission: Permission, enough: bool) -> None:
    world = await at(review)
    world.forge.rules = BranchRules(required_approvals=1)
    world.forge.people["dave"] = permission
    world.forge.reviewed = [a_review("APPROVED", "dave")]
    outcome = await world.play(review)
    assert (outcome == Done()) is enough
    assert (_reason(outcome) is WaitingReason.AWAITING_REVIEW) is not enough
    assert (_reason(await world.play(merge)) is WaitingReason.AWAITING_REVIEW) is not enough


async def test_a_fix_of_a_head_that_has_moved_since_takes_nothing_back() -> None:
    """The review is dismissed while its fix runs, the base moves and is merged in, the review is asked for again."""
    world = await at(review)
    asked = [a_review("CHANGES_REQUESTED")]
    world.forge.reviewed = asked
    await world.play(review)
    world.forge.reviewed = []
    world.forge.rules = BranchRules(up_to_date=True)
    world.forge.branches["main"] = sha("a newer base")
    assert await world.play(merge) == Again()
    await world.play(publish)
    merged = world.head
    world.forge.reviewed = asked
    await world.runner.finish()
    outcome = await world.play(review)
    assert isinstance(outcome, Waiting)
    assert "moved while" in outcome.message
    await world.play(guard)
    assert world.head == merged
    assert await world.step(review) == Again()
    assert world.runner.started["web-7-1-review-2"].head_sha == merged
    assert world.run.status.attempts.review_fix == 1
