"""What the API server says to an object. Holds no test."""

import json
from dataclasses import dataclass
from typing import Any

from kubernetes.aio.client import ApiClient, ApiException, CustomObjectsApi

from orch.api.v1alpha1 import GROUP, KINDS, VERSION

PLURALS = {kind.KIND: kind.PLURAL for kind in KINDS}


@dataclass(frozen=True)
class Refusal:
    """Why an object was refused: what the person reads, and each cause with its field."""

    message: str
    causes: tuple[tuple[str, str], ...]

    @property
    def fields(self) -> set[str]:
        return {field.replace("<nil>", "") for field, _ in self.causes}

    def says(self, path: str, message: str) -> bool:
        """Whether it was refused at `path` with this message and no other: scalars are quoted before it."""
        return any(
            field == (path or "<nil>") and (text == f"Invalid value: {message}" or text.endswith(f": {message}"))
            for field, text in self.causes
        )


@dataclass(frozen=True)
class Server:
    """One namespace of the server. Unknown fields are refused, as `kubectl --validate=strict` asks for."""

    api: ApiClient
    namespace: str

    async def refusal(self, document: dict[str, Any]) -> Refusal | None:
        """None if the object would be created; nothing is stored."""
        try:
            await self.create(document, dry_run="All")
        except ApiException as refused:
            return _refusal(refused)
        return None

    async def create(self, document: dict[str, Any], **options: Any) -> dict[str, Any]:
        objects = CustomObjectsApi(self.api)
        plural = PLURALS[document["kind"]]
        created: dict[str, Any] = await objects.create_namespaced_custom_object(
            GROUP, VERSION, self.namespace, plural, document, field_validation="Strict", **options
        )
        return created

    async def change(self, document: dict[str, Any], changes: dict[str, Any]) -> Refusal | None:
        """Merge `changes` into the stored object; None if the server took them."""
        objects = CustomObjectsApi(self.api)
        plural, name = PLURALS[document["kind"]], document["metadata"]["name"]
        try:
            await objects.patch_namespaced_custom_object(
                GROUP, VERSION, self.namespace, plural, name, changes, _content_type="application/merge-patch+json"
            )
        except ApiException as refused:
            return _refusal(refused)
        return None


def _refusal(refused: ApiException) -> Refusal:
    assert refused.status in (400, 422), refused
    status = json.loads(refused.body)
    causes = status.get("details", {}).get("causes", [])
    return Refusal(status["message"], tuple((cause.get("field", ""), cause["message"]) for cause in causes))
