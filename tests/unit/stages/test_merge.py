"""Update, Merge and Verify: everything is looked at again just before the one act that cannot be taken back."""

from datetime import timedelta

import pytest
from tests.builders import BASE, PULL, a_repo, a_review, sha
from tests.fakes.acts import Crash
from tests.fakes.forge import merged_as
from tests.unit.stages.world import World, at

from orch.api.v1alpha1 import ApprovalOutcome, MergeMethod, PullRequestState
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import NotMergeable, PolicyDenied, RateLimited
from orch.ports import BranchRules, Check, CheckState, StatusState
from orch.stages import Again, Done, Waiting
from orch.stages.checks import checks
from orch.stages.guard import guard
from orch.stages.merge import merge
from orch.stages.publish import publish
from orch.stages.review import review
from orch.stages.verify import verify

SUPERVISED = {"mode": "Supervised"}


def _reason(outcome: object) -> WaitingReason | None:
    return outcome.reason if isinstance(outcome, Waiting) else None


async def _merged(world: World) -> None:
    for stage in (publish, checks, review, merge, merge):
        outcome = await world.play(stage)
    assert outcome == Done()
    assert world.run.status.pull_request is not None
    assert world.run.status.pull_request.state is PullRequestState.MERGED


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"draft": True}, WaitingReason.AWAITING_HUMAN, id="a draft"),
        pytest.param({"mergeable": None}, WaitingReason.AWAITING_CHECKS, id="GitHub still computes"),
        pytest.param({"labels": frozenset({"hold"})}, WaitingReason.AWAITING_HUMAN, id="the blocker label"),
    ],
)
async def test_what_holds_the_merge_back(facts: dict[str, object], reason: WaitingReason) -> None:
    world = World(a_repo(merge={"blockerLabel": "hold"}))
    await world.reach(merge)
    world.forge.set_pull(**facts)
    assert _reason(await world.play(merge)) is reason
    assert "merge" not in world.acts.made


async def test_what_github_computes_anew_is_looked_at_soon_however_old_the_push_is() -> None:
    world = await at(merge)
    world.clock.forward(timedelta(hours=1))
    world.forge.set_pull(mergeable=None)
    soon = await world.play(merge)
    world.clock.forward(timedelta(minutes=5))
    later = await world.play(merge)
    assert isinstance(soon, Waiting)
    assert soon.retry_after == timedelta(seconds=1)
    assert isinstance(later, Waiting)
    assert later.retry_after == timedelta(seconds=30), "a tenth of the wait, as elsewhere"
    world.forge.set_pull(mergeable=True)
    assert await world.play(merge) == Waiting(None, "merged", timedelta(0))


async def test_a_rule_that_github_hides_is_told_that_we_are_ready_and_asked_again() -> None:
    world = await at(merge)
    world.forge.set_pull(mergeable_state="blocked")
    assert await world.play(merge) == Waiting(
        None, "the branch rules are asked again, now that orch has said yes", timedelta(0)
    )
    assert [said.state for _, _, said in world.forge.statuses][-1] is StatusState.SUCCESS
    for _ in range(2):
        outcome = await world.play(merge)
        assert _reason(outcome) is WaitingReason.AWAITING_HUMAN
    assert len(world.forge.statuses) == 2, "what stands is not said again"
    assert "merge" not in world.acts.made


async def test_our_own_status_is_not_waited_for_and_is_given_before_the_merge_where_rules_require_it() -> None:
    world = await at(publish)
    world.forge.rules = BranchRules(required_checks=frozenset({"Orch", "build"}))
    for stage in (publish, checks, review):
        assert await world.play(stage) == Done()
    assert (await world.play(merge)) == Waiting(
        None, "the branch rules are asked again, now that orch has said yes", timedelta(0)
    )
    assert "merge" not in world.acts.made
    assert await world.play(merge) == Waiting(None, "merged", timedelta(0))
    assert [said.state for _, _, said in world.forge.statuses] == [StatusState.PENDING, StatusState.SUCCESS]


