"""Small pieces of CEL that several policies share, and the form of one check. Values only.

In CEL an object from the API server is a map, `has(x.y)` asks for a field, and a rule that fails to evaluate refuses
(failurePolicy Fail), so every optional field is asked for first.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Check:
    """One validation: it refuses with `message` when `expression` is false. `{…}` in a message is CEL for a text."""

    expression: str
    message: str

    def as_validation(self) -> dict[str, Any]:
        """One entry of `spec.validations`."""
        texts = re.split(r"\{(.+?)\}", self.message)
        if len(texts) == 1:
            return {"expression": self.expression, "message": self.message}
        parts = [text if index % 2 else quoted(text) for index, text in enumerate(texts) if text]
        return {"expression": self.expression, "messageExpression": " + ".join(parts)}


def quoted(text: str) -> str:
    """A string literal: CEL reads JSON's escapes as they are meant."""
    return json.dumps(text)


def allowed(resource: str, verb: str) -> str:
    """Whether RBAC gives the person this verb on this very object."""
    return (
        f"authorizer.group('orch.dev').resource('{resource}')"
        f".namespace(request.namespace).name(object.metadata.name).check('{verb}').allowed()"
    )


def kept_but(*free: str) -> str:
    """Whether an update leaves every field of spec as it was, but for these."""
    names = ", ".join(f"'{name}'" for name in free)
    return (
        f"object.spec.all(k, k in [{names}] || (k in oldObject.spec && object.spec[k] == oldObject.spec[k]))"
        f" && oldObject.spec.all(k, k in [{names}] || k in object.spec)"
    )


LABELS: Final = {
    "labels": "object != null && has(object.metadata.labels) ? object.metadata.labels : {}",
    "oldLabels": "oldObject != null && has(oldObject.metadata.labels) ? oldObject.metadata.labels : {}",
}
"""Variables for `OUR_LABELS_KEPT`."""

OUR_LABELS_KEPT: Final = (
    "variables.labels.all(k, !k.startsWith('orch.dev/') || (k in variables.oldLabels && variables.oldLabels[k] == variables.labels[k]))"
    " && variables.oldLabels.all(k, !k.startsWith('orch.dev/') || k in variables.labels)"
)
"""Whether the labels by which the operator finds its objects are as they were."""

COLLECTOR: Final = "variables.user in ['system:serviceaccount:kube-system:generic-garbage-collector', 'system:kube-controller-manager']"
"""Kubernetes' garbage collector, which removes owner references and objects whose owner is gone. The second name is that
of a controller manager without `--use-service-account-credentials`."""
