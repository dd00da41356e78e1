"""The same decisions by every other way to write an object: JSON patch, server-side apply, replacement. What counts is what
would be stored, not how it was sent."""

from typing import Any

import pytest
from tests.integration.admission.office import ALICE, BOB, Office
from tests.integration.admission.people import Answer

_OWN = "you may set or withdraw only your own decision, under the key {}"
_YES: dict[str, Any] = {"verdict": "Approve"}


def _answered(office: Office) -> str:
    """A question that bob has denied."""
    name = office.question()
    assert office.person(BOB).decide(name, "Deny", key=BOB).accepted
    return name


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param([{"op": "add", "path": "/spec/decisions/bob", "value": _YES}], id="add over"),
        pytest.param([{"op": "replace", "path": "/spec/decisions/bob/verdict", "value": "Approve"}], id="replace"),
        pytest.param([{"op": "remove", "path": "/spec/decisions/bob"}], id="remove"),
        pytest.param([{"op": "move", "from": "/spec/decisions/bob", "path": "/spec/decisions/alice"}], id="move"),
        pytest.param([{"op": "copy", "from": "/spec/decisions/bob", "path": "/spec/decisions/carol"}], id="copy"),
        pytest.param([{"op": "replace", "path": "/spec/decisions", "value": {"alice": _YES}}], id="replace all"),
        pytest.param(
            [
                {"op": "test", "path": "/spec/decisions/bob/verdict", "value": "Deny"},
                {"op": "add", "path": "/spec/decisions/alice", "value": _YES},
                {"op": "replace", "path": "/spec/decisions/bob/verdict", "value": "Approve"},
            ],
            id="test, one's own, and another's",
        ),
    ],
)
def test_json_patch(office: Office, operations: list[dict[str, Any]]) -> None:
    name = _answered(office)
    refused = office.person(ALICE).patch("approvals", name, operations, how="json")
    assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}}


def test_json_patch_of_ones_own_key_is_a_decision_like_any_other(office: Office) -> None:
    user = "https://issuer.example.com/a~b"
    office.bind(user, "orch-approver")
    name = _answered(office)
    path = "/spec/decisions/" + user.replace("~", "~0").replace("/", "~1")
    assert (
        office.person(user).patch("approvals", name, [{"op": "add", "path": path, "value": _YES}], how="json").accepted
    )
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}, user: _YES}


def _apply(office: Office, user: str, name: str, decisions: dict[str, Any], **query: str) -> Answer:
    head = {"apiVersion": "orch.dev/v1alpha1", "kind": "Approval", "metadata": {"name": name}}
    body = {**head, "spec": {"decisions": decisions}}
    return office.person(user).patch("approvals", name, body, how="apply", **query)


@pytest.mark.parametrize("manager", ["kubectl", "orch", "alice"])
def test_server_side_apply_over_anothers_answer(office: Office, manager: str) -> None:
    name = _answered(office)
    refused = _apply(office, ALICE, name, {BOB: _YES}, fieldManager=manager, force="true")
    assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}}


def test_server_side_apply_that_leaves_out_what_the_same_manager_applied_before(office: Office) -> None:
    # a field manager is a name that anybody may give: leaving the entry out removes it
    name = office.question()
    assert _apply(office, BOB, name, {BOB: {"verdict": "Deny"}}, fieldManager="kubectl").accepted
    refused = _apply(office, ALICE, name, {ALICE: _YES}, fieldManager="kubectl")
    assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}}
    assert _apply(office, ALICE, name, {ALICE: _YES}, fieldManager="alice").accepted
    assert office.decisions(name) == {ALICE: _YES, BOB: {"verdict": "Deny"}}


def test_server_side_apply_of_an_approval_that_is_not_there_is_a_question(office: Office) -> None:
    office.bind(ALICE, "cluster-admin")
    document = office.person(ALICE).get("approvals", _answered(office))
    document["metadata"] = {"name": "payments-999-1-merge-1f2e3d4c5b"}
    refused = office.person(ALICE).patch(
        "approvals", document["metadata"]["name"], document, how="apply", fieldManager="kubectl"
    )
    assert not refused.accepted
    assert "you may set or withdraw only your own decision" in refused.message
    document["spec"]["decisions"] = {}
    refused = office.person(ALICE).patch(
        "approvals", document["metadata"]["name"], document, how="apply", fieldManager="kubectl"
    )
    assert refused.refused_by(office.named(), "only the operator asks for approval"), refused.message


def test_a_replacement_without_the_answers_of_others(office: Office) -> None:
    name, alice = _answered(office), office.person(ALICE)
    for decisions in ({}, {ALICE: _YES}, {ALICE: _YES, BOB: _YES}):
        document = alice.get("approvals", name)
        document["spec"]["decisions"] = decisions
        refused = alice.put("approvals", document)
        assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
    document = alice.get("approvals", name)
    del document["spec"]["decisions"]
    assert alice.put("approvals", document).refused_by(office.named(), _OWN.format(ALICE))
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}}


def test_a_replacement_with_ones_own_answer_added_is_a_decision(office: Office) -> None:
    name, alice = _answered(office), office.person(ALICE)
    document = alice.get("approvals", name)
    document["spec"]["decisions"][ALICE] = _YES
    assert alice.put("approvals", document).accepted
    assert office.decisions(name) == {ALICE: _YES, BOB: {"verdict": "Deny"}}


def test_a_dry_run_is_judged_as_the_write_is(office: Office) -> None:
    name = _answered(office)
    body = {"spec": {"decisions": {BOB: _YES}}}
    refused = office.person(ALICE).patch("approvals", name, body, dryRun="All")
    assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
