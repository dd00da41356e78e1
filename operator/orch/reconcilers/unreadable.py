"""An object that no model of ours takes: it says so itself, it is let go when it is deleted, and nothing else waits for it.

Called by every reconciler that reads its own object. What is written is a raw patch, since there is no model of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from orch.api.v1alpha1.reasons import AdapterReason
from orch.api.v1alpha1.types import format_time
from orch.kube.errors import KubeError, Unreadable
from orch.kube.store import Model, Store
from orch.reconcilers.projections import FINALIZER

T = TypeVar("T", bound=Model)


async def find_readable(
    store: Store[T], namespace: str, name: str, *, kind: str, status: str, now: datetime
) -> T | None:
    """`store.find`; before it raises Unreadable, the object's condition `kind` becomes `status` with the field that is wrong."""
    try:
        return await store.find(namespace, name)
    except Unreadable as error:
        await _tell(store, error, kind, status, now)
        raise


async def _tell(store: Store[T], error: Unreadable, kind: str, status: str, now: datetime) -> None:
    meta = error.document["metadata"]
    try:
        if meta.get("deletionTimestamp"):
            finalizers = [name for name in meta.get("finalizers") or [] if name != FINALIZER]
            await _patch(store, meta, {"metadata": {"finalizers": finalizers}})
        elif (conditions := _conditions(error, kind, status, now)) is not None:
            await _patch(store, meta, {"status": {"conditions": conditions}}, subresource="status")
    except KubeError:
        return  # its schema may refuse the whole object: the Event that follows says the same


async def _patch(
    store: Store[T], meta: Mapping[str, Any], change: dict[str, Any], *, subresource: str | None = None
) -> None:
    version = meta["resourceVersion"]
    await store.objects.patch(
        meta.get("namespace"), meta["name"], change, subresource=subresource, resource_version=version
    )


def _conditions(error: Unreadable, kind: str, status: str, now: datetime) -> list[Any] | None:
    """The conditions with ours in its place; None when it stands there already."""
    found = error.document.get("status")
    known = found.get("conditions") if isinstance(found, Mapping) else None
    others = [entry for entry in known if isinstance(entry, Mapping)] if isinstance(known, list) else []
    old = next((entry for entry in others if entry.get("type") == kind), {})
    ours = {"type": kind, "status": status, "reason": AdapterReason.UNREADABLE.value, "message": error.message[:1024]}
    if all(old.get(key) == value for key, value in ours.items()):
        return None
    return [*(entry for entry in others if entry is not old), {**ours, "lastTransitionTime": format_time(now)}]
