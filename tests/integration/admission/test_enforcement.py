"""The operator's self-test: it finds the policies in force, and every way in which they are not, while it runs.

Each test has an office of its own, since it breaks it. The operator's own token and role are used.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import Cluster
from tests.integration.admission.office import ALICE, Office, opened

from orch.api.manifests import admission_policies
from orch.api.manifests.policies import APPROVALS, POLICY, REQUESTS, STATUS
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason
from orch.kube.client import Kube, connect
from orch.reconcilers.admission import SHOWING, Admission, Protection

_NOW = timedelta(0)
_ALL = (APPROVALS, REQUESTS, POLICY, STATUS)
_APPLY = "apply manifests/admission.yaml of this release (`orch manifests` renders it for other names)"


@pytest.fixture
def office(control_plane: Cluster) -> Iterator[Office]:
    with opened(control_plane) as office:
        yield office


@pytest.fixture
async def kube(office: Office, tmp_path: Path) -> AsyncIterator[Kube]:
    """The operator's connection: its own account and role."""
    config = yaml.safe_load(office.cluster.kubeconfig.read_text())
    token = office.cluster.server.make_token("orch", office.home)
    config["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in config["users"]]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    async with await connect(path) as opened:
        yield opened


@pytest.fixture
def admission(office: Office, kube: Kube) -> Admission:
    return Admission(kube, suffix=office.mark)


async def _becomes(office: Office, admission: Admission, reason: Reason) -> Protection:
    """The verdict, once the API server has taken up what was changed."""
    deadline = time.monotonic() + 60
    while (verdict := await admission.protection(office.team, at_most=_NOW)).reason is not reason:
        assert time.monotonic() < deadline, verdict
    return verdict


def _binding(office: Office, policy: str) -> dict[str, Any]:
    name = office.named(policy)
    return next(document for document in office.bindings() if document["metadata"]["name"] == name)


async def test_a_forged_decision_is_refused_by_that_very_policy(office: Office, admission: Admission) -> None:
    verdict = await admission.protection(office.team, at_most=SHOWING)
    assert verdict == Protection(Reason.ENFORCED, f"a forged decision is refused by {office.named()}")
    assert await admission.enforced(office.team)
    assert office.administrator().ask("GET", office.administrator().path("approvals")).document["items"] == []


@pytest.mark.parametrize("policy", _ALL)
async def test_a_binding_that_was_deleted(office: Office, admission: Admission, policy: str) -> None:
    assert await admission.enforced(office.team)
    name = office.named(policy)
    office.cluster.kubectl("delete", "validatingadmissionpolicybinding", name)
    verdict = await _becomes(office, admission, Reason.POLICY_MISSING)
    assert verdict.message == f"ValidatingAdmissionPolicyBinding {name} is missing: {_APPLY}"
    office.apply(_binding(office, policy))
    await _becomes(office, admission, Reason.ENFORCED)


@pytest.mark.parametrize("policy", _ALL)
async def test_a_policy_that_was_deleted(office: Office, admission: Admission, policy: str) -> None:
    office.cluster.kubectl("delete", "validatingadmissionpolicy", office.named(policy))
    verdict = await _becomes(office, admission, Reason.POLICY_MISSING)
    assert verdict.message == f"ValidatingAdmissionPolicy {office.named(policy)} is missing: {_APPLY}"


@pytest.mark.parametrize("policy", _ALL)
async def test_a_binding_that_only_warns(office: Office, admission: Admission, policy: str) -> None:
    binding = _binding(office, policy)
    binding["spec"]["validationActions"] = ["Warn", "Audit"]
    office.apply(binding)
    verdict = await _becomes(office, admission, Reason.POLICY_CHANGED)
    assert verdict.message == f"ValidatingAdmissionPolicyBinding {office.named(policy)} does not deny: {_APPLY}"


def _exempts_alice(policy: dict[str, Any]) -> None:
    condition = {"name": "not-alice", "expression": f"request.userInfo.username != '{ALICE}'"}
    policy["spec"]["matchConditions"] = [condition]


def _takes_alice_for_the_operator(policy: dict[str, Any]) -> None:
    operator = next(entry for entry in policy["spec"]["variables"] if entry["name"] == "operator")
    operator["expression"] = f"variables.user == '{ALICE}' || {operator['expression']}"


def _holds_a_rule_that_is_always_kept(policy: dict[str, Any]) -> None:
    policy["spec"]["validations"][-1]["expression"] = "true"


def _looks_away_from_updates(policy: dict[str, Any]) -> None:
    policy["spec"]["matchConstraints"]["resourceRules"][0]["operations"] = ["CONNECT"]


def _lets_pass_what_fails(policy: dict[str, Any]) -> None:
    policy["spec"]["failurePolicy"] = "Ignore"


_LOOSENED: tuple[tuple[Callable[[dict[str, Any]], None], str], ...] = (
    (_exempts_alice, "makes exceptions"),
    (_takes_alice_for_the_operator, "is not that of this release, or names another operator"),
    (_holds_a_rule_that_is_always_kept, "is not that of this release, or names another operator"),
    (_looks_away_from_updates, "is not that of this release, or names another operator"),
    (_lets_pass_what_fails, "is not that of this release, or names another operator"),
)


@pytest.mark.parametrize("name", _ALL)
async def test_a_policy_that_was_loosened(office: Office, admission: Admission, name: str) -> None:
    for change, fault in _LOOSENED:
        policy = next(
            one for one in admission_policies(office.installation) if one["metadata"]["name"] == office.named(name)
        )
        change(policy)
        office.apply(policy)
        verdict = await _becomes(office, admission, Reason.POLICY_CHANGED)
        assert verdict.message == f"ValidatingAdmissionPolicy {office.named(name)} {fault}: {_APPLY}"
        office.apply(*(one for one in admission_policies(office.installation) if one["kind"] == policy["kind"]))
        await _becomes(office, admission, Reason.ENFORCED)


async def test_policies_for_another_operator(office: Office, kube: Kube) -> None:
    # its own name is what the API server calls it, so the policies of somebody else's installation do not serve
    somebody = Office(office.cluster)
    office.apply(*admission_policies(somebody.installation))
    verdict = await Admission(kube, suffix=somebody.mark).protection(office.team, at_most=SHOWING)
    text = f"ValidatingAdmissionPolicy {somebody.named()} is not that of this release, or names another operator"
    assert verdict == Protection(Reason.POLICY_CHANGED, f"{text}: {_APPLY}")
    names = [document["metadata"]["name"] for document in somebody.bindings()]
    office.cluster.kubectl("delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", *names)


async def test_bindings_that_select_other_namespaces(office: Office, admission: Admission) -> None:
    assert await admission.enforced(office.team)
    for binding in office.bindings():
        chosen = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]
        chosen["values"] = [office.neighbours]
        office.apply(binding)
    verdict = await _becomes(office, admission, Reason.POLICY_NOT_IN_FORCE)
    text = f"a forged decision was accepted in namespace {office.team}: the binding {office.named()} does not select it"
    assert verdict.message == f"{text}, or has just been applied"
    assert await admission.enforced(office.neighbours)


