"""Two at once: whoever comes second is refused or sees what the first has done. Nothing is lost and nothing counts twice."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from tests.integration.admission.office import ALICE, BOB, CAROL, Office
from tests.integration.admission.people import Answer

_ROUNDS = 8
_DECIDED: dict[str, Any] = {
    "type": "Decided",
    "status": "True",
    "reason": "Approved",
    "message": "",
    "lastTransitionTime": "2026-01-01T00:00:00Z",
}


def _approve(version: str) -> dict[str, Any]:
    """The operator's closing write: bound to the version that it counted."""
    return {"metadata": {"resourceVersion": version}, "status": {"outcome": "Approved", "conditions": [_DECIDED]}}


def test_answers_of_three_people_at_once_all_stand(office: Office) -> None:
    people = {user: office.person(user) for user in (ALICE, BOB, CAROL)}
    for _ in range(_ROUNDS):
        name, start = office.question(), Barrier(len(people))

        def decide(user: str, name: str = name, start: Barrier = start) -> Answer:
            start.wait()
            return people[user].decide(name, key=user)

        with ThreadPoolExecutor(len(people)) as pool:
            assert all(answer.accepted for answer in pool.map(decide, people))
        assert set(office.decisions(name)) == set(people)


def test_of_two_replacements_of_one_version_the_second_is_refused(office: Office) -> None:
    name, alice, bob = office.question(), office.person(ALICE), office.person(BOB)
    first, second = alice.get("approvals", name), bob.get("approvals", name)
    first["spec"]["decisions"] = {ALICE: {"verdict": "Approve"}}
    second["spec"]["decisions"] = {BOB: {"verdict": "Deny"}}
    assert alice.put("approvals", first).accepted
    assert bob.put("approvals", second).status == 409
    assert office.decisions(name) == {ALICE: {"verdict": "Approve"}}


def test_a_denial_that_was_not_counted_stops_the_write_that_approves(office: Office) -> None:
    name, operator = office.question(), office.operator()
    assert office.person(ALICE).decide(name, key=ALICE).accepted
    counted = operator.get("approvals", name)["metadata"]["resourceVersion"]
    assert office.person(BOB).decide(name, "Deny", key=BOB).accepted
    assert operator.patch("approvals", name, _approve(counted), sub="status").status == 409
    assert "outcome" not in operator.get("approvals", name)["status"]


def test_a_denial_and_the_write_that_approves_never_both_succeed(office: Office) -> None:
    operator, bob = office.operator(), office.person(BOB)
    settled = "this Approval is settled (Approved): a new question is asked when its subject moves"
    for _ in range(_ROUNDS):
        name, start = office.question(), Barrier(2)
        version = operator.get("approvals", name)["metadata"]["resourceVersion"]

        def close(name: str = name, version: str = version, start: Barrier = start) -> Answer:
            start.wait()
            return operator.patch("approvals", name, _approve(version), sub="status")

        def deny(name: str = name, start: Barrier = start) -> Answer:
            start.wait()
            return bob.decide(name, "Deny", key=BOB)

        with ThreadPoolExecutor(2) as pool:
            closing, denial = pool.submit(close), pool.submit(deny)
        assert closing.result().accepted is not denial.result().accepted
        if closing.result().accepted:
            assert denial.result().refused_by(office.named(), settled), denial.result().message
        else:
            assert closing.result().status == 409


def test_a_denial_between_approval_and_use_is_told_that_it_comes_too_late(office: Office) -> None:
    # and the use is bound to the version, so that it is used once
    name, operator = office.question(), office.operator()
    office.settle(name, "Approved")
    version = operator.get("approvals", name)["metadata"]["resourceVersion"]
    refused = office.person(BOB).decide(name, "Deny", key=BOB)
    assert "this Approval is settled (Approved)" in refused.message
    used = {"metadata": {"resourceVersion": version}, "status": {"consumedTime": "2026-01-01T00:00:00Z"}}
    assert operator.patch("approvals", name, used, sub="status").accepted
    assert operator.patch("approvals", name, used, sub="status").status == 409


def test_an_answer_on_its_way_while_the_head_moves_reaches_no_other_question(office: Office) -> None:
    old, bob = office.question(), office.person(BOB)
    new = office.question(**{"spec.subject.headSHA": "2" * 40, "spec.subject.digest": "sha256:" + "9" * 64})
    office.settle(old, "Superseded")
    refused = bob.decide(old, key=BOB)
    text = "this Approval is settled (Superseded): a new question is asked when its subject moves"
    assert refused.refused_by(office.named(), text), refused.message
    assert office.decisions(new) == {}


@pytest.mark.parametrize("verdict", ["Approve", "Deny"])
def test_an_answer_given_for_what_was_seen_is_refused_for_what_was_not(office: Office, verdict: str) -> None:
    # a prepared command meets an Approval of the same name that asks about something else
    seen = "sha256:" + "1" * 64
    name = office.question(**{"spec.subject.digest": "sha256:" + "9" * 64})
    refused = office.person(ALICE).decide(name, verdict, key=ALICE, digest=seen)
    text = f"the digest is not that of this Approval, which asks about sha256:{'9' * 64}"
    assert refused.refused_by(office.named(), text), refused.message
