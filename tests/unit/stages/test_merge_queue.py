"""A branch that a merge queue merges: put in once, watched there, taken out when people hold it back, and not for ever."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests.builders import PULL, a_repo, a_review, sha
from tests.fakes.acts import Crash
from tests.fakes.forge import merged_as
from tests.unit.stages.world import World

from orch.api.v1alpha1 import ApprovalOutcome, EffectState, MergeMethod
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import NotMergeable
from orch.ports import BranchRules, StatusState
from orch.stages import Done, Waiting
from orch.stages.effects import find_effect

QUEUE = BranchRules(merge_queue=True, queue_method="Rebase", up_to_date=True)
HOUR = timedelta(hours=1)


async def a_world(rules: BranchRules = QUEUE, **spec: Any) -> World:
    world = World(a_repo(**spec))
    world.forge.rules = rules
    return world


async def queued(rules: BranchRules = QUEUE, **spec: Any) -> World:
    """A run whose pull request stands in the queue."""
    world = await a_world(rules, **spec)
    await world.settle()
    if spec.get("mode") == "Supervised":
        world.decide(ApprovalOutcome.APPROVED)
        await world.settle()
    assert world.acts.made.count("enqueue") == 1
    assert world.forge.place.entry is not None
    return world


def waits(outcome: object) -> tuple[WaitingReason | None, str]:
    assert isinstance(outcome, Waiting), outcome
    return outcome.reason, outcome.message


def queue(world: World) -> Any:
    pull = world.run.status.pull_request
    assert pull is not None
    return pull.queue


async def test_github_merges_what_was_put_in_once() -> None:
    world = await queued()
    assert waits(await world.reconcile()) == (
        WaitingReason.AWAITING_CHECKS,
        f"#{PULL} is number 1 in the merge queue of main: GitHub merges it when it is green there",
    )
    world.forge.stand(position=3)
    assert "number 3" in waits(await world.reconcile())[1]
    assert queue(world).position == 3
    world.forge.give_back("merged")
    assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_CHECKS, "the merge does not show yet"
    merged = merged_as(world.head)
    world.forge.set_pull(state="merged", merge_sha=merged, head_sha=world.head)
    assert await world.settle() == Done()
    assert world.acts.made.count("enqueue") == 1
    assert "merge" not in world.acts.made
    (point,) = world.records.points.values()
    assert (point.spec.merge.method, point.spec.merge.sha) == (MergeMethod.REBASE, merged), "as the queue's rule says"


async def test_a_look_writes_nothing_while_nothing_moves() -> None:
    world = await queued()
    await world.reconcile()
    writes = world.writes
    for _ in range(3):
        await world.reconcile()
    assert world.writes == writes


async def test_where_policy_leaves_the_queue_to_people_it_is_not_entered() -> None:
    world = await a_world(merge={"queue": "Disabled"})
    reason, message = waits(await world.settle())
    assert reason is WaitingReason.AWAITING_HUMAN
    assert "a person has to merge" in message
    assert "enqueue" not in world.acts.made


async def test_without_such_a_rule_nobody_asks_about_a_queue() -> None:
    world = await a_world(BranchRules())

    async def asked(_: int) -> Any:
        raise AssertionError("a question that costs quota")

    world.forge.queue_place = asked  # type: ignore[method-assign]
    assert await world.settle() == Done()
    assert "merge" in world.acts.made


class TestHeldBack:
    """What people hold back leaves the queue, and comes back when they let it go."""

    async def out_and_in_again(self, world: World, release: Any) -> None:
        assert world.forge.place.entry is None
        assert world.acts.made.count("dequeue") == 1
        await world.reconcile()
        assert world.acts.made.count("dequeue") == 1, "it is taken out once"
        release()
        await world.settle()
        assert world.forge.place.entry is not None
        assert world.acts.made.count("enqueue") == 2
        assert queue(world).removals == 0, "that was our own doing"

    async def test_by_suspending_the_run(self) -> None:
        world = await queued()
        world.order(suspend=True)
        assert waits(await world.reconcile())[0] is WaitingReason.SUSPENDED
        await self.out_and_in_again(world, lambda: world.order(suspend=False))

    async def test_by_the_blocker_label(self) -> None:
        world = await queued(merge={"blockerLabel": "hold"})
        world.forge.set_pull(labels=frozenset({"hold"}))
        reason, message = waits(await world.reconcile())
        assert (reason, "holds the merge back" in message) == (WaitingReason.AWAITING_HUMAN, True)
        await self.out_and_in_again(world, lambda: world.forge.set_pull(labels=frozenset()))

    async def test_by_the_blocker_label_when_it_is_too_late(self) -> None:
        world = await queued(merge={"blockerLabel": "hold"})
        world.forge.set_pull(labels=frozenset({"hold"}))
        world.forge.give_back("merged")
        await world.reconcile()
        world.forge.set_pull(state="merged", merge_sha=merged_as(world.head), head_sha=world.head)
        assert await world.settle() == Done()
        assert "dequeue" not in world.acts.made
        (point,) = world.records.points.values()
        assert point.spec.merge.method is MergeMethod.REBASE, "it is still our merge"

    async def test_by_closing_the_issue(self) -> None:
        world = await queued()
        issue = world.forge.issue
        world.forge.edit_issue(world.clock(), state="closed")
        assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_HUMAN

        def reopen() -> None:
            world.forge.issue = issue

        await self.out_and_in_again(world, reopen)

    async def test_by_asking_for_changes(self) -> None:
        world = await queued()
        world.forge.reviewed.append(a_review("CHANGES_REQUESTED", sha=world.head))
        await world.reconcile()
        assert world.forge.place.entry is None, "before anything is pushed"

    async def test_by_an_approval_that_is_gone(self) -> None:
        world = await queued(mode="Supervised")
        assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_CHECKS
        world.records.asked.clear()
        assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_APPROVAL
        assert world.forge.place.entry is None

    async def test_by_an_approval_that_does_not_stand_when_it_is_counted_again(self) -> None:
        world = await queued(mode="Supervised")
        name = world.decide(ApprovalOutcome.APPROVED)
        world.records.lapsed.add(name)
        assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_APPROVAL
        assert world.forge.place.entry is None

    async def test_but_not_what_a_person_has_put_in(self) -> None:
        world = await a_world(merge={"blockerLabel": "hold"})
        await world.settle()
        world.forge.give_back("manual")
        world.forge.stand()
        world.forge.set_pull(labels=frozenset({"hold"}))
        await world.settle()
        assert world.forge.place.entry is not None
        assert "dequeue" not in world.acts.made

    @pytest.mark.parametrize("how", ["lost", "late"])
    async def test_also_when_the_answer_was_lost(self, how: str) -> None:
        world = await a_world()
        setattr(world.acts, how, "enqueue")
        for _ in range(30):
            await world.settle(rounds=1)
            if any(effect.key.startswith("merge/") for effect in world.run.status.effects):
                break
        effect = find_effect(world.run, f"merge/{world.head}")
        assert effect is not None
        assert effect.state is EffectState.UNKNOWN
        world.clock.forward(effect.time - world.clock())
        world.order(suspend=True)
        await world.reconcile()
        world.acts.land()
        world.acts.heal()
        for _ in range(4):
            world.clock.forward(timedelta(minutes=2))
            await world.reconcile()
        assert world.forge.place.entry is None
        assert find_effect(world.run, f"merge/{world.head}") is None

    @pytest.mark.parametrize("how", ["crash_before", "crash_after", "lost"])
    async def test_and_let_go_before_anybody_knows_whether_it_came_out(self, how: str) -> None:
        world = await queued()
        world.order(suspend=True)
        setattr(world.acts, how, "dequeue")
        try:
            await world.reconcile()
        except Crash:
            assert how.startswith("crash")
        world.acts.heal()
        is_out = world.forge.place.entry is None
        assert is_out is (how != "crash_before")
        world.order(suspend=False)
        for _ in range(3):
            await world.settle()
        assert world.forge.place.entry is not None
        assert world.acts.made.count("enqueue") == (2 if is_out else 1)
        assert queue(world).removals == 0, "that was our own doing"
        world.clock.forward(timedelta(minutes=2))
        world.order(suspend=True)
        for _ in range(4):
            world.clock.forward(timedelta(minutes=2))
            await world.reconcile()
        assert world.forge.place.entry is None, "it can be held back once more"

    async def test_and_waits_while_github_does_not_let_it_out(self) -> None:
        world = await queued()
        world.order(suspend=True)
        world.acts.refused["dequeue"] = NotMergeable("NotMergeable", "is being merged")
        reason, message = waits(await world.reconcile())
        assert (reason, f"does not let #{PULL} out" in message) == (None, True)
        world.forge.set_pull(state="merged", merge_sha=merged_as(world.head), head_sha=world.head)
        world.order(suspend=False)
        assert await world.settle() == Done()


class TestGivenBack:
    """The queue lets it go unmerged: told, tried again for a reason, bounded."""

    async def test_red_checks_there_are_told_and_do_not_loop(self) -> None:
        world = await queued()
        world.forge.fail_checks(sha("group"))
        world.forge.give_back("failed_checks", sha("group"))
        reason, message = waits(await world.settle())
        assert reason is WaitingReason.AWAITING_HUMAN
        assert "its checks failed there, on the merge with what was in front of it (build)" in message
        assert "Merge when ready" in message
        for _ in range(5):
            world.clock.forward(HOUR)
            await world.settle()
        assert world.acts.made.count("enqueue") == 1
        assert (queue(world).removals, queue(world).reason, queue(world).position) == (1, "failed_checks", None)

    async def test_the_base_branch_is_merged_in_as_soon_as_it_has_moved_and_it_enters_as_a_new_head(self) -> None:
        world = await queued()
        before = world.head
        world.forge.give_back("failed_checks")
        await world.settle()
        world.forge.branches["main"] = sha("newer")
        for _ in range(2):
            await world.settle()
        assert world.head != before
        assert world.acts.made.count("enqueue") == 2
        assert world.forge.place.entry is not None

    async def test_a_reason_that_is_not_its_own_lets_it_enter_again_but_not_for_ever(self) -> None:
        world = await queued()
        for _ in range(5):
            if world.forge.place.entry is not None:
                world.forge.give_back("queue_cleared")
            await world.settle()
        assert world.acts.made.count("enqueue") == 3
        assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_HUMAN

    async def test_what_a_person_took_out_stays_out(self) -> None:
        world = await queued()
        world.forge.give_back("manual")
        reason, message = waits(await world.settle())
        assert (reason, "somebody took it out" in message) == (WaitingReason.AWAITING_HUMAN, True)
        assert world.acts.made.count("enqueue") == 1

    async def test_its_checks_are_looked_at_again(self) -> None:
        world = await queued()
        world.forge.give_back("failed_checks")
        world.forge.fail_checks(world.head)
        for _ in range(2):
            await world.reconcile()
        assert world.run.status.steps[-1].stage.value == "Checks", "a red head goes to the agent"

    async def test_an_entry_that_is_gone_without_a_word_is_given_a_moment(self) -> None:
        world = await queued()
        await world.reconcile()
        world.forge.place = type(world.forge.place)()
        assert waits(await world.reconcile())[0] is WaitingReason.AWAITING_CHECKS
        assert waits(await world.settle())[0] is WaitingReason.AWAITING_HUMAN
        assert queue(world).reason == "untold"


@pytest.mark.parametrize("moment", ["crash_before", "crash_after", "lost"])
async def test_a_lost_answer_makes_no_second_entry(moment: str) -> None:
    world = await a_world()
    setattr(world.acts, moment, "enqueue")
    try:
        await world.settle(rounds=20)
    except Crash:
        assert moment.startswith("crash")
    world.acts.heal()
    for _ in range(4):
        world.clock.forward(timedelta(minutes=2))
        await world.settle()
    assert world.acts.made.count("enqueue") == 1
    assert "number 1" in waits(await world.reconcile())[1]


async def test_one_that_was_given_back_before_its_answer_was_read_is_not_put_in_again() -> None:
    world = await a_world()
    world.acts.crash_after = "enqueue"
    with pytest.raises(Crash):
        await world.settle(rounds=20)
    world.acts.heal()
    world.forge.give_back("failed_checks")
    world.clock.forward(timedelta(minutes=2))
    await world.settle()
    assert waits(await world.settle())[0] is WaitingReason.AWAITING_HUMAN
    assert world.acts.made.count("enqueue") == 1


async def test_what_github_refuses_to_let_in_is_looked_at_again() -> None:
    world = await a_world()
    world.acts.refused["enqueue"] = NotMergeable("NotMergeable", "Pull request Required workflow 'x' is not satisfied")
    reason, message = waits(await world.settle())
    assert (reason, "Required workflow" in message) == (WaitingReason.AWAITING_HUMAN, True)
    assert find_effect(world.run, f"merge/{world.head}") is None


async def test_an_entry_of_somebody_elses_is_waited_for() -> None:
    world = await a_world()
    world.forge.stand()
    assert "somebody else" in waits(await world.settle())[1]
    assert "enqueue" not in world.acts.made


async def test_a_required_status_of_ours_is_said_on_the_merge_that_is_tested() -> None:
    world = await queued(BranchRules(merge_queue=True, required_checks=frozenset({"orch"})))
    groups = [sha("first group"), sha("second group")]
    for group in groups:
        world.forge.stand(group=group)
        for _ in range(2):
            await world.reconcile()
    said = [(commit, status.state) for commit, _, status in world.forge.statuses if commit in groups]
    assert said == [(group, StatusState.SUCCESS) for group in groups]


async def test_nothing_is_said_there_that_no_rule_asks_for() -> None:
    world = await queued()
    group = sha("group")
    world.forge.stand(group=group)
    await world.reconcile()
    assert group not in [commit for commit, _, _ in world.forge.statuses]