async def test_one_binding_that_selects_less_than_the_others(office: Office, admission: Admission) -> None:
    binding = _binding(office, STATUS)
    binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"] = [office.neighbours]
    office.apply(binding)
    verdict = await _becomes(office, admission, Reason.POLICY_CHANGED)
    assert verdict.message == f"the policy bindings select different objects: {_APPLY}"


async def test_an_operator_that_may_not_look(office: Office, admission: Admission) -> None:
    office.cluster.kubectl("delete", "clusterrolebinding", office.installation.name("orch-controller-cluster"))
    verdict = await _becomes(office, admission, Reason.POLICY_UNKNOWN)
    assert "cannot get validatingadmissionpolicies.admissionregistration.k8s.io" in verdict.message
    assert verdict.message.endswith("apply manifests/operator.yaml of this release")


async def test_a_verdict_is_remembered_for_counting_no_longer_than_seconds(office: Office, kube: Kube) -> None:
    clock = [0.0]
    admission = Admission(kube, suffix=office.mark, clock=lambda: clock[0])
    assert await admission.enforced(office.team)
    office.cluster.kubectl("delete", "validatingadmissionpolicybinding", office.named())
    assert await admission.enforced(office.team)
    clock[0] = 6.0
    assert (await admission.protection(office.team, at_most=SHOWING)).holds  # what is shown may be half a minute old
    assert not await admission.enforced(office.team)
    assert not (await admission.protection(office.team, at_most=SHOWING)).holds
    office.apply(*office.bindings())
    office.wait(enforced=True)
    clock[0] = 12.0
    assert (await admission.protection(office.team, at_most=SHOWING)).holds, "what has just been applied is soon shown"
