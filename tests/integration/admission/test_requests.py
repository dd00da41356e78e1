"""What people order by IssueRuns: in their own name, under the run's own name, once; and RollbackPoints, which they do not make."""

from typing import Any

import pytest
from tests.integration.admission.office import ALICE, BOB, Office
from tests.integration.admission.people import Answer
from tests.integration.api.documents import changed, sample

from orch.api.manifests.policies import REQUESTS

_TRIGGER = "spec.trigger must be of type Manual or Retry, with username {}"


@pytest.fixture(scope="module")
def worker(office: Office) -> str:
    """A person who may start runs."""
    office.bind("wanda", "orch-operator")
    return "wanda"


def _ask(office: Office, user: str, number: int, **changes: Any) -> Answer:
    own = {
        "metadata": {"name": f"payments-{number}-1"},
        "spec.issueNumber": number,
        "spec.trigger": {"type": "Manual", "username": user},
    }
    return office.person(user).create("issueruns", changed(sample("issuerun"), {**own, **changes}))


def test_a_person_starts_a_run_in_their_own_name(office: Office, worker: str) -> None:
    owner = {"apiVersion": "orch.dev/v1alpha1", "kind": "OrchestratedRepo", "name": "payments", "uid": "8d5b2a1e"}
    labels = {"orch.dev/repo": "payments", "orch.dev/issue": "1001", "team": "payments"}
    made = {"metadata.labels": labels, "metadata.ownerReferences": [owner]}
    answer = _ask(office, worker, 1001, **made)
    assert answer.accepted, answer.message


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        pytest.param({"type": "Manual", "username": ALICE}, _TRIGGER.format("wanda"), id="in another's name"),
        pytest.param({"type": "Label", "githubLogin": "octocat"}, _TRIGGER.format("wanda"), id="as if labelled"),
        pytest.param(
            {"type": "Manual", "username": "wanda", "githubLogin": "octocat"},
            "spec.trigger of a run that a person asks for names neither githubLogin nor eventID",
            id="as another account of the code host",
        ),
        pytest.param(
            {"type": "Manual", "username": "wanda", "eventID": "LE_1"},
            "spec.trigger of a run that a person asks for names neither githubLogin nor eventID",
            id="with the event of a label, which then starts no run",
        ),
    ],
)
def test_a_run_says_truly_who_asked_for_it(office: Office, worker: str, trigger: dict[str, str], text: str) -> None:
    refused = _ask(office, worker, 1002, **{"spec.trigger": trigger})
    assert refused.refused_by(office.named(REQUESTS), text), refused.message


@pytest.mark.parametrize(
    "metadata", [{"name": "payments-1003-2"}, {"name": "faster"}, {"generateName": "payments-1003-1-"}], ids=str
)
def test_a_run_has_the_name_that_keeps_it_the_only_one(office: Office, worker: str, metadata: dict[str, str]) -> None:
    # two objects for one attempt would share the branch and the comment on the issue
    refused = _ask(office, worker, 1003, metadata=metadata)
    text = "an IssueRun is named after its repository, issue and attempt: payments-1003-1"
    assert refused.refused_by(office.named(REQUESTS), text), refused.message


@pytest.mark.parametrize(
    "labels", [{"orch.dev/terminal": "true"}, {"orch.dev/repo": "other"}, {"orch.dev/issue": "7"}], ids=str
)
def test_a_run_is_not_hidden_by_labels(office: Office, worker: str, labels: dict[str, str]) -> None:
    refused = _ask(office, worker, 1004, **{"metadata.labels": labels})
    text = "of the labels under orch.dev/ a person sets repo and issue, as spec has them"
    assert refused.refused_by(office.named(REQUESTS), text), refused.message
    name = office.object("issueruns")
    refused = office.person(worker).patch("issueruns", name, {"metadata": {"labels": labels}})
    assert refused.refused_by(office.named(REQUESTS), "only the operator changes labels under orch.dev/"), (
        refused.message
    )


def test_a_run_has_no_owner_but_its_repository(office: Office, worker: str) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "8d5b2a1e-0000-4000-8000-000000000009"}
    text = "the owner of an IssueRun is the OrchestratedRepo that it names"
    refused = _ask(office, worker, 1005, **{"metadata.ownerReferences": [owner]})
    assert refused.refused_by(office.named(REQUESTS), text), refused.message
    body = {"metadata": {"ownerReferences": [owner]}}
    refused = office.person(worker).patch("issueruns", office.object("issueruns"), body)
    assert refused.refused_by(office.named(REQUESTS), text), refused.message


def test_a_run_cannot_be_born_done(office: Office, worker: str) -> None:
    answer = _ask(office, worker, 1006, status={"completionTime": "2026-01-01T00:00:00Z", "observedGeneration": 9})
    assert answer.accepted, answer.message
    assert answer.document["status"] == {"observedGeneration": -1}


