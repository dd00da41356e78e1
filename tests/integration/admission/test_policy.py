"""The verb `setpolicy`: who may loosen what the approvals rest on."""

from typing import Any

import pytest
from tests.integration.admission.office import Office
from tests.integration.api.documents import changed, sample

from orch.api.manifests.policies import POLICY

_NEEDS = "{} needs the verb setpolicy on orchestratedrepos.orch.dev in namespace {}"


@pytest.fixture(scope="module")
def editor(office: Office) -> str:
    """A person who may write OrchestratedRepos, but sets no policy."""
    office.allow("eddie", "orchestratedrepos", "get", "create", "patch", "update")
    return "eddie"


def _text(office: Office, user: str, *fields: str) -> str:
    return f"{_NEEDS.format(user, office.team)} to change {', '.join(fields)}"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"mode": "Autonomous"}, ("mode",)),
        ({"mode": None}, ("mode",)),
        ({"approvals": {"quorum": 1}}, ("approvals",)),
        ({"approvals": {"quorum": None}}, ("approvals",)),
        ({"approvals": None}, ("approvals",)),
        ({"guards": {"exemptPaths": ["**"]}}, ("guards",)),
        ({"budget": {"perRunUSD": "9"}}, ("budget",)),
        ({"publish": {"branchPrefix": "bot/"}}, ("publish",)),
        ({"merge": {"noChecks": "Allow"}}, ("merge",)),
        ({"issues": {"trust": {"minimumPermission": "Triage"}}}, ("issues.trust",)),
        ({"issues": {"trust": {"allowedActors": ["octocat"]}}}, ("issues.trust",)),
        ({"mode": "Supervised", "budget": {"perRunUSD": "9"}}, ("mode", "budget")),
    ],
    ids=str,
)
def test_policy_is_set_by_those_who_may(
    office: Office, editor: str, change: dict[str, Any], fields: tuple[str, ...]
) -> None:
    name = office.object("orchestratedrepos", **{"spec.approvals": {"quorum": 2}, "spec.mode": "Manual"})
    refused = office.person(editor).patch("orchestratedrepos", name, {"spec": change})
    assert refused.refused_by(office.named(POLICY), _text(office, editor, *fields)), refused.message


def test_a_replacement_that_leaves_policy_out_sets_it_to_its_defaults(office: Office, editor: str) -> None:
    name = office.object("orchestratedrepos", **{"spec.approvals": {"quorum": 2}})
    document = office.person(editor).get("orchestratedrepos", name)
    del document["spec"]["approvals"]
    refused = office.person(editor).put("orchestratedrepos", document)
    assert refused.refused_by(office.named(POLICY), _text(office, editor, "approvals")), refused.message


def test_server_side_apply_by_any_manager_is_judged_by_what_it_leaves(office: Office, editor: str) -> None:
    name = office.object("orchestratedrepos", **{"spec.approvals": {"quorum": 2}})
    body = {"apiVersion": "orch.dev/v1alpha1", "kind": "OrchestratedRepo", "metadata": {"name": name}}
    body["spec"] = {"repository": "acme/web", "credentialsRef": {"name": "acme-github"}, "approvals": {"quorum": 1}}
    query = {"fieldManager": "argocd-controller", "force": "true"}
    refused = office.person(editor).patch("orchestratedrepos", name, body, how="apply", **query)
    assert refused.refused_by(office.named(POLICY), _text(office, editor, "approvals")), refused.message


@pytest.mark.parametrize("metadata", [{"name": "fresh"}, {"generateName": "fresh-"}], ids=str)
def test_a_new_repository_is_a_policy_even_with_defaults_alone(
    office: Office, editor: str, metadata: dict[str, str]
) -> None:
    # or else: delete, and create anew with a quorum of one
    refused = office.person(editor).create("orchestratedrepos", changed(sample("minimal"), {"metadata": metadata}))
    text = f"{_NEEDS.format(editor, office.team)}: an OrchestratedRepo is a policy"
    assert refused.refused_by(office.named(POLICY), text), refused.message


def test_all_else_needs_no_such_verb(office: Office, editor: str) -> None:
    name, person = office.object("orchestratedrepos"), office.person(editor)
    for spec in ({"suspend": True}, {"interval": "5m"}, {"issues": {"selector": {"anyOf": ["bot"]}}}):
        answer = person.patch("orchestratedrepos", name, {"spec": spec})
        assert answer.accepted, answer.message
    assert person.patch(
        "orchestratedrepos", name, {"metadata": {"annotations": {"orch.dev/requestedAt": "now"}}}
    ).accepted


def test_with_the_verb_policy_is_set(office: Office) -> None:
    office.bind("gail", "orch-admin")
    gail = office.person("gail")
    assert gail.create("orchestratedrepos", changed(sample("minimal"), {"metadata": {"name": "governed"}})).accepted
    assert gail.patch("orchestratedrepos", "governed", {"spec": {"mode": "Autonomous"}}).accepted


def test_the_verb_on_one_repository_is_none_on_another(office: Office) -> None:
    mine, other = office.object("orchestratedrepos"), office.object("orchestratedrepos")
    office.allow("omar", "orchestratedrepos", "get", "patch")
    office.allow("omar", "orchestratedrepos", "setpolicy", only=mine)
    assert office.person("omar").patch("orchestratedrepos", mine, {"spec": {"mode": "Manual"}}).accepted
    refused = office.person("omar").patch("orchestratedrepos", other, {"spec": {"mode": "Manual"}})
    assert refused.refused_by(office.named(POLICY), _text(office, "omar", "mode")), refused.message


def test_the_operator_sets_no_policy(office: Office) -> None:
    name = office.object("orchestratedrepos")
    refused = office.operator().patch("orchestratedrepos", name, {"spec": {"mode": "Autonomous"}})
    text = _text(office, office.installation.operator, "mode")
    assert refused.refused_by(office.named(POLICY), text), refused.message
