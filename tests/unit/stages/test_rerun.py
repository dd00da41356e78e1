"""Checks that ended without a verdict run again, a bounded number of times and each time once; the rest is told to a person."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.fakes.acts import Crash
from tests.unit.stages.world import World, at

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import EffectState
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason
from orch.errors import CredentialsRefused, NotFound, OrchError, RateLimited, StillRunning
from orch.policy.fitting import LIMIT, size
from orch.ports import Check, CheckState
from orch.stages import Done, Waiting
from orch.stages.checks import checks
from orch.stages.rerun import MOST, MOST_CHECKS

CHECKS, HUMAN = WaitingReason.AWAITING_CHECKS, WaitingReason.AWAITING_HUMAN
FORBIDDEN = CredentialsRefused("Forbidden", "the token may not POST /rerun: Resource not accessible by integration")


def cut_short(name: str = "build", number: int = 1, ending: str = "cancelled", *, job: bool = True) -> Check:
    return Check(name, CheckState.INTERRUPTED, id=number, ending=ending, can_rerun=job)


async def a_world(*there: Check) -> World:
    world = await at(checks)
    world.forge.checked[world.head] = there
    return world


def _end(world: World, state: CheckState, ending: str = "") -> None:
    """What runs ends so."""
    world.forge.checked[world.head] = tuple(
        replace(check, state=state, ending=ending, can_rerun=bool(ending))
        if check.state is CheckState.PENDING
        else check
        for check in world.forge.checked[world.head]
    )


def _rerun(world: World) -> int:
    return world.acts.made.count("rerun_check")


def _reason(outcome: object) -> WaitingReason | None:
    assert isinstance(outcome, Waiting), outcome
    return outcome.reason


def _untouched(world: World) -> None:
    """The agent was not asked, and no attempt is gone."""
    assert world.run.status.attempts.checks_fix in (0, None)
    assert not [step for step in world.run.status.steps if step.stage.value == "Checks"]


async def test_it_runs_again_and_its_verdict_counts() -> None:
    world = await a_world(cut_short(), Check("lint", CheckState.PASSED, id=2))
    outcome = await world.play(checks)
    assert outcome == Waiting(CHECKS, "check 'build' ended as cancelled and runs again (1 of 2)", timedelta(seconds=2))
    said = find_condition(world.run, IssueRunCondition.CHECKS_PASSED)
    assert said is not None
    assert said.reason == IssueRunReason.CHECKS_INTERRUPTED
    assert said.message == "1 of 2 checks ended without a verdict: build (cancelled)"
    assert world.run.status.checks is not None
    assert (world.run.status.checks.interrupted, world.run.status.checks.failed) == (1, 0)
    assert _reason(await world.play(checks)) is CHECKS
    _end(world, CheckState.PASSED)
    assert await world.play(checks) == Done()
    assert _rerun(world) == 1
    _untouched(world)


async def test_a_red_check_is_mended_first() -> None:
    world = await a_world(cut_short("a"), Check("b", CheckState.FAILED, id=2))
    await world.play(checks)
    assert _rerun(world) == 0
    assert world.run.status.attempts.checks_fix == 1


async def test_a_third_time_is_told_to_a_person() -> None:
    world = await a_world(cut_short())
    for _ in range(MOST):
        assert _reason(await world.play(checks)) is CHECKS
        _end(world, CheckState.INTERRUPTED, "cancelled")
    outcome = await world.play(checks)
    assert _reason(outcome) is HUMAN
    assert isinstance(outcome, Waiting)
    assert outcome.message == (
        "check 'build' ended as cancelled once more, after 2 re-runs: find out why, then run it again on GitHub"
    )
    assert _rerun(world) == MOST
    _untouched(world)
    # a person's own re-run is believed, and gives orch no further one
    world.forge.checked[world.head] = (cut_short(number=7000),)
    assert _reason(await world.play(checks)) is HUMAN
    assert _rerun(world) == MOST


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (cut_short(ending="action_required", job=False), "asks a person to act"),
        (cut_short(ending="stale", job=False), "jobs of GitHub Actions alone"),
        (Check("legacy", CheckState.INTERRUPTED, ending="error"), "'legacy' ended as error"),
    ],
    ids=["an action", "another App", "a status"],
)
async def test_what_orch_cannot_run_again_is_told_at_once(check: Check, words: str) -> None:
    world = await a_world(check)
    outcome = await world.play(checks)
    assert _reason(outcome) is HUMAN
    assert isinstance(outcome, Waiting)
    assert words in outcome.message
    assert _rerun(world) == 0
    _untouched(world)


async def test_one_after_the_other_and_only_then_a_person() -> None:
    world = await a_world(cut_short("a", 1), Check("b", CheckState.INTERRUPTED, ending="error"), cut_short("c", 3))
    for count in (1, 2):
        assert _reason(await world.play(checks)) is CHECKS
        assert _rerun(world) == count
        _end(world, CheckState.PASSED)
    assert _reason(await world.play(checks)) is HUMAN


@pytest.mark.parametrize(
    "refusal", [FORBIDDEN, NotFound("NotFound", "POST /rerun: not there, or not visible with this token")]
)
async def test_a_token_that_may_not_is_told_with_the_permission_and_asked_again_later(refusal: OrchError) -> None:
    world = await a_world(cut_short())
    world.acts.refused["rerun_check"] = refusal
    for _ in range(3):
        outcome = await world.play(checks)
        assert _reason(outcome) is HUMAN
        assert isinstance(outcome, Waiting)
        assert "Actions (write)" in outcome.message
    assert world.audit.count("rerun_refused") == 1, "a refusal is believed for a while"
    world.acts.heal()
    world.forge.checked[world.head] = (cut_short(number=500),)  # a person has had it run, to the same end
    world.clock.forward(timedelta(minutes=15))
    for count in range(1, MOST + 1):
        assert _reason(await world.play(checks)) is CHECKS
        assert _rerun(world) == count, "what was refused is no re-run"
        _end(world, CheckState.INTERRUPTED, "cancelled")
    assert _reason(await world.play(checks)) is HUMAN


async def test_a_workflow_that_is_not_over_is_waited_for() -> None:
    world = await a_world(cut_short())
    world.acts.refused["rerun_check"] = StillRunning("StillRunning", "other jobs of the same workflow run are not over")
    outcome = await world.play(checks)
    assert _reason(outcome) is CHECKS
    assert isinstance(outcome, Waiting)
    assert "are not over" in outcome.message
    world.acts.heal()
    await world.play(checks)
    assert _rerun(world) == 1


async def test_the_host_decides_when_it_is_asked_again() -> None:
    world = await a_world(cut_short())
    for refusal in (
        RateLimited("GitHub asks to wait", retry_at=world.clock()),
        CredentialsRefused("BadCredentials", "GitHub does not know the token"),
    ):
        world.acts.refused["rerun_check"] = refusal
        with pytest.raises(type(refusal)):
            await world.play(checks)
    world.acts.heal()
    await world.play(checks)
    assert _rerun(world) == 1


@pytest.mark.parametrize("when", ["crash_before", "crash_after", "lost", "late"])
async def test_it_runs_again_once_whatever_crashes_or_is_lost(when: str) -> None:
    world = await a_world(cut_short())
    setattr(world.acts, when, "rerun_check")
    try:
        await world.play(checks)
    except Crash:
        pass
    else:
        assert when in ("lost", "late")
    world.acts.heal()
    await world.play(checks)
    world.acts.land()
    for _ in range(6):
        outcome = await world.play(checks)
        if _reason(outcome) is CHECKS:
            break
        assert isinstance(outcome, Waiting)
        world.clock.forward(outcome.retry_after or timedelta(0))
    assert _rerun(world) == 1
    await world.play(checks)
    _end(world, CheckState.PASSED)
    assert await world.play(checks) == Done()
    assert _rerun(world) == 1
    states = [effect.state for effect in world.run.status.effects if effect.key.startswith("rerun/")]
    assert states == [EffectState.DONE]


async def test_a_run_that_has_not_shown_up_yet_is_waited_for_until_a_person_is_asked() -> None:
    world = await a_world(cut_short())
    await world.play(checks)
    world.forge.checked[world.head] = (cut_short(),)
    outcome = await world.play(checks)
    assert _reason(outcome) is CHECKS
    assert isinstance(outcome, Waiting)
    assert "has not shown up" in outcome.message
    world.clock.forward(world.repo.spec.pipeline.timeouts.checks + timedelta(seconds=1))
    assert _reason(await world.play(checks)) is HUMAN
    assert _rerun(world) == 1


async def test_the_time_for_checks_begins_anew() -> None:
    world = await a_world(cut_short())
    world.clock.forward(world.repo.spec.pipeline.timeouts.checks - timedelta(seconds=1))
    await world.play(checks)
    world.clock.forward(timedelta(minutes=1))
    outcome = await world.play(checks)
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.retry_after) == (CHECKS, timedelta(seconds=6))


async def test_statuses_alone_do_not_tell_that_a_job_runs_again() -> None:
    world = await a_world(cut_short())
    world.acts.lost = "rerun_check"
    await world.play(checks)
    world.acts.heal()
    world.forge.readable = False
    world.forge.checked[world.head] = (Check("legacy", CheckState.PENDING),)
    await world.play(checks)
    assert [e.state for e in world.run.status.effects if e.key.startswith("rerun/")] == [EffectState.UNKNOWN]


async def test_many_interrupted_checks_fit_and_another_head_begins_anew() -> None:
    there = [cut_short(f"{number} " + "x" * 300, number) for number in range(1, 16)]
    world = await a_world(*there)
    for _ in range(3 * len(there)):
        outcome = await world.play(checks)
        _end(world, CheckState.PASSED)
    assert _reason(outcome) is HUMAN
    assert _rerun(world) == MOST_CHECKS
    assert size(world.run) < LIMIT
    branch = world.run.status.branch
    assert branch is not None
    branch.head_sha = "f" * 40
    world.forge.checked["f" * 40] = (cut_short("1 " + "x" * 300, 1),)
    assert _reason(await world.play(checks)) is CHECKS
    keys = [effect.key for effect in world.run.status.effects if effect.key.startswith("rerun/")]
    assert len(keys) == 1
    assert keys[0].startswith("rerun/" + "f" * 40)
