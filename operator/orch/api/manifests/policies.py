"""The four ValidatingAdmissionPolicies, and their bindings: what holds while the operator is down. Pure.

Called by hack/generate.py (manifests/admission.yaml), by `orch manifests`, and by the operator, which holds what it finds on
the server against this. The rules of each policy are in a module of their own; here is what they have in common.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orch.api.manifests import approvals_rules, policy_rules, requests_rules
from orch.api.manifests.cel import Check, quoted
from orch.api.manifests.installation import Installation
from orch.api.v1alpha1.common import GROUP

APPROVALS: Final = f"approvals.{GROUP}"
REQUESTS: Final = f"requests.{GROUP}"
POLICY: Final = f"policy.{GROUP}"
STATUS: Final = f"status.{GROUP}"
"""Names of the policies, before an installation's suffix; a binding is called as its policy."""

_STATUS: Final = (
    Check(
        "variables.operator",
        "only the operator writes status, and {variables.user} is not the operator",
    ),
)
_WRITES: Final = ("CREATE", "UPDATE")


def admission_policies(installation: Installation) -> list[dict[str, Any]]:
    """Policies and bindings, each policy before its binding."""
    answers = _policy(
        installation,
        APPROVALS,
        ["approvals"],
        approvals_rules.CHECKS,
        approvals_rules.VARIABLES,
        operations=(*_WRITES, "DELETE"),
    )
    requests = _policy(
        installation, REQUESTS, ["issueruns", "rollbackpoints"], requests_rules.CHECKS, requests_rules.VARIABLES
    )
    policy = _policy(installation, POLICY, ["orchestratedrepos"], policy_rules.CHECKS, policy_rules.VARIABLES)
    status = _policy(installation, STATUS, ["*/status"], _STATUS, {}, operations=("UPDATE",))
    return [
        document for entry in (answers, requests, policy, status) for document in (entry, _binding(installation, entry))
    ]


def _policy(
    installation: Installation,
    name: str,
    resources: Sequence[str],
    checks: Sequence[Check],
    variables: Mapping[str, str],
    *,
    operations: Sequence[str] = _WRITES,
) -> dict[str, Any]:
    """What the server would fill in is said here, so that the operator can compare the two."""
    common = {"user": "request.userInfo.username", "operator": f"variables.user == {quoted(installation.operator)}"}
    rule = {"apiGroups": [GROUP], "apiVersions": ["*"], "operations": list(operations), "resources": list(resources)}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": installation.name(name)},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "namespaceSelector": {},
                "objectSelector": {},
                "resourceRules": [{**rule, "scope": "*"}],
            },
            "variables": [{"name": key, "expression": text} for key, text in {**common, **variables}.items()],
            "validations": [check.as_validation() for check in checks],
        },
    }


def _binding(installation: Installation, policy: Mapping[str, Any]) -> dict[str, Any]:
    name = policy["metadata"]["name"]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny", "Audit"], **installation.scope()},
    }
