"""Somebody else pushes to the run's branch, and a person has the run go on with it: with that commit, once it is judged."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.builders import a_repo, sha
from tests.fakes.acts import Crash
from tests.unit.stages.world import World, at

from orch.api.audit import AuditEvent
from orch.api.v1alpha1 import AdoptRequest, ApprovalOutcome, BranchStatus, ChecksState, Gate, OrchestratedRepo
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import OrchError, PolicyDenied, Terminal, Transient
from orch.ports import AddedCommits, CommitFacts
from orch.reconcilers.ending import end
from orch.reconcilers.lines import run_lines
from orch.stages import Done, Stage, Waiting
from orch.stages.checks import checks
from orch.stages.merge import merge
from orch.stages.publish import publish
from orch.stages.signs import show

THEIRS, LATER = sha("theirs"), sha("theirs, later")
ASKING = {"gates": [{"gate": "Publish", "when": "ByRisk"}]}


async def _taken_over(stage: Stage = checks, repo: OrchestratedRepo | None = None) -> World:
    """A run whose branch somebody else has moved just before `stage`."""
    world = await at(stage, repo)
    _push(world, THEIRS)
    assert _is_held(await world.look())
    return world


def _push(world: World, head: str) -> None:
    world.forge.branches[_branch(world).name or ""] = head


def _branch(world: World) -> BranchStatus:
    assert world.run.status.branch is not None
    return world.run.status.branch


def _ask(world: World, head: str = THEIRS, *, minute: int = 0) -> AdoptRequest:
    """Alice has the run go on with this commit."""
    wish = AdoptRequest(username="alice", head_sha=head, time=world.clock() + timedelta(minutes=minute))
    world.order(adopt=wish)
    return wish


def _is_held(outcome: object) -> bool:
    return isinstance(outcome, Waiting) and outcome.reason is WaitingReason.TAKEN_OVER


async def test_what_is_there_is_told_with_the_way_to_go_on() -> None:
    world = await at(checks)
    newest = CommitFacts(THEIRS, "Ann\x1b[31m\u202e", f"Mend it {'x' * 500}")
    world.git.pushed[THEIRS] = AddedCommits(7, (newest,))
    _push(world, THEIRS)
    held = await world.look()
    assert isinstance(held, Waiting)
    assert f"to {THEIRS[:8]}" in held.message
    assert "kubectl orch resume web-7-1 --adopt" in held.message
    assert held == await world.look(), "its text is stable"
    theirs = _branch(world).theirs
    assert theirs is not None
    assert (theirs.head_sha, theirs.commits_omitted) == (THEIRS, 6)
    assert (theirs.files, theirs.additions, theirs.deletions) == (1, 1, 1)
    assert theirs.commits[0].author == "Ann[31m"
    assert len(theirs.commits[0].subject) == 120


@pytest.mark.parametrize(
    "err", [Transient("GitFailed", "no answer"), Terminal("UnrelatedHistory", "it shares no history with the base")]
)
async def test_what_cannot_be_read_ends_no_run_and_is_looked_at_again(
    err: OrchError, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await at(checks)
    _push(world, THEIRS)

    async def fails(*_: object, **__: object) -> None:
        raise err

    with monkeypatch.context() as patched:
        patched.setattr(world.git, "diff", fails)
        assert _is_held(await world.look())
    theirs = _branch(world).theirs
    assert theirs is not None
    assert (theirs.head_sha, theirs.files) == (THEIRS, None)
    await world.look()
    theirs = _branch(world).theirs
    assert theirs is not None
    assert theirs.files == 1


@pytest.mark.parametrize("stage", [checks, merge], ids=["checks", "merge"])
async def test_the_run_goes_on_with_exactly_their_commit(stage: Stage) -> None:
    world = await _taken_over(stage, a_repo(mode="Supervised"))
    before = world.run.status.change
    assert before is not None
    wish, pushes = _ask(world), world.acts.made.count("push")
    assert await world.look() is None
    branch, change = _branch(world), world.run.status.change
    assert (branch.head_sha, branch.expected_sha, branch.taken_over, branch.theirs) == (THEIRS, THEIRS, False, None)
    assert branch.adopted == wish
    assert change is not None
    assert change.head_sha == THEIRS
    assert change.digest != before.digest
    assert world.run.status.checks is None
    assert f"web-7-1-diff-adopted-{THEIRS[:10]}" in world.records.documents

    held = await world.settle()
    assert isinstance(held, Waiting)
    assert held.reason is WaitingReason.AWAITING_APPROVAL
    world.decide(ApprovalOutcome.APPROVED)
    assert await world.settle() == Done()
    pull = world.run.status.pull_request
    assert pull is not None
    assert pull.head_sha == THEIRS
    assert pull.merge_sha == sha(f"merge of {THEIRS}")
    assert world.acts.made.count("push") == pushes, "it was there already"
    lines = list(run_lines(world.run))
    [told] = [line.fields for line in lines if line.event is AuditEvent.COMMITS_ADOPTED]
    assert (told["who"], told["sha"]) == ("alice", THEIRS)
    assert [line for line in lines if line.event is AuditEvent.PUSHED and line.fields["sha"] == THEIRS] == []


async def test_their_checks_count_not_those_of_our_commit() -> None:
    world = await _taken_over(merge)
    world.forge.fail_checks(THEIRS)
    _ask(world)
    assert await world.look() is None
    assert await world.play(publish) == Done()
    outcome = await world.play(checks)
    assert isinstance(outcome, Waiting)
    assert outcome.message.endswith("-checks-1 runs")
    assert world.run.status.checks is not None
    assert world.run.status.checks.state is ChecksState.FAILED
    assert world.git.bundled[-1][-1] == THEIRS


async def test_a_fix_is_built_on_theirs() -> None:
    world = await _taken_over()
    world.forge.fail_checks(THEIRS)
    _ask(world)
    await world.settle()
    assert world.git.parents[world.head] == (THEIRS,)
    assert world.remote_head == world.head


async def test_an_approval_of_our_commit_is_none_of_theirs() -> None:
    world = await at(merge, a_repo(mode="Supervised"))
    await world.play(merge)
    earlier = world.decide(ApprovalOutcome.APPROVED)
    _push(world, THEIRS)
    await world.look()
    _ask(world)
    held = await world.settle()
    assert isinstance(held, Waiting)
    assert held.reason is WaitingReason.AWAITING_APPROVAL
    assert world.records.asked[earlier].status.outcome is ApprovalOutcome.SUPERSEDED
    [asked] = [one for name, one in world.records.asked.items() if name != earlier]
    assert asked.spec.subject.head_sha == THEIRS


async def test_a_push_between_the_look_and_the_wish_is_not_adopted() -> None:
    world = await _taken_over()
    _ask(world, THEIRS)
    _push(world, LATER)
    held = await world.look()
    assert _is_held(held)
    assert held is not None
    assert f"alice adopts {THEIRS[:8]}" in held.message
    assert f"is at {LATER[:8]}" in held.message
    assert _branch(world).theirs is not None
    assert _branch(world).theirs.head_sha == LATER  # type: ignore[union-attr]


async def test_a_push_that_the_host_does_not_show_yet_is_not_adopted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await _taken_over()
    _ask(world, THEIRS)

    async def moved(*_: object) -> str:
        return LATER

    monkeypatch.setattr(world.git, "fetch_theirs", moved)
    held = await world.look()
    assert _is_held(held)
    assert held is not None
    assert f"is at {LATER[:8]}" in held.message
    assert _branch(world).taken_over


async def test_a_commit_that_a_guard_refuses_ends_the_run_and_stays_where_it_is() -> None:
    world = await _taken_over(checks, a_repo(guards={"protectedPaths": ["keys/**"]}))
    world.git.change = replace(world.git.change, path="keys/root.txt")
    _ask(world)
    made = list(world.acts.made)
    with pytest.raises(PolicyDenied, match=r"ProtectedPath refuses keys/root\.txt") as denied:
        await world.look()
    assert world.acts.made == made
    await end(world.context(), denied.value)
    assert world.remote_head == THEIRS
    assert world.run.status.pull_request is not None


async def test_a_judgement_that_fails_half_way_leaves_all_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await _taken_over()
    before = world.run.status.model_copy(deep=True)
    _ask(world)

    async def fails(*_: object, **__: object) -> str:
        raise Transient("GitFailed", "no answer")

    with monkeypatch.context() as patched:
        patched.setattr(world.git, "patch", fails)
        with pytest.raises(Transient):
            await world.look()
    assert world.run.status == before, "else our old head would be pushed over theirs"
    assert await world.look() is None


async def test_it_is_written_down_before_anybody_is_asked() -> None:
    world = await _taken_over(checks, a_repo(approvals=ASKING))
    world.git.change = replace(world.git.change, path=".github/workflows/ci.yml")
    _ask(world)
    world.acts.crash_before = "ask"
    with pytest.raises(Crash):
        await world.reconcile()
    branch = _branch(world)  # as it was written
    assert (branch.taken_over, branch.head_sha) == (False, THEIRS), "else the question is closed at once"


async def _a_workflow(world: World) -> Waiting:
    """Their commit touches one; what the stage Publish says to it."""
    world.git.change = replace(world.git.change, path=".github/workflows/ci.yml")
    _ask(world)
    assert await world.look() is None
    outcome = await world.play(publish)
    assert isinstance(outcome, Waiting)
    assert outcome.reason is WaitingReason.AWAITING_APPROVAL
    return outcome


async def test_what_wants_approval_before_a_push_wants_it_before_the_run_goes_on() -> None:
    world = await _taken_over(checks, a_repo(approvals=ASKING))
    pushes = world.acts.made.count("push")
    await _a_workflow(world)
    [asked] = world.records.asked.values()
    assert (asked.spec.gate, asked.spec.subject.head_sha) == (Gate.PUBLISH, THEIRS)
    assert asked.spec.review.title == "Adopted commits for issue #7"
    world.decide(ApprovalOutcome.APPROVED)
    assert await world.play(publish) == Done()
    assert await world.play(publish) == Done()
    assert world.acts.made.count("push") == pushes
    assert world.remote_head == THEIRS


async def test_its_denial_ends_the_run() -> None:
    world = await _taken_over(checks, a_repo(approvals=ASKING))
    await _a_workflow(world)
    world.decide(ApprovalOutcome.DENIED)
    with pytest.raises(PolicyDenied):
        await world.play(publish)
    assert world.remote_head == THEIRS


async def test_a_push_while_people_are_asked_takes_the_branch_over_once_more() -> None:
    world = await _taken_over(checks, a_repo(approvals=ASKING))
    await _a_workflow(world)
    name = world.decide(ApprovalOutcome.APPROVED)
    _push(world, LATER)  # after interference has looked, before the gate is asked
    assert _is_held(await world.play(publish))
    assert world.remote_head == LATER
    assert world.records.asked[name].status.outcome is not ApprovalOutcome.PENDING
    assert _branch(world).taken_over


async def test_a_wish_is_good_for_one_time() -> None:
    world = await _taken_over()
    _ask(world)
    assert await world.look() is None
    _push(world, LATER)
    assert _is_held(await world.look())
    _push(world, THEIRS)
    assert _is_held(await world.look())
    _ask(world, minute=1)
    assert await world.look() is None


async def test_a_wish_for_a_branch_that_nobody_took_changes_nothing() -> None:
    world = await at(checks)
    _ask(world, world.head)
    before = world.run.status.model_copy(deep=True)
    assert await world.look() is None
    assert world.run.status == before


async def test_a_branch_that_was_taken_before_the_pull_request_gets_one() -> None:
    world = await at(publish)
    _push(world, THEIRS)
    for _ in range(2):
        assert _is_held(await world.play(publish))
    assert _branch(world).theirs is not None
    _ask(world)
    assert await world.play(publish) == Done()
    assert world.remote_head == THEIRS
    assert world.run.status.pull_request is not None
    assert world.run.status.pull_request.head_sha == THEIRS


async def test_a_branch_that_somebody_removed_is_not_made_again() -> None:
    world = await at(publish)
    _push(world, THEIRS)
    await world.play(publish)
    world.forge.branches.pop(_branch(world).name or "")
    _ask(world)
    assert _is_held(await world.play(publish))
    assert world.remote_head is None


async def test_their_commits_are_kept_when_the_run_ends_without_a_pull_request() -> None:
    world = await at(publish)
    _push(world, THEIRS)
    await world.play(publish)
    _ask(world)
    world.acts.refused["open_pull"] = Terminal("Refused", "no")
    with pytest.raises(Terminal) as refused:
        await world.play(publish)
    await end(world.context(), refused.value)
    assert world.remote_head == THEIRS


async def test_the_comment_on_the_issue_says_how_to_go_on() -> None:
    world = await at(checks)
    _push(world, THEIRS)
    await _round(world)
    assert "kubectl orch resume web-7-1 --adopt" in world.forge.said[0].body
    written = world.acts.made.count("edit_comment")
    await _round(world)
    assert world.acts.made.count("edit_comment") == written, "nothing is new"
    _ask(world)
    await _round(world)
    assert "works on this issue" in world.forge.said[0].body
    _push(world, LATER)
    await _round(world)
    assert "resume web-7-1 --adopt" in world.forge.said[0].body


async def _round(world: World) -> None:
    """A look, and what it shows."""
    held = await world.look()
    await show(world.context(), held or Waiting(None, "at work"))
    await world._save()
