"""Guard and Publish: a change is judged as data before it leaves, and no branch that somebody else moved is pushed to."""

from datetime import timedelta

import pytest
from tests.builders import a_repo, sha
from tests.unit.stages.world import World, at

from orch.api.conditions import is_false, is_true
from orch.api.v1alpha1 import ApprovalOutcome, Gate
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import Cancelled, NeedsHuman, PolicyDenied, Terminal, Transient, WrongRepository
from orch.stages import Done, Waiting, texts
from orch.stages.checks import checks
from orch.stages.guard import guard
from orch.stages.implement import implement
from orch.stages.publish import publish

ASKING = {"gates": [{"gate": "Publish", "when": "Always"}]}


async def test_the_commit_is_ours() -> None:
    world = await at(guard)
    assert await world.play(guard) == Done()
    assert world.git.imported == [sha("theirs of web-7-1-implement-1")]
    assert world.git.parents[world.head] == (world.forge.branches["main"],)
    assert world.git.trees[world.head] == sha("theirs of web-7-1-implement-1")
    assert list(world.records.documents) == ["web-7-1-plan-1", "web-7-1-diff-implement-1"]


@pytest.mark.parametrize(("has_tests", "told"), [(True, "are a claim"), (False, "no tests that orch finds")])
async def test_a_repository_without_tests_is_told(has_tests: bool, told: str) -> None:
    world = await at(implement)
    await world.step(implement, has_tests=has_tests)
    await world.play(guard)
    assert is_true(world.run, "Tested") is has_tests
    assert is_false(world.run, "Tested") is not has_tests
    assert told in texts.pull_body(world.run, world.repo)


async def test_a_forbidden_change_is_refused_at_each_look() -> None:
    world = World(a_repo(guards={"protectedPaths": ["zones/**"]}))
    await world.reach(guard)
    for _ in range(2):
        with pytest.raises(PolicyDenied, match=r"ProtectedPath refuses zones/fee.py \(rule zones/\*\*\): "):
            await world.play(guard)
    assert "push" not in world.acts.made


async def test_an_empty_change_ends_the_run() -> None:
    world = await at(guard)
    world.git.empty.add(sha("theirs of web-7-1-implement-1"))
    with pytest.raises(Terminal, match="empty"):
        await world.play(guard)


async def test_a_change_is_judged_once() -> None:
    world = await at(publish)
    imported = list(world.git.imported)
    assert await world.play(guard) == Done()
    assert world.git.imported == imported


async def test_nothing_is_pushed_to_another_repository_of_the_name() -> None:
    world = await at(publish)
    world.forge.pinned = 2
    with pytest.raises(WrongRepository):
        await world.play(publish)
    assert world.remote_head is None
    world.forge.pinned = 1
    await world.play(publish)
    assert world.remote_head == world.head


async def test_nothing_is_pushed_before_people_allow_it() -> None:
    world = World(a_repo(approvals=ASKING))
    await world.reach(publish)
    outcome = await world.play(publish)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is WaitingReason.AWAITING_APPROVAL
    assert world.remote_head is None
    name = world.decide(ApprovalOutcome.APPROVED)
    assert await world.play(publish) == Done()
    assert world.remote_head == world.head
    assert world.records.asked[name].status.consumed_time is not None


async def test_an_issue_by_a_stranger_is_asked_about_before_the_push() -> None:
    world = World()
    world.forge.edit_issue(world.clock.now - timedelta(hours=1), author="bob")
    await world.reach(publish)
    outcome = await world.play(publish)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is WaitingReason.AWAITING_APPROVAL
    [approval] = world.records.asked.values()
    assert approval.spec.gate is Gate.PUBLISH


async def test_a_branch_that_somebody_moved_is_theirs() -> None:
    world = await at(publish)
    assert world.run.status.branch is not None
    world.forge.branches[world.run.status.branch.name or ""] = sha("theirs")
    for _ in range(3):
        outcome = await world.play(publish)
        assert isinstance(outcome, Waiting)
        assert outcome.reason is WaitingReason.TAKEN_OVER
        assert outcome.retry_after, "that its issue is closed would wake nobody"
    assert world.remote_head == sha("theirs")
    assert world.run.status.effects[-1].key.startswith("claim/")


@pytest.mark.parametrize("anybody_else", [False, True])
async def test_a_branch_of_the_runs_earlier_life_is_gone_on_with(anybody_else: bool) -> None:
    """The cluster was lost, and the run made anew, which knows nothing of the branch that it left."""
    world = await at(publish)
    identity, name = world.run.status.identity, world.run.status.branch.name
    parent = world.forge.branches["main"]
    for message in (f"Ours\n\nOrch-Run: {identity}\n", *(["Theirs\n"] if anybody_else else [])):
        parent = world.git._commit("left", [parent], message, world.clock.now)
    world.git.branches[name] = parent
    outcome = await world.play(publish)
    assert isinstance(outcome, Waiting)
    if anybody_else:
        assert outcome.reason is WaitingReason.TAKEN_OVER
        assert world.remote_head == parent
    else:
        assert await world.play(publish) == Done()
        assert world.remote_head == world.head


