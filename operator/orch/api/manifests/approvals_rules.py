"""Who may do what to an Approval. The operator asks, people answer in their own name, nobody else changes anything.

Used by `orch.api.manifests.policies`. On CREATE there are no old decisions, so a forged one meets the same rules as on
UPDATE: that is how the operator tries them (`orch.reconcilers.admission`). Expiry is not here: CEL has no clock.
"""

from __future__ import annotations

from typing import Final

from orch.api.manifests.cel import COLLECTOR, LABELS, OUR_LABELS_KEPT, Check, allowed, kept_but

MACHINE_REFUSED: Final = "machines do not decide"
"""Begins the refusal of a decision by a service account, the operator's own among them."""

VARIABLES: Final = {
    "deleted": "request.operation == 'DELETE'",
    "groups": "has(request.userInfo.groups) ? request.userInfo.groups : []",
    "machine": "variables.operator || variables.user.startsWith('system:') || 'system:serviceaccounts' in variables.groups",
    "collector": COLLECTOR,
    "new": "object != null && has(object.spec.decisions) ? object.spec.decisions : {}",
    "old": "oldObject != null && has(oldObject.spec.decisions) ? oldObject.spec.decisions : {}",
    "changed": (
        "!variables.deleted && (variables.new.exists(k, !(k in variables.old) || variables.old[k] != variables.new[k])"
        " || variables.old.exists(k, !(k in variables.new)))"
    ),
    "answers": "variables.changed && variables.user in variables.new",
    "outcome": "oldObject != null && has(oldObject.status) && has(oldObject.status.outcome) ? oldObject.status.outcome : 'Pending'",
    "decided": (
        "variables.outcome != 'Pending' || (oldObject != null && has(oldObject.status) && has(oldObject.status.conditions)"
        " && oldObject.status.conditions.exists(c, c.type == 'Decided' && c.status == 'True'))"
    ),
    "owners": "object != null && has(object.metadata.ownerReferences) ? object.metadata.ownerReferences : []",
    "oldOwners": "oldObject != null && has(oldObject.metadata.ownerReferences) ? oldObject.metadata.ownerReferences : []",
    "finalizers": "object != null && has(object.metadata.finalizers) ? object.metadata.finalizers : []",
    "oldFinalizers": "oldObject != null && has(oldObject.metadata.finalizers) ? oldObject.metadata.finalizers : []",
    **LABELS,
}

_DECISIONS: Final = (
    Check(
        "!variables.changed || !variables.machine",
        f"{MACHINE_REFUSED}: {{variables.user}} is a service account or another system user",
    ),
    Check(
        "!variables.changed"
        " || (variables.new.all(k, k == variables.user || (k in variables.old && variables.old[k] == variables.new[k]))"
        " && variables.old.all(k, k == variables.user || k in variables.new))",
        "you may set or withdraw only your own decision, under the key {variables.user}",
    ),
    Check(
        "!variables.answers || variables.user.matches('^[ -~]+$')",
        "a user name with letters outside of ASCII cannot decide, for it can look like the name of somebody else",
    ),
    Check(
        "!variables.answers || variables.new.all(k, k == variables.user || k.lowerAscii() != variables.user.lowerAscii())",
        "somebody has decided whose name differs from {variables.user} only in upper and lower case",
    ),
    Check(
        "!variables.answers || !has(variables.new[variables.user].groups)"
        " || variables.new[variables.user].groups.all(g, g in variables.groups)",
        "you claim a group that you are not in; yours are {variables.groups.join(', ')}",
    ),
    Check(
        "!variables.answers || !has(variables.new[variables.user].digest)"
        " || variables.new[variables.user].digest == object.spec.subject.digest",
        "the digest is not that of this Approval, which asks about {object.spec.subject.digest}",
    ),
    Check(
        f"!variables.changed || {allowed('approvals', 'approve')}",
        "{variables.user} needs the verb approve on approvals.orch.dev in namespace {request.namespace}",
    ),
    Check(
        "!variables.changed || !variables.decided",
        "this Approval is settled ({variables.outcome}): a new question is asked when its subject moves",
    ),
    Check(
        "!variables.changed || !has(object.metadata.deletionTimestamp)",
        "this Approval is being deleted",
    ),
)

_OBJECT: Final = (
    Check(
        "request.operation != 'CREATE' || variables.operator",
        "only the operator asks for approval",
    ),
    Check(
        "request.operation != 'CREATE' || variables.new.size() == 0",
        "an Approval starts without decisions",
    ),
    Check(
        f"request.operation != 'UPDATE' || ({kept_but('decisions')})",
        "an Approval is immutable but for spec.decisions",
    ),
    Check(
        f"variables.deleted || variables.operator || ({OUR_LABELS_KEPT})",
        "only the operator sets labels under orch.dev/ on an Approval",
    ),
    Check(
        "variables.deleted || variables.operator || variables.collector || variables.owners == variables.oldOwners",
        "only the operator sets the owners of an Approval",
    ),
    Check(
        "variables.deleted || variables.operator || variables.finalizers.all(f, f in variables.oldFinalizers)",
        "only the operator puts finalizers on an Approval",
    ),
    Check(
        "!variables.deleted || variables.operator || variables.collector || has(namespaceObject.metadata.deletionTimestamp)"
        " || variables.outcome in ['Expired', 'Superseded', 'NotRequired']"
        " || (!variables.decided && variables.old.all(k, k == variables.user))",
        "an Approval that somebody has answered is not deleted: cancel or delete {oldObject.spec.target.name}, which asks",
    ),
)

CHECKS: Final = (*_DECISIONS, *_OBJECT)
"""In the order in which the server tells the first that fails."""
