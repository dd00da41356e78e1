"""Analyse, Plan, Implement, and the work steps below them: what a step gives back is data, and its end decides what follows."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import a_plan, a_repo, a_report, a_run, a_test_run, an_analysis, digest
from tests.fakes.acts import Crash
from tests.unit.stages.world import World, at

from orch.api.v1alpha1 import ApprovalOutcome, FailureStatus, RunOverrides, StepState
from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import PlanStep, StepOutcome, StepReport, encode
from orch.errors import NeedsHuman, NotFound, OrchError, PolicyDenied, Terminal, Transient
from orch.ports import StepState as RunnerState
from orch.ports import StepStatus
from orch.stages import Again, Done, Waiting
from orch.stages.analyse import analyse
from orch.stages.guard import guard
from orch.stages.implement import implement
from orch.stages.inputs import read_input
from orch.stages.plan import plan
from orch.stages.work import forsake, read_report

ENDS: list[tuple[StepOutcome, type[OrchError], str]] = [
    (StepOutcome.NOTHING_TO_DO, Terminal, "NothingChanged"),
    (StepOutcome.LIMIT, Terminal, "LimitReached"),
    (StepOutcome.SETUP_FAILED, NeedsHuman, "SetupFailed"),
    (StepOutcome.BAD_ANSWER, Terminal, "BadAnswer"),
    (StepOutcome.MODEL_REFUSED, NeedsHuman, "ModelRefused"),
    (StepOutcome.MODEL_UNAVAILABLE, Transient, "ModelUnavailable"),
]


@pytest.mark.parametrize("stage", [analyse, plan, implement], ids=lambda stage: stage.__name__)
@pytest.mark.parametrize(("outcome", "failure", "reason"), ENDS, ids=[outcome.value for outcome, _, _ in ENDS])
async def test_how_a_step_ends(stage: Any, outcome: StepOutcome, failure: type[OrchError], reason: str) -> None:
    world = await at(stage)
    with pytest.raises(failure) as told:
        await world.step(stage, outcome, message="its\u202e last words\n")
    assert told.value.reason == reason
    assert "\n" not in told.value.message
    assert "\u202e" not in told.value.message


@pytest.mark.parametrize(
    ("spec", "facts", "reason"),
    [
        ({}, {"actionable": False}, "NotActionable"),
        ({}, {"complexity": 8}, "TooComplex"),
        ({"maxComplexity": 8}, {"complexity": 8}, None),
        ({}, {"confidence_percent": 59}, "LowConfidence"),
        ({}, {"has_acceptance_criteria": False}, None),
        ({"requireAcceptanceCriteria": True}, {"has_acceptance_criteria": False}, "NoCriteria"),
    ],
)
async def test_policy_decides_whether_an_issue_is_taken(
    spec: dict[str, Any], facts: dict[str, Any], reason: str | None
) -> None:
    world = World(a_repo(issues=spec))
    await world.reach(analyse)
    if reason is None:
        assert await world.step(analyse, analysis=an_analysis(**facts)) == Done()
        return
    with pytest.raises(PolicyDenied) as told:
        await world.step(analyse, analysis=an_analysis(**facts))
    assert told.value.reason == reason
    assert world.run.status.analysis is not None, "people see what it was refused for"


async def test_what_an_earlier_attempt_ended_with_is_told_to_the_model() -> None:
    world = World(run=a_run("web-7-2", spec={"attempt": 2}))
    failure = FailureStatus.model_validate({"class": "Terminal", "reason": "TestsRed", "message": "still red"})
    world.previous = a_run("web-7-1", failure=failure, completion_time=world.clock())
    await world.reach(analyse)
    await world.play(analyse)
    [feedback] = world.runner.started["web-7-2-analyse-1"].feedback
    assert (feedback.source, feedback.text) == ("attempt 1", "TestsRed: still red")


async def test_a_plan_is_bound_to_the_text_that_it_was_made_from() -> None:
    first, second = await at(plan), World()
    second.forge.edit_issue(second.clock() - 10 * (second.clock() - second.forge.labellings[0].time), body="Another.")
    await second.reach(plan)
    for world in (first, second):
        await world.step(plan)
    plans = [world.run.status.plan for world in (first, second)]
    assert plans[0] is not None
    assert plans[1] is not None
    assert plans[0].digest != plans[1].digest


async def test_a_plan_waits_for_people_where_a_gate_asks() -> None:
    world = World(run=a_run(spec={"overrides": RunOverrides(plan_approval="Always")}))
    await world.reach(plan)
    outcome = await world.step(plan)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is WaitingReason.AWAITING_APPROVAL
    world.decide(ApprovalOutcome.APPROVED)
    assert await world.play(plan) == Done()
    assert world.runner.started.keys() == {"web-7-1-plan-1"}


async def test_nobody_is_asked_about_a_plan_that_cannot_be_shown_whole() -> None:
    world = World(run=a_run(spec={"overrides": RunOverrides(plan_approval="Always")}))
    await world.reach(plan)
    steps = tuple(PlanStep(title="Say it", detail="é" * 100_000) for _ in range(5))
    with pytest.raises(Terminal, match="people can be shown 900000: split the issue"):
        await world.step(plan, plan=a_plan(steps=steps))
    assert list(world.records.asked) == []


async def test_a_plan_that_proved_wrong_is_made_anew_once() -> None:
    world = await at(implement)
    assert await world.step(implement, StepOutcome.REPLAN, message="there is no fee.py") == Again()
    assert await world.step(plan) == Done()
    assert [item.text for item in world.runner.started["web-7-1-plan-2"].feedback] == ["there is no fee.py"]
    assert list(world.records.documents) == ["web-7-1-plan-1", "web-7-1-plan-2"]
    with pytest.raises(Terminal, match="proved wrong"):
        await world.step(implement, StepOutcome.REPLAN)


async def test_red_tests_teach_the_next_attempt() -> None:
    world = await at(implement)
    again = await world.step(implement, StepOutcome.TESTS_RED, tests=(a_test_run(1),), test_fixes=3)
    assert isinstance(again, Waiting)
    await world.play(implement)
    [feedback] = world.runner.started["web-7-1-implement-2"].feedback
    assert (feedback.source, feedback.text) == ("web-7-1-implement-1: pytest -q", "1 failed")
    await world.runner.finish(StepOutcome.TESTS_RED)
    with pytest.raises(Terminal, match="still red"):
        await world.play(implement)
    assert (world.run.status.attempts.implement, world.run.status.attempts.test_fix) == (2, 3)


# --- money -----------------------------------------------------------------------------------------------------------


async def test_a_run_without_money_is_parked_until_it_has_more() -> None:
    world = World(a_repo(budget={"perRunUSD": "0.10"}))
    await world.reach(implement)
    parked = await world.step(implement, StepOutcome.BUDGET)
    for _ in range(2):
        assert isinstance(parked, Waiting)
        assert parked.reason is WaitingReason.BUDGET_EXHAUSTED
        parked = await world.play(implement)
    assert world.acts.made.count("start") == 3
    world.repo = a_repo(budget={"perRunUSD": "1"})
    assert await world.step(implement) == Done()
    assert world.meter.limits[-2:] == [Decimal("0.10"), Decimal(1)]
    assert world.run.status.attempts.implement == 1


async def test_a_run_may_ask_for_less_money_never_for_more() -> None:
    for asked, granted in (("1", "1"), ("50", "5")):
        world = World(run=a_run(spec={"overrides": RunOverrides(budget_usd=Decimal(asked))}))
        await world.reach(analyse)
        await world.play(analyse)
        assert world.meter.limits == [Decimal(granted)]


# --- the steps themselves --------------------------------------------------------------------------------------------


async def test_a_step_that_runs_is_waited_for() -> None:
    world = await at(analyse)
    first = await world.play(analyse)
    for _ in range(3):
        assert await world.play(analyse) == first
    assert world.acts.made.count("start") == 1


async def test_a_step_that_vanished_is_started_anew_and_costs_no_attempt() -> None:
    world = await at(implement)
    await world.play(implement)
    world.runner.vanish()
    assert isinstance(await world.play(implement), Waiting)
    assert await world.step(implement) == Done()
    states = [step.state for step in world.run.status.steps if "implement" in step.name]
    assert states == [StepState.LOST, StepState.SUCCEEDED]
    assert world.run.status.attempts.implement == 1


async def test_steps_that_keep_vanishing_end_the_run() -> None:
    world = await at(analyse)
    for _ in range(5):
        await world.play(analyse)
        world.runner.vanish()
        assert isinstance(await world.play(analyse), Waiting)
    await world.play(analyse)
    world.runner.vanish()
    with pytest.raises(Terminal, match="vanished"):
        await world.play(analyse)


async def test_a_step_without_a_report_is_tried_again() -> None:
    world = await at(analyse)
    await world.play(analyse)
    world.runner.ended["web-7-1-analyse-1"] = StepStatus(RunnerState.FAILED, message="killed after 600 s")
    with pytest.raises(Transient, match="killed after 600 s"):
        await world.play(analyse)
    assert await world.step(analyse) == Done()


async def test_a_report_that_breaks_the_contract_ends_the_run() -> None:
    world = await at(analyse)
    await world.play(analyse)
    kept = await world.artifacts.put(b'{"version": "9"}')
    world.runner.ended["web-7-1-analyse-1"] = StepStatus(RunnerState.SUCCEEDED, report=kept)
    with pytest.raises(Terminal, match="breaks the contract"):
        await world.play(analyse)


async def test_a_step_that_was_only_intended_is_started_with_what_it_was_given() -> None:
    """The process ended between the intent and the start; the world has moved since, the step's input has not."""
    world = await at(implement)
    world.acts.crash_before = "start"
    with pytest.raises(Crash):
        await world.play(implement)
    world.acts.heal()
    world.repo = a_repo(pipeline={"test": ["make test"]})
    assert isinstance(await world.play(implement), Waiting)
    [step] = [step for step in world.run.status.steps if "implement" in step.name]
    started = world.runner.started[step.name]
    assert digest(encode(started)) == step.input_digest
    assert started.commands.test == ()


