"""An Approval as an object: who may make it, change what it asks, move its labels and owners, and delete it."""

from typing import Any

import pytest
from tests.integration.admission.office import ALICE, BOB, CAROL, Office
from tests.integration.api.documents import changed, sample

_ASKS = "only the operator asks for approval"
_ANSWERED = "an Approval that somebody has answered is not deleted: cancel or delete payments-123-1, which asks"


@pytest.fixture(scope="module")
def ruler(office: Office) -> str:
    """A person with every verb on everything in the team's namespace: RBAC stops them nowhere."""
    office.bind("mallory", "cluster-admin")
    return "mallory"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="plain"),
        pytest.param({"status": {"outcome": "Approved"}}, id="with a status"),
        pytest.param({"metadata": {"generateName": "payments-123-1-merge-"}}, id="with a name of the server's"),
    ],
)
def test_nobody_but_the_operator_asks(office: Office, ruler: str, changes: dict[str, Any]) -> None:
    refused = office.person(ruler).create("approvals", changed(sample("approval"), changes))
    assert refused.refused_by(office.named(), _ASKS), refused.message


def test_a_question_with_an_answer_in_it_is_refused(office: Office, ruler: str) -> None:
    for key in (ruler, ALICE):
        document = changed(sample("approval"), {"spec.decisions": {key: {"verdict": "Approve"}}})
        refused = office.person(ruler).create("approvals", document)
        own = f"you may set or withdraw only your own decision, under the key {ruler}"
        assert refused.refused_by(office.named(), _ASKS if key == ruler else own), refused.message
        asked = office.operator().create("approvals", document)
        machine = f"machines do not decide: {office.installation.operator} is a service account or another system user"
        assert asked.refused_by(office.named(), machine), asked.message


def test_a_question_cannot_be_born_settled(office: Office) -> None:
    name = office.question(status={"outcome": "Approved", "observedGeneration": 7})
    assert office.administrator().get("approvals", name)["status"] == {"observedGeneration": -1}


@pytest.mark.parametrize(
    "change",
    [
        {"policy": {"quorum": 1}},
        {"policy": {"onExpiry": "Hold"}},
        {"expireTime": "2036-01-01T00:00:00Z"},
        {"subject": {"headSHA": "2" * 40}},
        {"subject": {"digest": "sha256:" + "9" * 64}},
        {"target": {"uid": "other"}},
        {"risk": "Low"},
        {"requester": {"githubLogin": "somebody"}},
        {"review": {"title": "Fix a typo"}},
        {"gate": "Plan"},
        {"repositoryRef": {"name": "other"}},
    ],
    ids=str,
)
def test_what_is_asked_does_not_change(office: Office, ruler: str, change: dict[str, Any]) -> None:
    name = office.question()
    refused = office.person(ruler).patch("approvals", name, {"spec": change})
    assert refused.status == 422
    assert "is immutable" in refused.message
    with_answer = {"spec": {**change, "decisions": {ruler: {"verdict": "Approve"}}}}
    assert "is immutable" in office.person(ruler).patch("approvals", name, with_answer).message


@pytest.mark.parametrize("label", ["orch.dev/run", "orch.dev/gate", "orch.dev/other"])
@pytest.mark.parametrize("value", ["other-1-1", None])
def test_the_labels_by_which_the_operator_finds_it_stay(
    office: Office, ruler: str, label: str, value: str | None
) -> None:
    ours = {"orch.dev/run": "payments-123-1", "orch.dev/gate": "Merge"}
    name = office.question(**{"metadata.labels": ours})
    refused = office.person(ruler).patch("approvals", name, {"metadata": {"labels": {label: value}}})
    if label in ours or value is not None:
        text = "only the operator sets labels under orch.dev/ on an Approval"
        assert refused.refused_by(office.named(), text), refused.message
    assert office.administrator().get("approvals", name)["metadata"]["labels"] == ours


def test_other_labels_and_a_request_to_look_again_are_for_people(office: Office, ruler: str) -> None:
    body = {"metadata": {"labels": {"team": "payments"}, "annotations": {"orch.dev/requestedAt": "now"}}}
    assert office.person(ruler).patch("approvals", office.question(), body).accepted


def test_nobody_gives_it_another_owner(office: Office, ruler: str) -> None:
    # an owner that does not exist makes the garbage collector delete the question, with a denial in it
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "8d5b2a1e-0000-4000-8000-000000000009"}
    body = {"metadata": {"ownerReferences": [owner]}}
    refused = office.person(ruler).patch("approvals", office.question(), body)
    assert refused.refused_by(office.named(), "only the operator sets the owners of an Approval"), refused.message


def test_nobody_holds_it_back_with_a_finalizer(office: Office, ruler: str) -> None:
    body = {"metadata": {"finalizers": ["example.com/hold"]}}
    refused = office.person(ruler).patch("approvals", office.question(), body)
    assert refused.refused_by(office.named(), "only the operator puts finalizers on an Approval"), refused.message


@pytest.mark.parametrize("outcome", ["Pending", "Approved", "Denied"])
def test_an_answer_is_not_deleted_with_its_question(office: Office, ruler: str, outcome: str) -> None:
    # deleted, it would be asked anew, and the denial forgotten
    name = office.question()
    assert office.person(BOB).decide(name, "Deny", key=BOB).accepted
    if outcome != "Pending":
        office.settle(name, outcome)
    for user in (ruler, ALICE if outcome == "Pending" else ruler):
        office.allow(user, "approvals", "delete")
        refused = office.person(user).delete("approvals", name)
        assert refused.refused_by(office.named(), _ANSWERED), refused.message
    many = office.person(ruler).ask(
        "DELETE", office.person(ruler).path("approvals"), query={"fieldSelector": f"metadata.name={name}"}
    )
    assert many.refused_by(office.named(), _ANSWERED), many.message
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}}


@pytest.mark.parametrize("outcome", ["Pending", "Expired", "Superseded"])
def test_a_question_that_nobody_answered_or_that_is_over_may_be_deleted(office: Office, outcome: str) -> None:
    name = office.question()
    office.bind(CAROL, "orch-operator")
    if outcome != "Pending":
        assert office.person(BOB).decide(name, key=BOB).accepted
        office.settle(name, outcome)
    assert office.person(CAROL).delete("approvals", name).accepted


def test_a_deleted_question_comes_back_without_answers_and_only_from_the_operator(office: Office, ruler: str) -> None:
    name, person = office.question(), office.person(ruler)
    document = person.get("approvals", name)
    assert person.delete("approvals", name).accepted
    for field in ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields"):
        document["metadata"].pop(field)
    document["spec"]["subject"]["headSHA"] = "2" * 40
    document.pop("status")
    assert person.create("approvals", document).refused_by(office.named(), _ASKS)


def test_a_question_that_is_going_away_takes_no_answer(office: Office) -> None:
    name = office.question(**{"metadata.finalizers": ["example.com/hold"]})
    assert office.administrator().delete("approvals", name).accepted
    refused = office.person(ALICE).decide(name, key=ALICE)
    assert refused.refused_by(office.named(), "this Approval is being deleted"), refused.message
    assert office.administrator().patch("approvals", name, {"metadata": {"finalizers": None}}).accepted
