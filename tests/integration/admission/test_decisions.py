"""Deciding with a merge patch, as documented: in one's own name, as a person with the verb, on an open question.

No operator runs in this folder's tests: what holds here holds while it is down.
"""

import pytest
from tests.integration.admission.office import ALICE, BOB, CAROL, Office

from orch.api.manifests.policies import STATUS

_OWN = "you may set or withdraw only your own decision, under the key {}"
_MACHINE = "machines do not decide: {} is a service account or another system user"
_CYRILLIC = "\u0430lice"  # begins with U+0430, which looks like the Latin letter


def test_a_person_with_the_verb_decides_changes_their_mind_and_withdraws(office: Office) -> None:
    name, alice = office.question(), office.person(ALICE)
    assert alice.decide(name, key=ALICE, comment="fine").accepted
    assert alice.decide(name, "Deny", key=ALICE).accepted
    assert office.decisions(name) == {ALICE: {"verdict": "Deny", "comment": "fine"}}
    assert alice.patch("approvals", name, {"spec": {"decisions": {ALICE: None}}}).accepted
    assert office.decisions(name) == {}


def test_the_answer_of_one_person_stands_beside_that_of_another(office: Office) -> None:
    name = office.question()
    for user in (ALICE, BOB):
        assert office.person(user).decide(name, key=user).accepted
    assert set(office.decisions(name)) == {ALICE, BOB}


@pytest.mark.parametrize(
    "user",
    [
        "oidc:alice@example.com",
        "https://issuer.example.com/realms/a~b#alice",
        'CN=alice,O="Acme, Inc."',
        "acme\\alice",
        "it's alice",
        "alice {x} $(id)",
        "a" * 253,
    ],
)
def test_user_names_with_odd_characters_are_keys_like_any_other(office: Office, user: str) -> None:
    office.bind(user, "orch-approver")
    name, person = office.question(), office.person(user)
    assert person.decide(name, key=user).accepted
    assert set(office.decisions(name)) == {user}
    refused = person.decide(name, key=ALICE)
    assert refused.refused_by(office.named(), _OWN.format(user)), refused.message


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(BOB, id="somebody else's name"),
        pytest.param("Alice", id="one's own in another case"),
        pytest.param(_CYRILLIC, id="one's own in letters that look like it"),
        pytest.param("alice ", id="one's own and a blank"),
        pytest.param("alice\u200b", id="one's own and a sign that nobody sees"),
        pytest.param("system:serviceaccount:kube-system:default", id="a machine's name"),
        pytest.param("", id="nobody's name"),
    ],
)
@pytest.mark.parametrize("verdict", ["Approve", "Deny"])
def test_nobody_decides_under_another_key(office: Office, key: str, verdict: str) -> None:
    name = office.question()
    refused = office.person(ALICE).decide(name, verdict, key=key)
    assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
    assert office.decisions(name) == {}


def test_nobody_changes_or_withdraws_anothers_answer(office: Office) -> None:
    name, alice = office.question(), office.person(ALICE)
    assert office.person(BOB).decide(name, "Deny", key=BOB).accepted
    for change in ({BOB: {"verdict": "Approve"}}, {BOB: None}, {BOB: {"comment": "I meant yes"}}):
        refused = alice.patch("approvals", name, {"spec": {"decisions": change}})
        assert refused.refused_by(office.named(), _OWN.format(ALICE)), refused.message
    assert alice.patch("approvals", name, {"spec": {"decisions": None}}).refused_by(office.named(), _OWN.format(ALICE))
    assert office.decisions(name) == {BOB: {"verdict": "Deny"}}


def test_who_repeats_anothers_answer_word_for_word_has_changed_nothing(office: Office) -> None:
    name, alice = office.question(), office.person(ALICE)
    assert office.person(BOB).decide(name, key=BOB).accepted
    stood = office.administrator().get("approvals", name)
    assert alice.decide(name, key=BOB).accepted
    assert office.administrator().get("approvals", name) == stood


