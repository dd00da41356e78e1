"""Policy is guarded as approvals are: who sets the quorum decides as much as who approves.

Used by `orch.api.manifests.policies`. Compared is what the server stores, defaults filled in, so leaving a field out counts as
setting it to its default.
"""

from __future__ import annotations

from typing import Final

from orch.api.manifests.cel import Check, allowed

GUARDED: Final = ("mode", "approvals", "guards", "budget", "merge", "publish")
"""Sections of an OrchestratedRepo's spec that need the verb `setpolicy`, as `issues.trust` does."""

_LIST: Final = ", ".join(f"'{name}'" for name in GUARDED)

VARIABLES: Final = {
    "trust": "has(object.spec.issues) && has(object.spec.issues.trust) ? object.spec.issues.trust : {}",
    "oldTrust": (
        "oldObject != null && has(oldObject.spec.issues) && has(oldObject.spec.issues.trust) ? oldObject.spec.issues.trust : {}"
    ),
    "moved": (
        f"oldObject == null ? [] : [{_LIST}].filter(f, (f in object.spec) != (f in oldObject.spec)"
        " || (f in object.spec && object.spec[f] != oldObject.spec[f]))"
        " + (variables.trust == variables.oldTrust ? [] : ['issues.trust'])"
    ),
}

_MAY_SET: Final = allowed("orchestratedrepos", "setpolicy")

CHECKS: Final = (
    Check(
        f"oldObject != null || {_MAY_SET}",
        "{variables.user} needs the verb setpolicy on orchestratedrepos.orch.dev in namespace {request.namespace}:"
        " an OrchestratedRepo is a policy",
    ),
    Check(
        f"variables.moved.size() == 0 || {_MAY_SET}",
        "{variables.user} needs the verb setpolicy on orchestratedrepos.orch.dev in namespace {request.namespace}"
        " to change {variables.moved.join(', ')}",
    ),
)
"""In the order in which the server tells the first that fails."""