async def test_a_merge_is_refused_for_our_word_alone_gets_it() -> None:
    world = await at(merge)
    world.acts.refused["merge"] = NotMergeable("NotMergeable", 'Required status check "orch" is expected.')
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.retry_after == timedelta(seconds=2)
    assert [said.state for _, _, said in world.forge.statuses][-1] is StatusState.SUCCESS


async def test_a_freeze_holds_the_merge_back() -> None:
    freeze = {"name": "now", "schedule": "0 0 * * *", "duration": "23h"}
    world = World(a_repo(merge={"freezes": [freeze]}))
    await world.reach(merge)
    assert _reason(await world.play(merge)) is WaitingReason.MERGE_FROZEN
    world.clock.forward(timedelta(hours=11, minutes=30))
    assert await world.play(merge) == Waiting(None, "merged", timedelta(0))


async def test_every_gate_is_recorded_with_since_when_it_stands_so() -> None:
    world = World(a_repo(merge={"blockerLabel": "hold"}))
    await world.reach(merge)
    world.forge.set_pull(labels=frozenset({"hold"}), mergeable=None)
    first = world.clock.now
    await world.play(merge)
    recorded = world.run.status.merge_gates
    assert [gate.name for gate in recorded if not gate.passed] == ["Conflict", "Blocker"]
    assert "".join(gate.name[0] for gate in recorded) == "HCCRUBFAB", "all nine, in their order"
    assert {gate.since for gate in recorded} == {first}

    world.clock.forward(timedelta(minutes=1))
    await world.play(merge)
    assert world.run.status.merge_gates == recorded, "nothing new is nothing to write"

    world.forge.set_pull(labels=frozenset({"hold"}), mergeable=True)
    await world.play(merge)
    since = {gate.name: (gate.passed, gate.since) for gate in world.run.status.merge_gates}
    assert since["Conflict"] == (True, first + timedelta(minutes=1))
    assert since["Blocker"] == (False, first)


async def test_a_check_that_turned_red_since_is_looked_at_again() -> None:
    world = await at(merge)
    world.forge.fail_checks(world.head)
    assert await world.play(merge) == Again()
    assert world.run.status.checks is None


async def test_a_check_that_was_cut_short_since_runs_again() -> None:
    world = await at(merge)
    cut_short = Check("build", CheckState.INTERRUPTED, id=1, ending="cancelled", can_rerun=True)
    world.forge.checked[world.head] = (cut_short,)
    assert await world.play(merge) == Again()
    gate = next(gate for gate in world.run.status.merge_gates if gate.name == "Checks")
    assert (gate.reason, gate.message) == (
        "ChecksInterrupted",
        "1 of 1 checks ended without a verdict: build (cancelled)",
    )
    assert isinstance(await world.play(checks), Waiting)
    assert world.acts.made.count("rerun_check") == 1


async def test_somebody_asked_for_changes_in_the_last_moment() -> None:
    world = await at(merge)
    world.forge.reviewed = [a_review("CHANGES_REQUESTED")]
    assert await world.play(merge) == Again()


async def test_a_commit_that_is_not_ours_is_not_merged() -> None:
    world = await at(merge)
    assert world.run.status.branch is not None
    world.forge.branches[world.run.status.branch.name or ""] = sha("theirs")
    assert _reason(await world.play(merge)) is WaitingReason.TAKEN_OVER


async def test_people_are_asked_about_exactly_this_change() -> None:
    world = World(a_repo(**SUPERVISED))
    await world.reach(merge)
    assert _reason(await world.play(merge)) is WaitingReason.AWAITING_APPROVAL
    [approval] = world.records.asked.values()
    assert approval.spec.subject.head_sha == world.head
    assert approval.spec.subject.pull_request_number == PULL
    assert approval.spec.review.artifact is not None
    assert approval.spec.review.artifact.name in world.records.documents
    name = world.decide(ApprovalOutcome.APPROVED)
    await _merged(world)
    assert world.records.asked[name].status.consumed_time is not None