async def test_a_branch_that_was_taken_over_stays_so_when_it_is_put_back() -> None:
    world = await at(checks)
    branch = world.run.status.branch
    assert branch is not None
    ours = world.head
    world.forge.branches[branch.name or ""] = sha("theirs")
    held = await world.look()
    assert held is not None
    assert held.reason is WaitingReason.TAKEN_OVER
    world.forge.branches[branch.name or ""] = ours
    held = await world.look()
    assert held is not None, "until the person says so, it is not ours"
    assert held.reason is WaitingReason.TAKEN_OVER


async def test_labels_that_failed_are_put_on_later() -> None:
    world = World(a_repo(publish={"labels": ["bot"]}))
    await world.reach(publish)
    world.acts.refused["add_labels"] = Transient("Unreachable", "no answer")
    with pytest.raises(Transient):
        await world.play(publish)
    assert len(world.forge.pulls) == 1
    world.acts.heal()
    assert await world.play(publish) == Done()
    assert list(world.forge.labels.values()) == [["bot"]]
    assert is_true(world.run, "Published")
    assert len(world.forge.pulls) == 1


async def test_a_pull_request_that_a_person_closed_is_adopted_and_ends_the_run() -> None:
    world = await at(publish)
    world.acts.lost = "open_pull"
    assert isinstance(await world.play(publish), Waiting)
    world.forge.set_pull(state="closed")
    assert await world.play(publish) == Done()
    with pytest.raises(Cancelled, match="closed without a merge"):
        await world.look()


@pytest.mark.parametrize(
    ("outcome", "failure"),
    [(ApprovalOutcome.DENIED, PolicyDenied), (ApprovalOutcome.EXPIRED, PolicyDenied)],
)
async def test_a_denied_or_expired_question_ends_the_run(outcome: ApprovalOutcome, failure: type[Exception]) -> None:
    world = World(a_repo(approvals=ASKING))
    await world.reach(publish)
    await world.play(publish)
    world.decide(outcome)
    with pytest.raises(failure):
        await world.play(publish)
    assert world.remote_head is None


@pytest.mark.parametrize(
    ("outcome", "word"),
    [(ApprovalOutcome.EXPIRED, "has expired"), (ApprovalOutcome.SUPERSEDED, "was superseded")],
)
async def test_a_question_that_is_held_waits_for_a_person(outcome: ApprovalOutcome, word: str) -> None:
    world = World(a_repo(approvals={**ASKING, "onExpiry": "Hold"}))
    await world.reach(publish)
    await world.play(publish)
    world.decide(outcome)
    waiting = await world.play(publish)
    assert isinstance(waiting, Waiting)
    assert word in waiting.message


async def test_an_approval_that_ran_out_before_its_use_opens_nothing() -> None:
    world = World(a_repo(approvals=ASKING))
    await world.reach(publish)
    await world.play(publish)
    world.decide(ApprovalOutcome.APPROVED)
    world.clock.forward(timedelta(hours=73))
    with pytest.raises(PolicyDenied, match="in time"):
        await world.play(publish)


async def test_a_subject_that_moves_too_often_is_a_persons_case() -> None:
    world = World(a_repo(approvals=ASKING))
    await world.reach(publish)
    for number in range(6):
        assert world.run.status.branch is not None
        world.run.status.branch.head_sha = sha(f"head {number}")
        if number < 5:
            await world.play(publish)
    outcomes = [approval.status.outcome for approval in world.records.asked.values()]
    assert outcomes == [*[ApprovalOutcome.SUPERSEDED] * 4, None]
    with pytest.raises(NeedsHuman, match="moved each time"):
        await world.play(publish)


async def test_the_answer_to_an_earlier_run_of_this_name_is_no_answer() -> None:
    world = World(a_repo(approvals=ASKING))
    await world.reach(publish)
    await world.play(publish)
    name = world.decide(ApprovalOutcome.APPROVED)
    before = world.records.asked[name]
    target = before.spec.target.model_copy(update={"uid": "of the run that was deleted"})
    world.records.asked[name] = before.model_copy(update={"spec": before.spec.model_copy(update={"target": target})})
    outcome = await world.play(publish)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is WaitingReason.AWAITING_APPROVAL
    assert world.records.asked[name].spec.target.uid == world.run.metadata.uid
    assert world.remote_head is None
