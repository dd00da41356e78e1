"""Objects of one of our kinds as models: what reconcilers read and write.

A Store is bound to a model class and knows nothing else about it. It writes status and metadata, never spec, and
never without the resourceVersion that was read: a lost race is a Conflict, and the loop reads again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Protocol, Self, TypeVar

from pydantic import ValidationError

from orch.kube.client import Kube
from orch.kube.errors import Conflict, Unreadable
from orch.kube.objects import PAGE, Document, Objects
from orch.kube.resource import Resource


class Metadata(Protocol):
    """What a Store needs of `metadata`."""

    @property
    def name(self) -> str | None: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def uid(self) -> str | None: ...
    @property
    def resource_version(self) -> str | None: ...


class Model(Protocol):
    """What a Store needs of a kind's class. `dump` is the wire form; absent fields are left out."""

    GROUP: ClassVar[str]
    VERSION: ClassVar[str]
    PLURAL: ClassVar[str]
    KIND: ClassVar[str]

    @property
    def metadata(self) -> Metadata: ...
    @classmethod
    def model_validate(cls, obj: Any, /) -> Self: ...
    def dump(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=Model)


class Store(Generic[T]):
    """Typed access to one kind. Every method raises the errors of `orch.kube.errors`."""

    def __init__(self, kube: Kube, model: type[T]) -> None:
        self._model = model
        self.resource = Resource(model.GROUP, model.VERSION, model.PLURAL, model.KIND)
        self.objects = Objects(kube, self.resource)

    async def find(self, namespace: str, name: str) -> T | None:
        """The object now, straight from the API server; None if there is none."""
        document = await self.objects.find(namespace, name)
        return None if document is None else self._read(document)

    async def get(self, namespace: str, name: str) -> T:
        """Like `find`, but raises KubeNotFound."""
        return self._read(await self.objects.get(namespace, name))

    async def list(
        self, namespace: str | None = None, *, labels: str = "", fields: str = "", page: int = PAGE
    ) -> list[T]:
        """All objects that match, in one namespace or in all (None). One that cannot be read is left out and logged: its own
        reconcile says so on it, and the others are not held up."""
        listing = await self.objects.list(namespace, labels=labels, fields=fields, page=page)
        found: list[T] = []
        for item in listing.items:
            try:
                found.append(self._read(item))
            except Unreadable as error:
                _log_unreadable(self.resource, error)
        return found

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        """Create the object in its namespace. Status is not sent. Raises AlreadyExists: look whether it is ours."""
        document = {key: value for key, value in obj.dump().items() if key != "status"}
        return self._model.model_validate(await self.objects.create(obj.metadata.namespace, document, dry_run=dry_run))

    async def write_status(self, obj: T, previous: T) -> T:
        """Bring `status` to the server if it differs from that of `previous`, the object as it was read.

        Returns the object as the server has it now, or `obj` itself when nothing had changed and nothing was sent. What
        goes over the wire is the difference, so fields that a newer operator wrote survive. Raises Conflict.
        """
        if obj == previous:
            return obj  # what waits is compared again and again, and seldom differs: dumping both costs thirty times as much
        change = merge_patch(previous.dump().get("status") or {}, obj.dump().get("status") or {})
        if not change:
            return obj
        meta = previous.metadata
        return await self._patch(previous, {"status": change}, subresource="status", version=meta.resource_version)

    async def patch_metadata(
        self,
        obj: T,
        *,
        labels: Mapping[str, str | None] | None = None,
        annotations: Mapping[str, str | None] | None = None,
        finalizers: Sequence[str] | None = None,
    ) -> T:
        """Set labels and annotations (None removes one) and the whole list of finalizers. Raises Conflict."""
        wanted = {
            "labels": dict(labels) if labels else None,
            "annotations": dict(annotations) if annotations else None,
            "finalizers": list(finalizers) if finalizers is not None else None,
        }
        change = {key: value for key, value in wanted.items() if value is not None}
        if not change:
            return obj
        return await self._patch(obj, {"metadata": change}, version=obj.metadata.resource_version)

    async def delete(self, obj: T) -> bool:
        """Delete this very object; False if it was gone. Raises Conflict when another has taken its name."""
        return await self.objects.delete(obj.metadata.namespace, _name(obj), uid=obj.metadata.uid)

    def _read(self, document: Document) -> T:
        """The object as a model. Raises Unreadable; its text quotes no value of the object."""
        try:
            return self._model.model_validate(document)
        except ValidationError as error:
            first, meta = error.errors(include_input=False, include_url=False)[0], document.get("metadata") or {}
            field = ".".join(str(part) for part in first["loc"])
            text = f"{self.resource.kind} {meta.get('name')!r} cannot be read, at {field}: {first['msg'][:200]}"
            hint = "a newer version of orch wrote it, or somebody by hand: upgrade the operator, or correct it"
            raise Unreadable(f"{text}; {hint}", document=document) from None

    async def _patch(self, obj: T, change: Document, *, version: str | None, subresource: str | None = None) -> T:
        if version is None:
            raise Conflict("Conflict", f"{self.resource.kind} {_name(obj)!r} was not read from the API server")
        document = await self.objects.patch(
            obj.metadata.namespace, _name(obj), change, subresource=subresource, resource_version=version
        )
        return self._model.model_validate(document)


def _name(obj: Model) -> str:
    return obj.metadata.name or ""


def _log_unreadable(resource: Resource, error: Unreadable) -> None:
    import structlog  # here, for a person at a terminal waits for it as long as for a request

    structlog.get_logger(__name__).warning("store.unreadable", resource=resource.name, why=error.message)


def merge_patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    """The RFC 7396 patch that turns `old` into `new`: changed keys, None for removed ones, lists as a whole."""
    patch: Document = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
        elif isinstance(value, Mapping) and isinstance(old[key], Mapping):
            if inner := merge_patch(old[key], value):
                patch[key] = inner
        elif old[key] != value:
            patch[key] = value
    return patch