async def test_an_intended_step_whose_input_is_lost_becomes_another_one() -> None:
    world = await at(implement)
    world.acts.crash_before = "start"
    with pytest.raises(Crash):
        await world.play(implement)
    world.acts.heal()
    world.artifacts.lost.add(world.run.status.steps[-1].input_digest or "")
    assert isinstance(await world.play(implement), Waiting)
    assert await world.step(implement) == Done()
    assert [step.state for step in world.run.status.steps[-2:]] == [StepState.LOST, StepState.SUCCEEDED]


async def test_a_lost_report_says_so() -> None:
    world = await at(guard)
    step = world.run.status.steps[-1]
    world.artifacts.lost.add(step.output_digest or "")
    with pytest.raises(NotFound, match="holds no artifact") as told:
        await world.play(guard)
    assert told.value.reason == "ArtifactMissing"


async def test_finished_steps_are_forgotten_by_the_runner_only_once_they_are_written_down() -> None:
    world = await at(implement)
    assert world.runner.started.keys() == {"web-7-1-plan-1"}
    await world.play(implement)
    assert world.runner.started.keys() == {"web-7-1-implement-1"}


async def test_numbers_go_on_when_old_steps_are_forgotten() -> None:
    world = World(a_repo(pipeline={"attempts": {"implement": 10}}))
    await world.reach(implement)
    for number in range(1, 10):
        await world.step(implement, StepOutcome.TESTS_RED)
        assert world.run.status.steps[-1].name == f"web-7-1-implement-{number}"
    assert len(world.run.status.steps) <= 20


