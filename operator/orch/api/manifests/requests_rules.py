"""What people may ask of the operator by IssueRuns and RollbackPoints: in their own name, once, and nothing but that.

Used by `orch.api.manifests.policies`.
"""

from __future__ import annotations

from typing import Final

from orch.api.manifests.cel import COLLECTOR, LABELS, OUR_LABELS_KEPT, Check, allowed, kept_but

VARIABLES: Final = {
    "run": "request.resource.resource == 'issueruns'",
    "created": "request.operation == 'CREATE'",
    "collector": COLLECTOR,
    "cancels": "has(object.spec.cancel) && (oldObject == null || !has(oldObject.spec.cancel))",
    "adopts": (
        "has(object.spec.adopt) && (oldObject == null || !has(oldObject.spec.adopt) || object.spec.adopt != oldObject.spec.adopt)"
    ),
    "requests": "has(object.spec.request) && (oldObject == null || !has(oldObject.spec.request))",
    "attempt": "has(object.spec.attempt) ? object.spec.attempt : 1",
    "name": (
        "variables.run ? object.spec.repositoryRef.name + '-' + string(object.spec.issueNumber) + '-' + string(variables.attempt)"
        " : object.metadata.name"
    ),
    **LABELS,
}

_ASKED_BY_A_PERSON: Final = "variables.run && variables.created && !variables.operator"

CHECKS: Final = (
    Check(
        f"!({_ASKED_BY_A_PERSON}) || (object.spec.trigger.type in ['Manual', 'Retry']"
        " && has(object.spec.trigger.username) && object.spec.trigger.username == variables.user)",
        "spec.trigger must be of type Manual or Retry, with username {variables.user}",
    ),
    Check(
        f"!({_ASKED_BY_A_PERSON}) || (!has(object.spec.trigger.githubLogin) && !has(object.spec.trigger.eventID))",
        "spec.trigger of a run that a person asks for names neither githubLogin nor eventID",
    ),
    Check(
        "!(variables.run && variables.created) || object.metadata.name == variables.name",
        "an IssueRun is named after its repository, issue and attempt: {variables.name}",
    ),
    Check(
        "!variables.cancels || object.spec.cancel.username == variables.user",
        "spec.cancel.username must be {variables.user}",
    ),
    Check(
        "!variables.adopts || !variables.operator",
        "the operator does not adopt somebody else's commits by itself: a person asks for it",
    ),
    Check(
        "!variables.adopts || object.spec.adopt.username == variables.user",
        "spec.adopt.username must be {variables.user}",
    ),
    Check(
        "!variables.requests || object.spec.request.username == variables.user",
        "spec.request.username must be {variables.user}",
    ),
    Check(
        f"!variables.requests || {allowed('rollbackpoints', 'rollback')}",
        "{variables.user} needs the verb rollback on rollbackpoints.orch.dev in namespace {request.namespace}",
    ),
    Check(
        "variables.run || !variables.created || variables.operator",
        "only the operator records merges",
    ),
    Check(
        f"!variables.run || variables.created || ({kept_but('suspend', 'cancel', 'adopt')})",
        "an IssueRun is immutable but for spec.suspend, spec.cancel and spec.adopt",
    ),
    Check(
        f"variables.run || variables.created || ({kept_but('request', 'keep')})",
        "the recorded merge is immutable",
    ),
    Check(
        "variables.created || !has(oldObject.spec.cancel)"
        " || (has(object.spec.cancel) && object.spec.cancel == oldObject.spec.cancel)",
        "spec.cancel cannot be changed or taken back",
    ),
    Check(
        "variables.created || !has(oldObject.spec.request)"
        " || (has(object.spec.request) && object.spec.request == oldObject.spec.request)",
        "spec.request cannot be changed or taken back",
    ),
    Check(
        f"variables.created || variables.operator || ({OUR_LABELS_KEPT})",
        "only the operator changes labels under orch.dev/",
    ),
    Check(
        f"!({_ASKED_BY_A_PERSON}) || variables.labels.all(k, !k.startsWith('orch.dev/')"
        " || (k == 'orch.dev/repo' && variables.labels[k] == object.spec.repositoryRef.name)"
        " || (k == 'orch.dev/issue' && variables.labels[k] == string(object.spec.issueNumber)))",
        "of the labels under orch.dev/ a person sets repo and issue, as spec has them",
    ),
    Check(
        "!variables.run || variables.operator || variables.collector || !has(object.metadata.ownerReferences)"
        " || object.metadata.ownerReferences.all(o, o.kind == 'OrchestratedRepo' && o.name == object.spec.repositoryRef.name)",
        "the owner of an IssueRun is the OrchestratedRepo that it names",
    ),
)
"""In the order in which the server tells the first that fails."""
