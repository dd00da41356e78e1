"""Who may do what by the roles of manifests/: read off the real server, which also fills in the aggregated ones."""

import json
import time
from typing import Any

import pytest
from tests.cluster import Cluster
from tests.integration.admission.office import Office

from orch.api.manifests import people_roles

_GUARDED = {"approve", "rollback", "setpolicy", "*"}


def _rules(cluster: Cluster, role: str) -> list[dict[str, Any]]:
    document = json.loads(cluster.kubectl("get", "clusterrole", role, "-o", "json").stdout)
    return [rule for rule in document["rules"] or [] if "orch.dev" in rule.get("apiGroups", [])]


def _verbs(rules: list[dict[str, Any]], resource: str) -> set[str]:
    return {verb for rule in rules if resource in rule["resources"] for verb in rule["verbs"]}


def _aggregated(cluster: Cluster, role: str, resource: str, verb: str) -> list[dict[str, Any]]:
    """The rules on orch.dev of a built-in role, once the controller has taken ours up."""
    deadline = time.monotonic() + 60
    while verb not in _verbs(rules := _rules(cluster, role), resource):
        assert time.monotonic() < deadline, f"{role} never got {verb} on {resource}"
        time.sleep(0.1)
    return rules


@pytest.mark.parametrize("role", ["view", "edit", "admin"])
def test_no_built_in_role_carries_a_guarded_verb(office: Office, control_plane: Cluster, role: str) -> None:
    verb = "list" if role == "view" else "create"
    rules = _aggregated(control_plane, role, "issueruns", verb)
    assert all(_GUARDED.isdisjoint(rule["verbs"]) for rule in rules), rules
    assert all("*" not in rule["resources"] for rule in rules), rules
    assert not any("/status" in resource for rule in rules for resource in rule["resources"]), rules
    assert _verbs(rules, "approvals") <= {"get", "list", "watch", "delete"}
    assert _verbs(rules, "orchestratedrepos") <= {"get", "list", "watch", "patch", "update"}


def test_view_reads_and_nothing_else(office: Office, control_plane: Cluster) -> None:
    rules = _aggregated(control_plane, "view", "approvals", "get")
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}


@pytest.mark.parametrize(
    ("role", "verb", "resource", "allowed"),
    [
        ("orch-viewer", "get", "approvals", True),
        ("orch-viewer", "patch", "approvals", False),
        ("orch-approver", "approve", "approvals", True),
        ("orch-approver", "patch", "approvals", True),
        ("orch-approver", "create", "issueruns", False),
        ("orch-approver", "setpolicy", "orchestratedrepos", False),
        ("orch-operator", "create", "issueruns", True),
        ("orch-operator", "approve", "approvals", False),
        ("orch-operator", "patch", "approvals", False),
        ("orch-operator", "setpolicy", "orchestratedrepos", False),
        ("orch-operator", "rollback", "rollbackpoints", False),
        ("orch-admin", "setpolicy", "orchestratedrepos", True),
        ("orch-admin", "approve", "approvals", True),
        ("orch-admin", "rollback", "rollbackpoints", True),
        ("orch-admin", "patch", "approvals/status", False),
        ("orch-admin", "create", "approvals", False),
        ("edit", "approve", "approvals", False),
        ("edit", "setpolicy", "orchestratedrepos", False),
        ("edit", "rollback", "rollbackpoints", False),
        ("admin", "approve", "approvals", False),
    ],
)
def test_what_a_role_gives(office: Office, role: str, verb: str, resource: str, *, allowed: bool) -> None:
    user = f"{role}-{office.mark}"
    office.bind(user, role)
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "resourceAttributes": {
                "group": "orch.dev",
                "resource": resource.partition("/")[0],
                "subresource": resource.partition("/")[2],
                "verb": verb,
                "namespace": office.team,
            },
        },
    }
    answer = office.administrator().ask("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer.document["status"]["allowed"] is allowed


def test_no_role_of_ours_has_a_wildcard() -> None:
    assert not any(
        "*" in rule[key] for role in people_roles() for rule in role["rules"] for key in ("verbs", "resources")
    )


def test_a_namespaced_operator_reads_no_secret_elsewhere(office: Office) -> None:
    operator = office.operator()
    path = "/api/v1/namespaces/{}/secrets/any"
    assert operator.ask("GET", path.format(office.team)).status == 404
    assert operator.ask("GET", path.format("kube-system")).status == 403
    assert operator.ask("GET", f"/api/v1/namespaces/{office.team}/secrets").status == 403