def test_a_user_whose_name_looks_like_anothers_does_not_decide(office: Office) -> None:
    office.bind(_CYRILLIC, "orch-approver")
    refused = office.person(_CYRILLIC).decide(office.question(), key=_CYRILLIC)
    text = "a user name with letters outside of ASCII cannot decide, for it can look like the name of somebody else"
    assert refused.refused_by(office.named(), text), refused.message


def test_two_users_whose_names_differ_in_case_alone_are_not_two_people(office: Office) -> None:
    name = office.question()
    office.bind("ALICE", "orch-approver")
    assert office.person(ALICE).decide(name, key=ALICE).accepted
    refused = office.person("ALICE").decide(name, key="ALICE")
    text = "somebody has decided whose name differs from ALICE only in upper and lower case"
    assert refused.refused_by(office.named(), text), refused.message
    assert set(office.decisions(name)) == {ALICE}


def test_a_decision_for_another_subject_is_refused(office: Office) -> None:
    name, alice = office.question(), office.person(ALICE)
    asked, other = "sha256:" + "1" * 64, "sha256:" + "2" * 64
    refused = alice.decide(name, key=ALICE, digest=other)
    text = f"the digest is not that of this Approval, which asks about {asked}"
    assert refused.refused_by(office.named(), text), refused.message
    assert alice.decide(name, key=ALICE, digest=asked).accepted


_FINANCE = "you claim a group that you are not in; yours are finance, system:authenticated"


def test_a_person_claims_groups_that_they_are_in(office: Office) -> None:
    name = office.question()
    assert office.person(ALICE, "finance", "security").decide(name, key=ALICE, groups=["security"]).accepted
    assert office.decisions(name)[ALICE]["groups"] == ["security"]


@pytest.mark.parametrize(
    "group",
    [
        pytest.param("security", id="somebody else's"),
        pytest.param("Finance", id="one's own in another case"),
        pytest.param("fin\u0430nce", id="one's own in letters that look like it"),
        pytest.param("finance ", id="one's own and a blank"),
        pytest.param("finance,security", id="one's own and another in one name"),
        pytest.param("system:masters", id="the administrators'"),
        pytest.param("system:serviceaccounts", id="a machine's"),
    ],
)
@pytest.mark.parametrize("verdict", ["Approve", "Deny"])
def test_nobody_claims_a_group_that_they_are_not_in(office: Office, group: str, verdict: str) -> None:
    name = office.question()
    for claimed in ([group], ["finance", group]):
        refused = office.person(ALICE, "finance").decide(name, verdict, key=ALICE, groups=claimed)
        assert refused.refused_by(office.named(), _FINANCE), refused.message
    assert office.decisions(name) == {}


@pytest.mark.parametrize("path", ["", "/groups", "/groups/-", "/groups/0"])
def test_nobody_comes_to_a_group_by_json_patch(office: Office, path: str) -> None:
    name, alice = office.question(), office.person(ALICE, "finance")
    assert alice.decide(name, key=ALICE, groups=["finance"]).accepted
    value = {"": {"verdict": "Approve", "groups": ["security"]}, "/groups": ["security"]}.get(path, "security")
    operation = {"op": "add", "path": f"/spec/decisions/{ALICE}{path}", "value": value}
    refused = alice.patch("approvals", name, [operation], how="json")
    assert refused.refused_by(office.named(), _FINANCE), refused.message
    assert office.decisions(name)[ALICE]["groups"] == ["finance"]


@pytest.mark.parametrize("what", ["", "/groups"])
def test_nobody_copies_the_groups_of_somebody_elses_answer(office: Office, what: str) -> None:
    name, alice = office.question(), office.person(ALICE, "finance")
    assert office.person(BOB, "security").decide(name, key=BOB, groups=["security"]).accepted
    assert alice.decide(name, key=ALICE).accepted
    operation = {"op": "copy", "from": f"/spec/decisions/{BOB}{what}", "path": f"/spec/decisions/{ALICE}{what}"}
    refused = alice.patch("approvals", name, [operation], how="json")
    assert refused.refused_by(office.named(), _FINANCE), refused.message
    assert "groups" not in office.decisions(name)[ALICE]


