"""The central attempts once more by people who log in with a token of their own, as an API server of its own knows them: what
holds for those who are impersonated holds for those who are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hack.servers import ControlPlane
from tests.cluster import CRDS, Cluster, Kubectl
from tests.integration.admission.office import ALICE, BOB, Office
from tests.integration.admission.people import Person
from tests.integration.api.documents import changed, sample

from orch.api.manifests.policies import POLICY, REQUESTS, STATUS

_GROUPS = {ALICE: ("security", "payments"), BOB: ("staff",)}


@pytest.fixture(scope="module")
def plane(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    folder = tmp_path_factory.mktemp("tokens") / "controlplane"
    with ControlPlane(folder, control_plane.programs, controllers=False, people=_GROUPS) as plane:
        yield plane


@pytest.fixture(scope="module")
def office(plane: ControlPlane) -> Iterator[Office]:
    kubectl = Kubectl(plane.programs["kubectl"], plane.kubeconfig)
    kubectl("apply", "--server-side", "-f", str(CRDS))
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
    office = Office(Cluster(plane.kubeconfig, kubectl, plane.programs))
    office.open()
    yield office
    office.close()


@pytest.fixture
def alice(office: Office, plane: ControlPlane) -> Person:
    """In the groups security and payments, with the roles of an approver."""
    return office.holder(plane.tokens[ALICE])


@pytest.fixture
def bob(office: Office, plane: ControlPlane) -> Person:
    """In the group staff, with the roles of an approver."""
    return office.holder(plane.tokens[BOB])


def test_who_has_logged_in_answers_in_their_own_name_and_groups(office: Office, alice: Person, bob: Person) -> None:
    name = office.question()
    assert alice.decide(name, key=ALICE, groups=["security"]).accepted
    assert bob.decide(name, "Deny", key=BOB).accepted
    assert office.decisions(name) == {
        ALICE: {"verdict": "Approve", "groups": ["security"]},
        BOB: {"verdict": "Deny"},
    }


def test_who_has_logged_in_decides_for_nobody_else(office: Office, alice: Person, bob: Person) -> None:
    name = office.question()
    assert alice.decide(name, key=ALICE).accepted
    for refused in (
        bob.decide(name, "Deny", key=ALICE),
        bob.patch("approvals", name, {"spec": {"decisions": {ALICE: None}}}),
        bob.patch("approvals", name, [{"op": "remove", "path": "/spec/decisions/alice"}], how="json"),
    ):
        text = "you may set or withdraw only your own decision, under the key bob"
        assert refused.refused_by(office.named(), text), refused.message


def test_who_has_logged_in_claims_only_their_groups(office: Office, alice: Person, bob: Person) -> None:
    for person, user, group in ((bob, BOB, "security"), (alice, ALICE, "admins"), (alice, ALICE, "Security")):
        refused = person.decide(office.question(), key=user, groups=[group])
        theirs = ", ".join((*_GROUPS[user], "system:authenticated"))
        text = f"you claim a group that you are not in; yours are {theirs}"
        assert refused.refused_by(office.named(), text), refused.message


def test_who_has_logged_in_answers_for_the_digest_that_is_asked_about(office: Office, alice: Person) -> None:
    refused = alice.decide(office.question(), key=ALICE, digest="sha256:" + "9" * 64)
    assert f"ValidatingAdmissionPolicy '{office.named()}" in refused.message


def test_who_has_logged_in_is_not_the_operator(office: Office, alice: Person) -> None:
    office.bind(ALICE, "cluster-admin")
    name, repo = office.question(), office.object("orchestratedrepos")
    forged = alice.patch("approvals", name, {"status": {"outcome": "Approved"}}, sub="status")
    assert forged.refused_by(office.named(STATUS), "only the operator writes status, and alice is not the operator")
    asked = alice.create("approvals", changed(sample("approval"), {"metadata.name": "mine", "spec.decisions": {}}))
    assert f"ValidatingAdmissionPolicy '{office.named()}" in asked.message
    moved = alice.patch("approvals", name, {"spec": {"expireTime": "2036-01-01T00:00:00Z"}})
    assert not moved.accepted
    assert not alice.patch("orchestratedrepos", repo, {"status": {"observedGeneration": 9}}, sub="status").accepted


def test_who_has_logged_in_sets_policy_with_the_verb_alone(office: Office, bob: Person) -> None:
    repo = office.object("orchestratedrepos")
    office.allow(BOB, "orchestratedrepos", "get", "patch")
    loosened: dict[str, Any] = {"spec": {"mode": "Autonomous"}}
    refused = bob.patch("orchestratedrepos", repo, loosened)
    assert f"ValidatingAdmissionPolicy '{office.named(POLICY)}" in refused.message
    office.allow(BOB, "orchestratedrepos", "setpolicy")
    assert bob.patch("orchestratedrepos", repo, loosened).accepted


def test_who_has_logged_in_asks_for_runs_in_their_own_name(office: Office, bob: Person) -> None:
    office.allow(BOB, "issueruns", "create")
    run = changed(
        sample("issuerun"),
        {
            "metadata.name": "payments-77-1",
            "metadata.namespace": office.team,
            "metadata.labels": {},
            "spec.issueNumber": 77,
            "spec.trigger.username": ALICE,
        },
    )
    refused = bob.create("issueruns", run)
    assert f"ValidatingAdmissionPolicy '{office.named(REQUESTS)}" in refused.message
    assert bob.create("issueruns", changed(run, {"spec.trigger.username": BOB})).accepted


def test_who_has_logged_in_cannot_be_somebody_else_without_the_verb_impersonate(
    office: Office, plane: ControlPlane
) -> None:
    name = office.question()
    disguised = office.holder(plane.tokens[BOB], as_user=ALICE)
    refused = disguised.decide(name, key=ALICE)
    assert refused.status == 403
    assert 'User "bob" cannot impersonate' in refused.message
