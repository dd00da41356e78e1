"""Gates: what an approval stays good for, what asks anew, and what happens when it no longer stands just before its act."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from tests.builders import a_plan, a_repo, a_test_run, an_analysis, sha
from tests.unit.stages.world import World

from orch.api.v1alpha1 import ApprovalOutcome, Risk
from orch.api.work import ExpectedRisk
from orch.errors import NeedsHuman, PolicyDenied, Terminal
from orch.stages import Again, Done, Waiting
from orch.stages.analyse import analyse
from orch.stages.guard import guard
from orch.stages.implement import implement
from orch.stages.merge import merge
from orch.stages.plan import plan
from orch.stages.publish import publish
from orch.stages.update import bring_up_to_date

ALWAYS: dict[str, Any] = {"approvals": {"gates": [{"gate": "Merge", "when": "Always"}]}}
APPROVED = ApprovalOutcome.APPROVED


def asked(world: World) -> list[str]:
    """The names of all questions so far."""
    return list(world.records.asked)


def outcomes(world: World) -> list[ApprovalOutcome | None]:
    return [approval.status.outcome for approval in world.records.asked.values()]


async def waiting_at_merge(**spec: Any) -> World:
    """A pull request is open, and people are asked whether it may be merged."""
    world = World(a_repo(**ALWAYS, **spec))
    await world.reach(merge)
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.reason == "AwaitingApproval"
    return world


async def base_moves(world: World, *, word: str = "newer") -> None:
    """The base branch gets a commit, and orch merges it into its own."""
    world.git.parents[sha(word)] = (world.git.branches["main"],)
    world.git.branches["main"] = sha(word)
    assert await bring_up_to_date(world.context()) == Again()


async def test_people_are_told_each_reason_of_the_risk_what_was_tested_and_what_the_models_think() -> None:
    world = World(a_repo(approvals={"gates": [{"gate": gate, "when": "Always"} for gate in ("Plan", "Publish")]}))
    await world.reach(analyse)
    await world.step(analyse, analysis=an_analysis(risk=ExpectedRisk.HIGH, reason="It is about\n  money."))
    await world.step(plan, plan=a_plan(summary="Set the fee."))
    expected = "High: the model that analysed the issue expects it"
    asked_plan = next(iter(world.records.asked.values())).spec
    assert (asked_plan.risk, asked_plan.review.risk_reasons) == (Risk.HIGH, [expected])
    world.decide(APPROVED)
    await world.play(plan)
    counted = msgspec.structs.replace(a_test_run(), passed=10**12, failed=0, flaky=("a\n", *map(str, range(20))))
    await world.step(implement, tests=(a_test_run(), counted))
    await world.play(guard)
    assert world.run.status.change is not None
    assert world.run.status.change.flaky_tests == ["a", *map(str, range(8)), "… and 12 more"]
    await world.play(publish)
    review = list(world.records.asked.values())[-1].spec.review
    assert expected in review.risk_reasons
    assert (review.tests_passed, review.tests_failed) == (1_000_000_000, 0)
    assert review.model_assessment == (
        "Analysis (complexity 2 of 10, 90 % sure, expected risk High): It is about money.\nPlan (90 % sure): Set the fee."
    )


async def test_a_gate_that_asks_nobody_says_why() -> None:
    world = World(a_repo(approvals={"autoApproveUpTo": "Medium"}))
    await world.reach(merge)
    noted = {entry.gate.value: (entry.outcome.value, entry.name, entry.reason) for entry in world.run.status.approvals}
    assert noted["Publish"] == ("NotRequired", "", "the risk is Low, and up to Medium no person is asked")


async def test_tests_that_nobody_counted_are_not_told_as_none() -> None:
    world = World(a_repo(**ALWAYS))
    await world.reach(merge)
    await world.play(merge)
    review = next(iter(world.records.asked.values())).spec.review
    assert (review.tests_passed, review.tests_failed) == (None, None)


async def test_while_people_are_asked_every_other_gate_is_told_and_nothing_is_done_about_it() -> None:
    world = await waiting_at_merge()
    opened = {gate.name: gate.passed for gate in world.run.status.merge_gates}
    assert [name for name, passed in opened.items() if not passed] == ["Approval"]
    pull = world.forge.pulls[0]
    world.forge.pulls[0] = replace(pull, draft=True, mergeable=False, mergeable_state="dirty")
    acts = list(world.acts.made)
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.reason == "AwaitingApproval"
    closed = [gate.name for gate in world.run.status.merge_gates if not gate.passed]
    assert closed == ["Conflict", "Blocker", "Approval"]
    assert world.acts.made == acts


async def test_while_people_are_asked_the_world_is_looked_at_once_in_five_minutes() -> None:
    world = await waiting_at_merge()
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.retry_after == timedelta(minutes=5)


async def test_what_github_had_still_to_compute_while_people_were_asked_is_looked_at_soon_once_they_have_answered() -> (
    None
):
    world = await waiting_at_merge()
    world.forge.set_pull(mergeable=None)
    await world.play(merge)
    world.clock.forward(timedelta(hours=3))
    world.decide(APPROVED)
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.retry_after) == ("AwaitingChecks", timedelta(seconds=1))


async def test_a_merge_of_the_base_branch_stays_approved() -> None:
    world = await waiting_at_merge()
    world.decide(APPROVED)
    before = world.head
    await base_moves(world)
    await base_moves(world, word="newest")
    assert world.head != before
    assert await world.play(publish) == Done()
    await world.play(merge)
    assert len(asked(world)) == 1
    assert [pull.state for pull in world.forge.pulls] == ["merged"]
    assert world.acts.made.count("merge") == 1


async def test_a_commit_beside_the_merge_of_the_base_branch_asks_anew() -> None:
    world = await waiting_at_merge()
    world.decide(APPROVED)
    await base_moves(world)
    head = world.head
    sneaked = sha("sneaked in")
    world.git.trees[sneaked], world.git.parents[sneaked] = world.git.trees[head], (head,)
    world.run.status.branch.head_sha = sneaked  # type: ignore[union-attr]
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.reason == "AwaitingApproval"
    assert outcomes(world) == [ApprovalOutcome.SUPERSEDED, None]
    assert "merge" not in world.acts.made


async def test_nobody_is_asked_about_a_change_that_cannot_be_shown_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    every = [{"gate": gate, "when": "Always"} for gate in ("Publish", "Merge")]
    world = World(a_repo(approvals={"gates": every}, guards={"rules": [{"guard": "LargeChange", "action": "Allow"}]}))

    async def long(*_: Any, **__: Any) -> str:
        return "+" * 900_001

    monkeypatch.setattr(world.git, "patch", long)
    await world.reach(guard)
    with pytest.raises(PolicyDenied, match=r"guard LargeChange refuses .*people can be shown 900000: split the issue"):
        await world.play(guard)
    assert asked(world) == []
    assert world.acts.made.count("push") == 0


async def test_a_gate_is_asked_five_times_and_no_more() -> None:
    world = await waiting_at_merge()
    for number in range(2, 6):
        head = world.run.status.branch.head_sha = sha(f"moved {number}")  # type: ignore[union-attr]
        world.git.trees[head] = head
        outcome = await world.play(merge)
        assert isinstance(outcome, Waiting)
        assert len(asked(world)) == number
    assert outcomes(world) == [*[ApprovalOutcome.SUPERSEDED] * 4, None]
    world.run.status.branch.head_sha = sha("moved 6")  # type: ignore[union-attr]
    with pytest.raises(NeedsHuman, match="gate Merge was asked 5 times and its content moved each time") as raised:
        await world.play(merge)
    assert raised.value.reason == "SubjectKeepsMoving"
    assert len(asked(world)) == 5
    assert "merge" not in world.acts.made


async def test_a_merge_that_changes_the_change_asks_anew() -> None:
    world = await waiting_at_merge()
    world.decide(APPROVED)
    await base_moves(world)
    world.git.trees[world.head] = "something else"
    await world.play(merge)
    assert outcomes(world) == [ApprovalOutcome.SUPERSEDED, None]


async def test_an_approval_that_does_not_stand_any_more_is_open_again() -> None:
    world = await waiting_at_merge()
    name = world.decide(APPROVED)
    world.records.lapsed.add(name)
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.reason == "AwaitingApproval"
    assert outcomes(world) == [ApprovalOutcome.PENDING]
    assert "merge" not in world.acts.made
    world.records.lapsed.clear()
    world.decide(APPROVED)
    await world.play(merge)
    assert world.acts.made.count("merge") == 1


async def test_an_approval_that_is_too_old_at_the_last_moment_is_not_used() -> None:
    world = await waiting_at_merge()
    name = world.decide(APPROVED)
    until = world.records.asked[name].status.valid_until
    assert until is not None
    world.clock.forward(until - world.clock() - timedelta(seconds=1))
    real, calls = world.clock.__call__, iter(range(100))

    def ticking() -> Any:  # every look at the clock takes a second
        world.clock.forward(timedelta(seconds=next(calls) > 3))
        return real()

    context = world.context()
    context.clock = ticking
    outcome = await merge(context)
    assert isinstance(outcome, Waiting)
    assert "does not stand any more" in outcome.message
    assert "merge" not in world.acts.made
    assert world.records.asked[name].status.consumed_time is None


async def test_an_approval_is_used_once_and_says_when() -> None:
    world = await waiting_at_merge()
    name = world.decide(APPROVED)
    await world.play(merge)
    assert world.records.asked[name].status.consumed_time == world.clock()


async def test_a_deleted_approval_is_asked_for_again() -> None:
    world = await waiting_at_merge()
    world.decide(APPROVED)
    before = asked(world)
    world.records.asked.clear()
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert asked(world) == before
    assert outcomes(world) == [None]


async def test_an_approval_of_something_else_under_the_name_is_nobodys() -> None:
    world = await waiting_at_merge()
    name = world.decide(APPROVED)
    approval = world.records.asked[name]
    other = approval.spec.subject.model_copy(update={"head_sha": sha("another head")})
    world.records.asked[name] = approval.model_copy(
        update={"spec": approval.spec.model_copy(update={"subject": other})}
    )
    with pytest.raises(Terminal, match="about something else"):
        await world.play(merge)
    assert "merge" not in world.acts.made


@pytest.mark.parametrize(
    ("match", "asks"),
    [
        ({"paths": ["zones/**"]}, True),
        ({"paths": ["docs/**"]}, False),
        ({"gates": ["Merge"], "minRisk": "Critical"}, False),
    ],
    ids=str,
)
async def test_a_rule_asks_by_the_paths_of_the_change(match: dict[str, Any], asks: bool) -> None:
    rules = [{"name": "zones", "match": match, "quorum": 2, "requiredGroups": ["geo"]}]
    world = World(a_repo(approvals={"rules": rules}))
    await world.settle()
    assert ("merge" in world.acts.made) is not asks
    policies = [approval.spec.policy for approval in world.records.asked.values()]
    assert [[rule.name for rule in policy.rules] for policy in policies] == ([["zones"]] if asks else [])
