"""A change to an object in a person's name, and what is said of it. Called by the verbs that change something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import typer

from orch.api.v1alpha1 import GROUP, KubeObject
from orch.cli.options import Form
from orch.cli.output import say, show_document
from orch.kube.client import Kube
from orch.kube.resource import Resource

_MANAGER: Final = "kubectl-orch"
"""Owner of what people set by these verbs, as `kubectl get --show-managed-fields` shows it."""


async def change(
    kube: Kube,
    obj: KubeObject,
    spec: Mapping[str, Any],
    *,
    annotations: Mapping[str, str] | None = None,
    as_read: bool = False,
) -> dict[str, Any]:
    """Patch `spec` and annotations of this very object (its uid), and with `as_read` only if nobody has changed it since.
    Returns it as the server has it then. Raises Conflict, Forbidden, Invalid."""
    meta = obj.metadata
    metadata: dict[str, Any] = {"uid": meta.uid, **({"resourceVersion": meta.resource_version} if as_read else {})}
    if annotations:
        metadata["annotations"] = dict(annotations)
    query = {"fieldManager": _MANAGER, "fieldValidation": "Strict"}
    body = {"metadata": metadata, "spec": dict(spec)}
    resource = Resource.of(type(obj))
    return await kube.request("patch", resource, namespace=meta.namespace, name=meta.name, query=query, body=body)


def shown(obj: KubeObject) -> str:
    """`issuerun.orch.dev/web-7-1`, as kubectl names an object that it has changed."""
    return f"{obj.KIND.lower()}.{GROUP}/{obj.metadata.name}"


class Report:
    """What a verb says of each object that it has changed: a sentence, or the object, as `kubectl patch -o` does. One for a run
    of a verb."""

    def __init__(self, output: Form | None) -> None:
        self._output = output
        self._printed = 0

    def tell(self, obj: KubeObject, sentence: str, changed: Mapping[str, Any] | None = None) -> None:
        """`changed`: the object as the server has it now; None when it is as it was read."""
        match self._output:
            case None:
                say(sentence)
            case Form.NAME:
                say(shown(obj))
            case Form.JSON | Form.YAML:
                if self._output is Form.YAML and self._printed:
                    typer.echo("---")
                document = dict(changed if changed is not None else obj.dump())
                (document.get("metadata") or {}).pop("managedFields", None)
                show_document(document, self._output)
        self._printed += 1
