"""What shows on GitHub: a status on our head and labels on the issue, each written once, and never again while nothing changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import NUMBER, a_repo, an_issue, sha
from tests.fakes.acts import Crash
from tests.unit.stages.world import World, at

from orch.api.conditions import find_condition, set_condition
from orch.api.v1alpha1.reasons import OrchestratedRepoReason, WaitingReason
from orch.errors import (
    Cancelled,
    CredentialsRefused,
    LeaseEnding,
    OrchError,
    PolicyDenied,
    RateLimited,
    Terminal,
    Transient,
)
from orch.policy.intake import DECLINED, WAITING
from orch.ports import StatusState
from orch.reconcilers.ending import end
from orch.reconcilers.lines import run_lines
from orch.stages import Waiting
from orch.stages.checks import checks
from orch.stages.claim import claim
from orch.stages.merge import merge
from orch.stages.plan import plan
from orch.stages.publish import publish
from orch.stages.signs import show, show_end
from orch.stages.verify import verify

ASKED = Waiting(WaitingReason.AWAITING_APPROVAL, "Approval x lacks 1 approval")
CHECKING = Waiting(WaitingReason.AWAITING_CHECKS, "1 of 2 checks still run")
FORBIDDEN = CredentialsRefused("Forbidden", "the token may not POST /statuses: Resource not accessible by integration")


def _said(world: World) -> list[tuple[StatusState, str]]:
    """Of the present head."""
    return [(said.state, said.description) for head, _, said in world.forge.statuses if head == world.head]


async def _show(world: World, outcome: Waiting) -> timedelta | None:
    try:
        return await show(world.context(), outcome)
    except Crash:
        world.run = world._saved.deep_copy()
        raise
    finally:
        await world._save()


async def test_a_head_is_shown_as_soon_as_it_is_published_and_only_news_is_written() -> None:
    world = await at(checks)
    assert _said(world) == [(StatusState.PENDING, "waits for checks")]
    for count in (1, 2):
        await _show(world, Waiting(WaitingReason.AWAITING_CHECKS, f"{count} of 2 checks still run"))
    await _show(world, Waiting(None, "going on", timedelta(0)))
    assert len(_said(world)) == 1
    await _show(world, ASKED)
    await _show(world, CHECKING)
    assert [text for _, text in _said(world)][1:] == ["waits for an approval: kubectl orch inbox", "waits for checks"]


async def test_nothing_shows_before_the_claim_and_no_status_before_the_pull_request() -> None:
    world = await at(claim)
    await _show(world, ASKED)
    assert world.forge.labels == {}
    world = await at(plan)
    await _show(world, ASKED)
    assert world.forge.labels == {NUMBER: [WAITING]}
    assert world.forge.statuses == []


@pytest.mark.parametrize("reason", WaitingReason)
async def test_the_label_says_whether_people_are_asked(reason: WaitingReason) -> None:
    world = await at(checks)
    await _show(world, Waiting(reason, "because"))
    asked = {"AwaitingApproval", "AwaitingHuman", "AwaitingReview", "ContentChanged", "TakenOver"}
    assert world.forge.labels == ({NUMBER: [WAITING]} if reason in asked else {})
    await _show(world, CHECKING)
    assert world.forge.labels.get(NUMBER, []) == []


async def test_the_same_sign_put_up_again_within_a_second_is_another_fact() -> None:
    world = await at(checks)
    told = []
    for outcome in (ASKED, CHECKING, ASKED, CHECKING):
        await _show(world, outcome)
        told += [line for line in run_lines(world.run) if str(line.fields.get("effect")).startswith("label/")]
    assert [str(line.fields["effect"]).rpartition("/")[2] for line in told] == ["on", "off", "on", "off"]
    assert len({line.id for line in told}) == 4


async def test_a_label_that_people_take_off_stays_off() -> None:
    world = await at(checks)
    await _show(world, ASKED)
    world.forge.labels, world.forge.issue = {}, an_issue()
    await _show(world, ASKED)
    assert world.forge.labels == {}


async def test_a_repository_that_is_suspended_or_not_ours_is_not_written_to() -> None:
    world = await at(checks)
    await _show(world, Waiting(WaitingReason.SUSPENDED, "suspended"))
    set_condition(world.repo, "Ready", False, OrchestratedRepoReason.REPOSITORY_CHANGED, "another", world.clock())
    await _show(world, ASKED)
    assert len(world.forge.statuses) == 1
    assert world.forge.labels == {}


@pytest.mark.parametrize("act", ["set_status", "add_labels"])
@pytest.mark.parametrize("moment", ["crash_before", "crash_after", "lost"])
async def test_whatever_happens_to_the_answer_each_is_written_once(act: str, moment: str) -> None:
    world = await at(checks)
    setattr(world.acts, moment, act)
    if moment == "lost":
        assert await _show(world, ASKED) == timedelta(seconds=60)
    else:
        with pytest.raises(Crash):
            await _show(world, ASKED)
    world.acts.heal()
    for _ in range(4):
        rest = await _show(world, ASKED)
        world.clock.forward(rest or timedelta(seconds=1))
    assert [state for state, _ in _said(world)] == [StatusState.PENDING] * 2
    assert world.acts.made.count("add_labels") == 1


async def test_what_may_still_land_is_waited_for_before_something_else_takes_its_place() -> None:
    world = await at(checks)
    world.acts.late = "set_status"
    await _show(world, ASKED)
    world.acts.heal()
    rest = await _show(world, CHECKING)
    assert rest == timedelta(seconds=60)
    world.acts.land()
    world.clock.forward(rest)
    assert await _show(world, CHECKING) is None
    assert _said(world)[-1] == (StatusState.PENDING, "waits for checks")


async def test_what_was_begun_and_never_came_has_nothing_posted_twice() -> None:
    world = await at(checks)
    world.acts.crash_before = "set_status"
    with pytest.raises(Crash):
        await _show(world, ASKED)
    world.acts.heal()
    rest = await _show(world, CHECKING)
    assert rest == timedelta(seconds=60)
    world.clock.forward(rest)
    assert await _show(world, CHECKING) is None
    assert _said(world) == [(StatusState.PENDING, "waits for checks")]


async def test_a_token_that_may_not_write_statuses_holds_nothing_up_and_a_condition_says_what_to_grant() -> None:
    world = await at(publish)
    world.acts.refused["set_status"] = FORBIDDEN
    await world.settle()
    assert world.acts.made.count("merge") == 1
    found = find_condition(world.run, "StatusShown")
    assert found is not None
    assert (found.status, found.reason) == ("False", "StatusRefused")
    assert "Commit statuses (write)" in found.message
    assert await end(world.context(), None) is None


async def test_a_refusal_is_believed_for_a_while_and_a_permission_that_was_granted_since_is_used() -> None:
    world = await at(publish)
    world.acts.refused["set_status"] = FORBIDDEN
    await world.play(publish)
    world.acts.heal()
    await _show(world, CHECKING)
    assert world.forge.statuses == []
    world.clock.forward(timedelta(minutes=15))
    await _show(world, CHECKING)
    assert len(_said(world)) == 1
    assert find_condition(world.run, "StatusShown") is None


@pytest.mark.parametrize(
    ("err", "rest"),
    [
        (Transient("Unreachable", "no answer"), timedelta(minutes=5)),
        (LeaseEnding("LeaseEnding", "until it is renewed"), timedelta(seconds=2)),
        (CredentialsRefused("BadCredentials", "revoked"), timedelta(minutes=5)),
    ],
)
async def test_what_cannot_be_shown_now_is_shown_later(err: OrchError, rest: timedelta) -> None:
    world = await at(checks)
    world.acts.refused["set_status"] = err
    assert await _show(world, ASKED) == rest
    world.acts.refused["set_status"] = RateLimited("wait", retry_at=world.clock() + timedelta(seconds=9))
    assert await _show(world, ASKED) == timedelta(seconds=9)
    world.acts.heal()
    await _show(world, ASKED)
    assert len(_said(world)) == 2


async def test_a_merge_of_ours_ends_with_success_and_one_of_somebody_else_says_nothing() -> None:
    world = await at(verify)
    await end(world.context(), None)
    assert [state for state, _ in _said(world)] == [StatusState.PENDING, StatusState.SUCCESS]
    world = await at(merge)
    world.forge.set_pull(state="merged", merge_sha=sha("theirs"))
    await world.settle()
    await end(world.context(), None)
    assert [state for state, _ in _said(world)] == [StatusState.PENDING]


@pytest.mark.parametrize(
    ("err", "declined"),
    [
        (PolicyDenied("Denied", "alice: no"), True),
        (Terminal("TestsRed", "still red"), True),
        (Cancelled("ClosedByHuman", "closed"), True),
        (Cancelled("ClaimedElsewhere", "another run's"), False),
        (Cancelled("Unlabelled", "not wanted"), False),
        (Cancelled("IssueGone", "deleted"), False),
    ],
)
async def test_a_run_that_ends_without_a_merge_says_so(err: OrchError, declined: bool) -> None:
    world = await at(merge)
    await _show(world, ASKED)
    assert await end(world.context(), err) is None
    assert _said(world)[-1] == (StatusState.FAILURE, f"ended without a merge: {err.reason}")
    assert world.forge.labels[NUMBER] == ([DECLINED] if declined else [])


async def test_an_end_whose_status_may_have_been_lost_is_not_over_yet() -> None:
    world = await at(merge)
    world.acts.lost = "set_status"
    assert await end(world.context(), Terminal("TestsRed", "still red")) == timedelta(seconds=60)
    world.acts.heal()
    assert await end(world.context(), None) is None
    assert [state for state, _ in _said(world)] == [StatusState.PENDING, StatusState.FAILURE]


async def test_a_new_attempt_takes_down_what_the_last_one_left() -> None:
    world = await at(checks)
    world.forge.labels = {NUMBER: [DECLINED]}
    world.forge.issue = an_issue(labels=frozenset({"orch", "Orch/declined"}))
    await world.look()
    ctx = world.context()
    ctx.issue = world.forge.issue
    await show(ctx, CHECKING)
    assert world.forge.labels[NUMBER] == []


async def test_what_needs_a_person_says_what_in_words_that_mention_nobody() -> None:
    world = await at(checks)
    await _show(world, Waiting(WaitingReason.AWAITING_HUMAN, f"check of @everyone {'x' * 200}"))
    text = _said(world)[-1][1]
    assert text.startswith("needs a person: check of @\u200beveryone")
    assert len(text) == 140


async def test_a_run_that_published_nothing_ends_without_a_status() -> None:
    world = World(a_repo())
    await world.reach(plan)
    world.run.status.failure = None
    assert await show_end(world.context(), by_us=True) is None
    assert world.forge.statuses == []
