"""A change to an object in a person's name: a strict merge patch. Called by the verbs that change something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orch.api.v1alpha1 import GROUP, KubeObject
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
    Raises Conflict, Forbidden, Invalid."""
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
