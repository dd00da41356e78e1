"""Objects of one kind as plain documents: find, list, create, patch, delete.

For kinds that are not ours (Job, Lease, ConfigMap) and as the ground under `orch.kube.store`. It never interprets
a spec.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from orch.kube.client import FIELD_MANAGER, Kube
from orch.kube.errors import Expired, KubeNotFound
from orch.kube.resource import Resource

PAGE: Final = 500
"""Objects per page of a list, as kubectl and client-go ask."""

Document = dict[str, Any]


@dataclass
class Listing:
    """All objects of a list, consistent at `resource_version`."""

    resource_version: str = ""
    items: list[Document] = field(default_factory=list)


class Objects:
    """Plain access to one kind. Every method raises the errors of `orch.kube.errors`."""

    def __init__(self, kube: Kube, resource: Resource) -> None:
        self.kube = kube
        self.resource = resource

    async def get(self, namespace: str | None, name: str) -> Document:
        """Raises KubeNotFound."""
        return await self.kube.request("get", self.resource, namespace=namespace, name=name)

    async def find(self, namespace: str | None, name: str) -> Document | None:
        try:
            return await self.get(namespace, name)
        except KubeNotFound:
            return None

    async def list(
        self,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        page: int = PAGE,
        metadata_only: bool = False,
    ) -> Listing:
        """All objects that match the label and field selectors, in one namespace or in all (None).

        `metadata_only`: without spec and status, for who counts."""
        while True:
            listing = Listing()
            try:
                pages = self.pages(namespace, labels=labels, fields=fields, page=page, metadata_only=metadata_only)
                async for chunk in pages:
                    listing.resource_version = chunk["metadata"]["resourceVersion"]
                    listing.items += chunk.get("items") or []
            except Expired:  # a continuation lives five minutes; a list that slow starts again, whole
                if not listing.items:
                    raise
                continue
            return listing

    async def pages(
        self,
        namespace: str | None = None,
        *,
        labels: str = "",
        fields: str = "",
        page: int = PAGE,
        metadata_only: bool = False,
    ) -> AsyncIterator[Document]:
        """The same page by page, for who keeps only a little of each object. Raises Expired when it takes minutes."""
        query: dict[str, str | int] = {"limit": page}
        if labels:
            query["labelSelector"] = labels
        if fields:
            query["fieldSelector"] = fields
        while True:
            chunk = await self.kube.request(
                "list", self.resource, namespace=namespace, query=query, metadata_only=metadata_only
            )
            yield chunk
            token = chunk["metadata"].get("continue")
            if not token:
                return
            query["continue"] = token

    async def create(self, namespace: str | None, document: Mapping[str, Any], *, dry_run: bool = False) -> Document:
        """Create strictly: a field that the server does not know is refused, never dropped. Raises AlreadyExists."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        body = {"apiVersion": self.resource.api_version, "kind": self.resource.kind, **document}
        return await self.kube.request("create", self.resource, namespace=namespace, query=query, body=body)

    async def update(self, namespace: str | None, name: str, document: Mapping[str, Any]) -> Document:
        """Replace the object; `metadata.resourceVersion` in it makes this conditional. Raises Conflict."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self.kube.request(
            "update", self.resource, namespace=namespace, name=name, query=query, body=dict(document)
        )

    async def patch(
        self,
        namespace: str | None,
        name: str,
        change: Mapping[str, Any],
        *,
        subresource: str | None = None,
        resource_version: str | None = None,
        dry_run: bool = False,
    ) -> Document:
        """Apply a merge patch (None removes a key). Raises Conflict if `resource_version` is no longer the current."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        body = dict(change)
        if resource_version is not None:
            body["metadata"] = {**body.get("metadata", {}), "resourceVersion": resource_version}
        return await self.kube.request(
            "patch", self.resource, namespace=namespace, name=name, subresource=subresource, query=query, body=body
        )

    async def delete(
        self, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = "Background"
    ) -> bool:
        """Delete; False if it was gone already. With `uid`, Conflict if another object has taken the name."""
        options: Document = {"propagationPolicy": propagation}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        try:
            await self.kube.request("delete", self.resource, namespace=namespace, name=name, body=options)
        except KubeNotFound:
            return False
        return True