async def test_a_denial_ends_the_run() -> None:
    world = World(a_repo(**SUPERVISED))
    await world.reach(merge)
    await world.play(merge)
    world.decide(ApprovalOutcome.DENIED)
    with pytest.raises(PolicyDenied, match="was denied"):
        await world.play(merge)
    assert "merge" not in world.acts.made


async def test_an_approval_that_vanishes_before_the_act_stops_it() -> None:
    world = World(a_repo(**SUPERVISED))
    await world.reach(merge)
    await world.play(merge)
    name = world.decide(ApprovalOutcome.APPROVED)
    del world.records.asked[name]
    assert _reason(await world.play(merge)) is WaitingReason.AWAITING_APPROVAL
    assert "merge" not in world.acts.made


async def test_what_github_refuses_is_looked_at_again() -> None:
    world = await at(merge)
    world.acts.refused["merge"] = NotMergeable("NotMergeable", "2 of 2 required status checks are expected")
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert "required status checks" in outcome.message
    world.acts.heal()
    await world.play(checks)
    assert await world.play(merge) == Waiting(None, "merged", timedelta(0))


async def test_a_limit_leaves_no_trace() -> None:
    world = await at(merge)
    world.acts.refused["merge"] = RateLimited("wait", retry_at=world.clock())
    with pytest.raises(RateLimited):
        await world.play(merge)
    assert [effect.key for effect in world.run.status.effects if effect.key.startswith("merge/")] == []


# --- the base branch moves -------------------------------------------------------------------------------------------


def _base_moves(world: World, name: str = "newer") -> str:
    world.forge.branches["main"] = sha(name)
    return sha(name)


@pytest.mark.parametrize("how", ["rules", "policy"])
async def test_a_base_that_moved_is_merged_in_where_that_is_demanded(how: str) -> None:
    world = World(a_repo(merge={"upToDate": "Always"} if how == "policy" else {}))
    await world.reach(merge)
    world.forge.rules = BranchRules(up_to_date=how == "rules")
    before, base = world.head, _base_moves(world)
    assert await world.play(merge) == Again()
    assert world.git.parents[world.head] == (before, base)
    await _merged(world)
    assert world.acts.made.count("push") == 2


async def test_a_base_that_moved_is_left_alone_where_nobody_demands_it() -> None:
    world = await at(merge)
    _base_moves(world)
    await _merged(world)
    assert world.acts.made.count("push") == 1


async def test_an_update_that_leaves_the_change_as_it_is_keeps_its_approvals() -> None:
    gates = {"gates": [{"gate": gate, "when": "Always"} for gate in ("Publish", "Merge")]}
    world = World(a_repo(approvals=gates))
    await world.reach(publish)
    await world.play(publish)
    world.decide(ApprovalOutcome.APPROVED)
    await world.reach(merge)
    await world.play(merge)
    world.decide(ApprovalOutcome.APPROVED)
    world.forge.rules = BranchRules(up_to_date=True)
    _base_moves(world)
    assert await world.play(merge) == Again()
    await _merged(world)
    assert len(world.records.asked) == 2


async def test_an_update_that_touches_the_change_is_judged_and_asked_anew() -> None:
    world = World(a_repo(**SUPERVISED))
    await world.reach(merge)
    await world.play(merge)
    world.decide(ApprovalOutcome.APPROVED)
    world.forge.rules, world.git.mixes = BranchRules(up_to_date=True), True
    before = world.run.status.change
    _base_moves(world)
    assert await world.play(merge) == Again()
    for stage in (publish, checks, review):
        assert await world.play(stage) == Done()
    assert _reason(await world.play(merge)) is WaitingReason.AWAITING_APPROVAL
    after = world.run.status.change
    assert before is not None
    assert after is not None
    assert after.digest != before.digest
    assert [approval.status.outcome for approval in world.records.asked.values()] == [ApprovalOutcome.SUPERSEDED, None]
    assert [name for name in world.records.documents if "-diff-update-" in name]


