"""What the audit log tells of a question: who, what, when, about what, once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import sha
from tests.fakes.acts import Crash
from tests.integration.approvals.court import Court

from orch.api.v1alpha1 import ApprovalOutcome, OnExpiry


async def test_who_approved_is_told_once_with_what_they_saw(court: Court) -> None:
    await court.open(quorum=2, requiredGroups=["security"])
    court.let_approve(users=["alice"], groups=["security"])
    court.decide("alice")
    court.decide("bob")
    await court.reconcile()
    assert court.told() == ["approval_requested", "decision_counted", "decision_refused"]
    asked, alice, bob = court.lines
    assert (asked["requester"], asked["gate"], asked["approval"]) == ("alice", "Merge", court.name)
    assert (alice["who"], alice["verdict"], alice["groups"]) == ("alice", "Approve", [])
    assert alice["subject"].startswith("sha256:")
    assert (bob["who"], bob["reason"]) == ("bob", "lacks the verb approve here: if a group grants it, claim the group")
    court.withdraw("bob")
    court.decide("carol", "Approve", "security")
    for _ in range(3):
        court.start()
        await court.reconcile()
    assert court.told()[3:] == ["decision_counted", "approval_settled", "decision_withdrawn"]
    assert court.lines[3]["groups"] == ["security"]
    assert (court.lines[4]["outcome"], court.lines[4]["approved_by"]) == ("Approved", ["alice", "carol"])
    assert court.lines[5]["who"] == "bob"
    assert len({line["id"] for line in court.lines}) == len(court.lines)


async def test_a_denial_has_its_person(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice"])
    court.decide("alice", "Deny")
    assert await court.outcome() == ApprovalOutcome.DENIED
    assert court.told() == ["approval_requested", "decision_counted", "approval_settled"]
    assert (court.lines[1]["verdict"], court.lines[2]["denied_by"]) == ("Deny", ["alice"])


async def test_expiry_and_supersession_are_told(court: Court) -> None:
    await court.open(onExpiry=OnExpiry.HOLD.value)
    court.forward(hours=25)
    assert await court.outcome() == ApprovalOutcome.EXPIRED
    assert court.told() == ["approval_requested", "approval_settled"]
    assert (court.lines[1]["outcome"], court.lines[1]["approved_by"]) == ("Expired", [])


async def test_a_question_that_is_closed_says_why(court: Court) -> None:
    await court.open()
    await court.reconcile()
    await court.note(sha("another head"))
    await court.reconcile()
    assert court.told() == ["approval_requested", "approval_superseded"]
    assert court.lines[1]["reason"] == "what was asked about has moved"


async def test_what_a_process_that_died_has_not_told_its_successor_tells_once(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice"])
    await court.reconcile()
    court.decide("alice")
    court.dies_before_it_tells = True
    with pytest.raises(Crash):
        await court.reconcile()
    assert court.told() == ["approval_requested"]
    court.dies_before_it_tells = False
    died = court.now
    court.forward(hours=2)
    court.start(unsure=(died, court.now))
    for _ in range(3):
        await court.reconcile()
    assert court.told()[1:] == ["decision_counted", "approval_settled"]


async def test_what_was_told_long_before_a_death_is_not_told_again(court: Court) -> None:
    await court.open()
    court.let_approve(users=["alice"])
    court.decide("alice")
    await court.reconcile()
    told = court.told()
    court.forward(hours=1)
    court.start(unsure=(court.now, court.now + timedelta(seconds=15)))
    await court.reconcile()
    assert court.told() == told