async def test_the_longest_name_of_a_run_leaves_room_for_its_steps() -> None:
    world = World(a_repo(pipeline={"attempts": {"implement": 10}}), a_run("w" * 48 + "-7-1"))
    await world.reach(implement)
    for _ in range(9):
        await world.step(implement, StepOutcome.TESTS_RED)
    assert await world.step(implement) == Done()
    assert await world.play(guard) == Done()


async def test_hostile_reports_fit_into_the_status() -> None:
    world = await at(analyse)
    await world.step(analyse, analysis=an_analysis(reason="\u202e" + "x\n" * 500))
    await world.step(plan, plan=a_plan(summary="y\x00" * 500, files=tuple(f"{n}/" + "z" * 900 for n in range(200))))
    kept = world.run.status.plan
    assert kept is not None
    assert len(kept.files) == 50
    assert len(world.run.dump()["status"]) > 0


async def test_a_step_that_cannot_be_told_all_of_it_ends_the_run() -> None:
    world = await at(plan)
    told = tuple(PlanStep(title="t", detail="x" * 150_000) for _ in range(2))
    await world.step(plan, plan=a_plan(steps=told))
    with pytest.raises(Terminal, match=r"implement-1 cannot be told all of it \(plan: .*200000\): split the issue"):
        await world.play(implement)
    assert world.runner.started == {} or "web-7-1-implement-1" not in world.runner.started


async def test_the_next_attempt_is_told_of_a_command_of_any_length() -> None:
    world = await at(implement)
    red = replace(a_test_run(1), command="x" * 100_000)
    await world.step(implement, StepOutcome.TESTS_RED, tests=(red,))
    await world.play(implement)
    [feedback] = world.runner.started["web-7-1-implement-2"].feedback
    assert feedback.source.startswith("web-7-1-implement-1: xxx")
    assert len(feedback.source) == 1_000


async def test_what_reads_a_report_tells_one_without_a_digest() -> None:
    world = await at(guard)
    step = world.run.status.steps[-1].model_copy(update={"output_digest": None})
    with pytest.raises(Terminal, match="has no report"):
        await read_report(world.context(), step)
    assert isinstance(a_report("web-7-1-plan-1"), StepReport)


async def test_the_steps_of_an_operator_that_is_too_old_are_given_up() -> None:
    world = await at(implement)
    await world.play(implement)
    await forsake(world.context())
    assert world.runner.cancelled == ["web-7-1-implement-1"]
    assert await world.step(implement) == Done()
    last = world.run.status.steps[-2:]
    assert [(step.state, step.reason) for step in last] == [
        (StepState.LOST, "OtherVersion"),
        (StepState.SUCCEEDED, "Done"),
    ]
    assert world.run.status.attempts.implement == 1


async def test_a_bundle_is_made_once_for_steps_on_the_same_commits() -> None:
    world = await at(implement)
    await world.play(implement)
    given = [await read_input(world.context(), step) for step in world.run.status.steps]
    assert [step.stage for step in given] == ["Analyse", "Plan", "Implement"]
    assert len({step.bundle for step in given}) == 1
    assert len(world.git.bundled) == 1


async def test_a_bundle_is_made_anew_when_the_step_before_failed_or_its_input_is_gone() -> None:
    world = await at(plan)
    analysed = world.run.status.steps[-1]
    world.artifacts.lost.add(analysed.input_digest or "")
    await world.play(plan)
    assert len(world.git.bundled) == 2
    world.run.status.steps[-1].state = StepState.FAILED
    await world.play(plan)
    assert len(world.git.bundled) == 3