@pytest.mark.parametrize("manager", ["kubectl", "orch"])
def test_nobody_comes_to_a_group_by_server_side_apply(office: Office, manager: str) -> None:
    name, alice = office.question(), office.person(ALICE, "finance")
    assert alice.decide(name, key=ALICE, groups=["finance"]).accepted
    body = {
        "apiVersion": "orch.dev/v1alpha1",
        "kind": "Approval",
        "metadata": {"name": name},
        "spec": {"decisions": {ALICE: {"verdict": "Approve", "groups": ["security"]}}},
    }
    refused = alice.patch("approvals", name, body, how="apply", fieldManager=manager, force="true")
    assert refused.refused_by(office.named(), _FINANCE), refused.message
    assert office.decisions(name)[ALICE]["groups"] == ["finance"]


def test_who_has_left_a_group_does_not_touch_an_answer_that_claims_it_but_may_drop_the_claim(office: Office) -> None:
    name = office.question()
    assert office.person(ALICE, "security").decide(name, "Deny", key=ALICE, groups=["security"]).accepted
    later = office.person(ALICE, "finance")
    refused = later.patch("approvals", name, {"spec": {"decisions": {ALICE: {"verdict": "Approve"}}}})
    assert refused.refused_by(office.named(), _FINANCE), refused.message
    assert later.decide(name, key=ALICE, groups=None).accepted
    assert office.decisions(name) == {ALICE: {"verdict": "Approve"}}


def test_the_verb_of_a_group_that_one_is_not_in_is_none(office: Office) -> None:
    office.bind("deciders", "orch-approver", kind="Group")
    name = office.question()
    assert office.person("dora", "deciders").decide(name, key="dora", groups=["deciders"]).accepted
    refused = office.person("edna").decide(name, key="edna", groups=["deciders"])
    assert refused.status == 403
    assert 'User "edna" cannot patch resource "approvals"' in refused.message


def test_patch_alone_is_not_enough_without_the_verb_approve(office: Office) -> None:
    office.allow("dave", "approvals", "get", "patch", "update")
    refused = office.person("dave").decide(office.question(), key="dave")
    text = f"dave needs the verb approve on approvals.orch.dev in namespace {office.team}"
    assert refused.refused_by(office.named(), text), refused.message


def test_the_verb_alone_is_not_enough_without_patch(office: Office) -> None:
    office.allow("erin", "approvals", "get", "approve")
    refused = office.person("erin").decide(office.question(), key="erin")
    assert refused.status == 403
    assert 'User "erin" cannot patch resource "approvals"' in refused.message


def test_the_verb_in_one_namespace_is_none_in_another(office: Office) -> None:
    name = office.question(**{"metadata.namespace": office.neighbours})
    refused = office.person(ALICE, namespace=office.neighbours).decide(name, key=ALICE)
    assert 'User "alice" cannot patch resource "approvals"' in refused.message
    office.allow(ALICE, "approvals", "get", "patch", namespace=office.neighbours)
    refused = office.person(ALICE, namespace=office.neighbours).decide(name, key=ALICE)
    text = f"alice needs the verb approve on approvals.orch.dev in namespace {office.neighbours}"
    assert refused.refused_by(office.named(), text), refused.message


def test_a_machine_does_not_decide_whatever_its_rights(office: Office) -> None:
    robot = office.machine("robot")
    office.bind(f"{office.team}/robot", "cluster-admin", kind="ServiceAccount")
    user, name = f"system:serviceaccount:{office.team}:robot", office.question()
    for key in (user, ALICE):
        refused = robot.decide(name, key=key)
        assert refused.refused_by(office.named(), _MACHINE.format(user)), refused.message


@pytest.mark.parametrize("user", ["system:node:worker-1", "system:kube-scheduler", "system:anonymous"])
def test_no_system_user_decides(office: Office, user: str) -> None:
    refused = office.person(user, "system:masters").decide(office.question(), key=user)
    assert refused.refused_by(office.named(), _MACHINE.format(user)), refused.message


