"""Do the admission policies on the server say what this release's say? A comparison of values, for the operator's self-test.

Called by `orch.reconcilers.admission`. What it cannot see, whether the API server acts on them, is tried there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason

Document = Mapping[str, Any]

_NARROWING: Final = ("matchConditions", "paramKind")
"""Fields of a policy's spec that ours do not have, and that would exempt somebody."""
_APPLY: Final = "apply manifests/admission.yaml of this release (`orch manifests` renders it for other names)"


@dataclass(frozen=True)
class Weakness:
    """Why nobody may rely on the policies. `message` names the object and says what to do."""

    reason: Reason
    message: str


def weakness(expected: Sequence[Document], found: Sequence[Document | None]) -> Weakness | None:
    """What is wrong with the policies and bindings `found`, in the order of `expected`; None if nothing is.

    Bindings may select namespaces as an installation likes, but all of them the same: then what is tried in a namespace
    against one of them holds for all.
    """
    scopes = []
    for ours, theirs in zip(expected, found, strict=True):
        what = f"{ours['kind']} {ours['metadata']['name']}"
        if theirs is None:
            return Weakness(Reason.POLICY_MISSING, f"{what} is missing: {_APPLY}")
        is_binding = "policyName" in ours["spec"]
        fault = _binding_fault(ours, theirs) if is_binding else _policy_fault(ours, theirs)
        if fault:
            return Weakness(Reason.POLICY_CHANGED, f"{what} {fault}: {_APPLY}")
        if is_binding:
            scopes.append(theirs["spec"].get("matchResources"))
    if any(scope != scopes[0] for scope in scopes):
        return Weakness(Reason.POLICY_CHANGED, f"the policy bindings select different objects: {_APPLY}")
    return None


def _policy_fault(ours: Document, theirs: Document) -> str | None:
    spec = theirs["spec"]
    if any(spec.get(name) for name in _NARROWING):
        return "makes exceptions"
    same = all(spec.get(key) == value for key, value in ours["spec"].items())
    return None if same else "is not that of this release, or names another operator"


def _binding_fault(ours: Document, theirs: Document) -> str | None:
    spec = theirs["spec"]
    if spec.get("policyName") != ours["spec"]["policyName"]:
        return "binds another policy"
    if "Deny" not in (spec.get("validationActions") or []):
        return "does not deny"
    return "takes parameters" if spec.get("paramRef") else None
