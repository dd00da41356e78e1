"""Whose object is this: controller references, and the check before one is adopted.

Called by reconcilers and runners when they create children, and after AlreadyExists. Values only, no request.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orch.kube.resource import Resource


def controller_reference(owner: Resource, name: str, uid: str, *, block_deletion: bool = True) -> dict[str, Any]:
    """The entry of `metadata.ownerReferences` that makes the garbage collector remove the child with its owner.

    Owner and child must live in one namespace: the collector deletes a child whose owner it cannot see there.
    """
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": block_deletion,
    }


def is_controlled_by(document: Mapping[str, Any], uid: str) -> bool:
    """Whether the object's controller is the one with this uid. A name proves nothing: names are used again."""
    references = (document.get("metadata") or {}).get("ownerReferences") or []
    return any(ref.get("controller") and ref.get("uid") == uid for ref in references)