def test_who_is_in_the_group_of_service_accounts_is_one(office: Office) -> None:
    refused = office.person(CAROL, "system:serviceaccounts").decide(office.question(), key=CAROL)
    assert refused.refused_by(office.named(), _MACHINE.format(CAROL)), refused.message


def test_the_operator_may_not_even_patch_an_approval(office: Office) -> None:
    refused = office.operator().decide(office.question(), key=ALICE)
    assert refused.status == 403
    assert f'User "{office.installation.operator}" cannot patch resource "approvals"' in refused.message


def test_an_operator_with_more_rights_than_it_needs_still_does_not_decide(office: Office) -> None:
    refused = office.person(office.installation.operator, "system:masters").decide(office.question(), key=ALICE)
    assert refused.refused_by(office.named(), _MACHINE.format(office.installation.operator)), refused.message


@pytest.mark.parametrize("outcome", ["Approved", "Denied", "Expired", "Superseded", "NotRequired"])
def test_a_settled_question_takes_no_more_answers_and_gives_none_back(office: Office, outcome: str) -> None:
    name, alice = office.question(), office.person(ALICE)
    assert alice.decide(name, key=ALICE).accepted
    office.settle(name, outcome)
    text = f"this Approval is settled ({outcome}): a new question is asked when its subject moves"
    refused = office.person(BOB).decide(name, "Deny", key=BOB)
    assert refused.refused_by(office.named(), text), refused.message
    withdrawn = alice.patch("approvals", name, {"spec": {"decisions": {ALICE: None}}})
    assert withdrawn.refused_by(office.named(), text), withdrawn.message


@pytest.mark.parametrize("plural", ["approvals", "issueruns", "orchestratedrepos"])
def test_nobody_but_the_operator_writes_status(office: Office, plural: str) -> None:
    name = office.question() if plural == "approvals" else office.object(plural)
    admin = office.administrator()
    forged = {"status": {"outcome": "Approved"} if plural == "approvals" else {"observedGeneration": 9}}
    text = "only the operator writes status, and root is not the operator"
    answers = [
        admin.patch(plural, name, forged, sub="status"),
        admin.patch(
            plural, name, [{"op": "add", "path": "/status", "value": forged["status"]}], how="json", sub="status"
        ),
        admin.put(plural, {**admin.get(plural, name), **forged}, sub="status"),
    ]
    for answer in answers:
        assert answer.refused_by(office.named(STATUS), text), answer.message
    office.allow("dave", f"{plural}/status", "patch", "update")
    refused = office.person("dave").patch(plural, name, forged, sub="status")
    assert refused.refused_by(office.named(STATUS), text.replace("root", "dave")), refused.message


def test_a_rollback_point_has_no_status_that_anybody_could_write(office: Office) -> None:
    name, forged = office.point(), {"status": {"phase": "Done"}}
    for person in (office.administrator(), office.operator()):
        refused = person.patch("rollbackpoints", name, forged, sub="status")
        assert refused.status in (403, 404), refused.message
    admin = office.administrator()
    assert not admin.put("rollbackpoints", {**admin.get("rollbackpoints", name), **forged}, sub="status").accepted
    assert not admin.patch("rollbackpoints", name, forged, fieldValidation="Strict").accepted
    assert "status" not in admin.get("rollbackpoints", name)


def test_status_in_an_ordinary_write_is_dropped_by_the_server(office: Office) -> None:
    name, alice = office.question(), office.person(ALICE)
    body = {"spec": {"decisions": {ALICE: {"verdict": "Approve"}}}, "status": {"outcome": "Approved"}}
    assert alice.patch("approvals", name, body).accepted
    assert "outcome" not in alice.get("approvals", name)["status"]


def test_there_is_no_scale_to_write_through(office: Office) -> None:
    answer = office.administrator().patch("approvals", office.question(), {"spec": {"replicas": 1}}, sub="scale")
    assert answer.status == 404