def test_a_run_is_cancelled_in_ones_own_name_and_once(office: Office, worker: str) -> None:
    name, person = office.object("issueruns"), office.person(worker)
    refused = person.patch("issueruns", name, {"spec": {"cancel": {"username": BOB, "reason": "no"}}})
    assert refused.refused_by(office.named(REQUESTS), f"spec.cancel.username must be {worker}"), refused.message
    assert person.patch("issueruns", name, {"spec": {"cancel": {"username": worker, "reason": "no"}}}).accepted
    for change in (None, {"reason": "yes"}, {"username": BOB}):
        later = person.patch("issueruns", name, {"spec": {"cancel": change}})
        assert later.status == 422
        assert "cancel" in later.message


def test_a_run_cannot_be_born_cancelled_by_another(office: Office, worker: str) -> None:
    refused = _ask(office, worker, 1007, **{"spec.cancel": {"username": BOB, "reason": "no"}})
    assert refused.refused_by(office.named(REQUESTS), f"spec.cancel.username must be {worker}"), refused.message


def test_whoever_may_work_suspends_a_run_and_lets_it_go_on(office: Office, worker: str) -> None:
    name, person = office.object("issueruns"), office.person(worker)
    assert person.patch("issueruns", name, {"spec": {"suspend": True}}).accepted
    assert person.patch("issueruns", name, {"spec": {"suspend": None}}).accepted


def test_commits_are_adopted_in_ones_own_name_as_often_as_one_likes(office: Office, worker: str) -> None:
    name, person = office.object("issueruns"), office.person(worker)
    refused = person.patch("issueruns", name, _adopting(BOB))
    assert refused.refused_by(office.named(REQUESTS), f"spec.adopt.username must be {worker}"), refused.message
    for head in ("a" * 40, "b" * 40):
        assert person.patch("issueruns", name, _adopting(worker, head)).accepted
    later = person.patch("issueruns", name, {"spec": {"adopt": {"headSHA": "c" * 40}}})
    assert later.accepted, later.message
    office.bind("wilma", "orch-operator")
    stolen = office.person("wilma").patch("issueruns", name, {"spec": {"adopt": {"headSHA": "d" * 40}}})
    assert stolen.refused_by(office.named(REQUESTS), "spec.adopt.username must be wilma"), stolen.message
    assert office.person("wilma").patch("issueruns", name, {"spec": {"suspend": True}}).accepted, "the wish stays"
    assert person.patch("issueruns", name, {"spec": {"adopt": None}}).accepted


def test_the_operator_adopts_nothing_by_itself(office: Office) -> None:
    account = f"system:serviceaccount:{office.home}:orch"
    refused = office.operator().patch("issueruns", office.object("issueruns"), _adopting(account))
    text = "the operator does not adopt somebody else's commits by itself: a person asks for it"
    assert refused.refused_by(office.named(REQUESTS), text), refused.message


def test_a_stranger_adopts_nothing(office: Office) -> None:
    refused = office.person(ALICE).patch("issueruns", office.object("issueruns"), _adopting(ALICE))
    assert refused.status == 403


@pytest.mark.parametrize("head", ["abc", "HEAD", "A" * 40, "a" * 41], ids=str)
def test_what_is_adopted_is_a_whole_commit_sha(office: Office, worker: str, head: str) -> None:
    refused = office.person(worker).patch("issueruns", office.object("issueruns"), _adopting(worker, head))
    assert refused.status == 422
    assert "spec.adopt.headSHA" in refused.message


def _adopting(user: str, head: str = "a" * 40) -> dict[str, Any]:
    return {"spec": {"adopt": {"username": user, "headSHA": head}}}


@pytest.mark.parametrize(
    "change", [{"issueNumber": 77777}, {"overrides": {"budgetUSD": "900"}}, {"trigger": {"username": BOB}}], ids=str
)
def test_nothing_else_of_a_run_changes(office: Office, worker: str, change: dict[str, Any]) -> None:
    refused = office.person(worker).patch("issueruns", office.object("issueruns"), {"spec": change})
    assert refused.status == 422
    assert "immutable" in refused.message


def test_a_service_account_starts_runs_in_its_own_name(office: Office) -> None:
    robot, user = office.machine("starter"), f"system:serviceaccount:{office.team}:starter"
    office.bind(f"{office.team}/starter", "orch-operator", kind="ServiceAccount")
    document = changed(sample("issuerun"), {"metadata": {"name": "payments-1008-1"}, "spec.issueNumber": 1008})
    refused = robot.create("issueruns", document)
    assert refused.refused_by(office.named(REQUESTS), _TRIGGER.format(user)), refused.message
    assert robot.create("issueruns", changed(document, {"spec.trigger.username": user})).accepted


def test_a_merge_is_recorded_by_the_operator_alone(office: Office) -> None:
    point = sample("rollbackpoint")
    refused = office.administrator().create("rollbackpoints", point)
    assert refused.refused_by(office.named(REQUESTS), "only the operator records merges"), refused.message
    assert office.operator().create("rollbackpoints", point).accepted
    later = office.administrator().patch(
        "rollbackpoints", point["metadata"]["name"], {"spec": {"merge": {"sha": "d" * 40}}}
    )
    assert later.status == 422
    assert "immutable" in later.message
