"""What all kinds share: the base of the models, metadata, references, conditions. Used by every file of this package.

Attributes are snake_case, the wire is camelCase with the initialisms of the Kubernetes API conventions (`headSHA`).
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, SerializerFunctionWrapHandler, model_serializer
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema

from orch.api.v1alpha1.markers import RULES, Rule, immutable, keyed_by
from orch.api.v1alpha1.types import ObjectName, Time, text

GROUP: Final = "orch.dev"
VERSION: Final = "v1alpha1"
_INITIALISMS: Final = frozenset({"id", "sha", "uid", "usd"})


def to_wire(name: str) -> str:
    """`head_sha` → `headSHA`, `event_id` → `eventID`, `class_` → `class`."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(word.upper() if word in _INITIALISMS else word.capitalize() for word in rest)


class Model(BaseModel):
    """A part of an object's spec: read, never changed. Unknown fields are ignored: a newer server may send them."""

    model_config = ConfigDict(
        alias_generator=to_wire,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
        defer_build=True,
    )
    RULES: ClassVar[tuple[Rule, ...]] = ()
    """CEL rules about several fields of this object."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = handler(core)
        own = handler.resolve_ref_schema(schema)
        if cls.RULES:
            own[RULES] = [rule.as_schema() for rule in cls.RULES]
        # pydantic writes a default as its own types would be; ours are strings on the wire.
        defaults = cls.model_construct().model_dump(mode="json", by_alias=True, warnings=False)
        for name, field in own.get("properties", {}).items():
            if "default" in field:
                field["default"] = defaults.get(name, field["default"])
        return schema

    @model_serializer(mode="wrap")
    def _without_empty(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what means the same when absent; `anyOf: []` stays, as its default is not empty."""
        wire: dict[str, Any] = handler(self)
        droppable = _droppable(type(self))
        return {key: value for key, value in wire.items() if value or key not in droppable or value not in ([], {})}

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself: nobody changes it. pydantic copies each default, and a spec is mostly defaults."""
        return self

    def dump(self) -> dict[str, Any]:
        """The wire form: JSON-able, camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


@cache
def _droppable(model: type[Model]) -> frozenset[str]:
    """Names, inside and on the wire, of the fields whose default is empty."""
    empty = {name: field.alias for name, field in model.model_fields.items() if _is_empty(field)}
    return frozenset(empty) | frozenset(alias for alias in empty.values() if alias is not None)


def _is_empty(field: FieldInfo) -> bool:
    if field.is_required():
        return False
    default = field.get_default(call_default_factory=True)
    return default in ([], {}) or isinstance(default, BaseModel)


class StatusModel(Model):
    """A part of an object's status: written by the operator only. Assignments are validated, so that a value that the
    server would refuse fails where it is made."""

    model_config = ConfigDict(frozen=False, validate_assignment=True)

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Made of what is in a status and no more: `copy.deepcopy` asks of each text whether it can be changed, and each look at
        a run begins with a copy."""
        copied = self.model_copy()
        for name, value in self.__dict__.items():
            copied.__dict__[name] = _copied(value)
        return copied


def _copied(value: Any) -> Any:
    """Models, lists and dictionaries anew; whatever else a field holds cannot be changed."""
    if isinstance(value, StatusModel):
        return value.__deepcopy__()
    if isinstance(value, list):
        return [_copied(entry) for entry in value]
    if isinstance(value, dict):
        return {key: _copied(entry) for key, entry in value.items()}
    return value


class OwnerReference(StatusModel):
    """Who owns the object (metav1.OwnerReference): it is collected when its owners are gone."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(StatusModel):
    """The part of metav1.ObjectMeta that orch reads or writes."""

    name: str = ""
    namespace: str | None = None
    uid: str | None = None
    resource_version: str | None = None
    generation: int | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    owner_references: list[OwnerReference] = Field(default_factory=list)
    creation_timestamp: Time | None = None
    deletion_timestamp: Time | None = None


class KubeObject(StatusModel):
    """An object of one of our kinds. Subclasses add `spec` and, where the kind has one, `status`."""

    GROUP: ClassVar[str] = GROUP
    VERSION: ClassVar[str] = VERSION
    KIND: ClassVar[str]
    PLURAL: ClassVar[str]
    SHORT: ClassVar[str]

    api_version: str = f"{GROUP}/{VERSION}"
    kind: str = ""
    metadata: ObjectMeta

    def model_post_init(self, _context: Any, /) -> None:
        """A built object knows its kind; a read one has it, or comes from a list, whose items leave it out."""
        if not self.kind:
            self.kind = self.KIND

    def deep_copy(self) -> Self:
        """An independent copy, to compare a changed status with the one that was read."""
        return self.model_copy(deep=True)


def name_at_most(length: int) -> Rule:
    """The longest name of an object of a kind, so that the names made from it fit too."""
    return Rule(
        f"self.metadata.name.size() <= {length}",
        f"name must be at most {length} characters",
        lambda obj: len(obj["metadata"].get("name", "")) <= length,
    )


class LocalRef(Model):
    """An object in the same namespace."""

    name: ObjectName
    """Name of the object, in the same namespace."""


RepositoryRef = Annotated[LocalRef, immutable("repositoryRef")]


class ConditionStatus(StrEnum):
    """metav1.ConditionStatus."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(StatusModel):
    """One aspect of the object's state (metav1.Condition, KEP-1623)."""

    type: Annotated[str, text(64, 1, r"^[A-Za-z]([A-Za-z0-9]*)$")]
    """What the condition is about."""
    status: ConditionStatus
    """Whether it holds; `Unknown` while that is not known yet."""
    observed_generation: Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})] | None = None
    """`metadata.generation` that this was decided on."""
    last_transition_time: Time
    """When `status` last changed; a new reason or message alone does not move it."""
    reason: Annotated[str, text(128, 1, r"^[A-Za-z]([A-Za-z0-9_]*[A-Za-z0-9])?$")]
    """Why, for machines; see the reference of conditions."""
    message: Annotated[str, text(1024)]
    """Why, where and what to do, for people."""


Conditions = Annotated[list[Condition], Field(max_length=16), keyed_by("type")]


class ObjectStatus(StatusModel):
    """What every status holds."""

    observed_generation: Annotated[int, Field(ge=-1, json_schema_extra={"format": "int64"})] = -1
    """`metadata.generation` that the operator has last worked on; -1 until it has seen the object."""
    conditions: Conditions = Field(default_factory=list)
    """The object's state, one entry for each type."""


class ReconciledStatus(ObjectStatus):
    """A status that can be asked for a fresh look."""

    last_handled_reconcile_at: Annotated[str, text(64)] | None = None
    """The value of the annotation `orch.dev/requestedAt` that was last acted on."""