async def test_an_update_that_a_guard_forbids_is_not_pushed() -> None:
    world = await at(merge)
    world.forge.rules, world.git.mixes = BranchRules(up_to_date=True), True
    world.repo = a_repo(guards={"protectedPaths": ["zones/**"]})
    _base_moves(world)
    with pytest.raises(PolicyDenied):
        await world.play(merge)
    assert world.acts.made.count("push") == 1


async def test_a_late_word_of_github_makes_no_second_merge() -> None:
    world = await at(merge)
    world.forge.set_pull(mergeable_state="behind")
    world.forge.rules = BranchRules(up_to_date=True)
    before = world.head
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert "does not show yet" in outcome.message
    assert world.head == before


async def test_a_conflict_goes_to_the_agent() -> None:
    world = await at(merge)
    world.forge.set_pull(mergeable=False, mergeable_state="dirty")
    before, base = world.head, _base_moves(world)
    assert await world.step(merge) == Again()
    assert world.runner.started["web-7-1-conflict-1"].merge_sha == base
    assert await world.play(guard) == Done()
    assert world.git.parents[world.head] == (before, base)
    world.forge.set_pull(mergeable=True, mergeable_state="clean")
    await _merged(world)
    assert world.run.status.attempts.conflict_fix == 1


async def test_an_update_that_conflicts_goes_to_the_agent_too() -> None:
    world = await at(merge)
    world.forge.rules = BranchRules(up_to_date=True)
    world.git.conflicts.add(_base_moves(world))
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert "conflict-1 runs" in outcome.message


async def test_out_of_conflict_fixes_a_person_is_asked() -> None:
    world = World(a_repo(pipeline={"attempts": {"conflictFix": 0}}))
    await world.reach(merge)
    world.forge.set_pull(mergeable=False, mergeable_state="dirty")
    outcome = await world.play(merge)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is WaitingReason.AWAITING_HUMAN
    assert "push a fix and kubectl orch resume" in outcome.message


# --- after the merge -------------------------------------------------------------------------------------------------


async def test_the_point_of_return_names_the_merge() -> None:
    world = await at(verify)
    head = world.head
    assert await world.play(verify) == Done()
    [point] = world.records.points.values()
    assert point.metadata.name == f"web-{PULL}"
    assert point.spec.merge.method is MergeMethod.SQUASH
    assert (point.spec.merge.sha, point.spec.merge.parent_sha) == (merged_as(head), BASE)


async def test_a_merge_by_a_person_is_recorded_as_theirs() -> None:
    world = await at(merge)
    world.forge.set_pull(state="merged", merge_sha=sha("theirs"), head_sha=world.head)
    assert await world.look() is None
    assert await world.play(merge) == Done()
    assert await world.play(verify) == Done()
    [point] = world.records.points.values()
    assert point.spec.merge.method is MergeMethod.UNKNOWN


async def test_a_branch_that_policy_keeps_or_a_person_took_is_not_deleted() -> None:
    world = World(a_repo(merge={"deleteBranch": False}))
    await world.reach(verify)
    await world.play(verify)
    assert "delete_branch" not in world.acts.made
    taken = await at(verify)
    assert taken.run.status.branch is not None
    taken.run.status.branch.taken_over = True
    await taken.play(verify)
    assert "delete_branch" not in taken.acts.made


async def test_a_crash_between_the_point_and_the_branch_leaves_one_of_each() -> None:
    world = await at(verify)
    world.acts.crash_after = "record_rollback_point"
    with pytest.raises(Crash):
        await world.play(verify)
    world.acts.heal()
    assert await world.play(verify) == Done()
    assert len(world.records.points) == 1
