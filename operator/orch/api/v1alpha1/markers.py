"""What a structural schema says beside the type: CEL rules and list types. Used in the models' annotations.

A marker adds to the JSON schema that pydantic makes; `orch.api.schema` turns that into the CRD's. It validates nothing
itself: the API server does, and `orch.api.validate` for files that have not been sent yet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

RULES = "x-kubernetes-validations"
LIST_TYPE = "x-kubernetes-list-type"
LIST_KEYS = "x-kubernetes-list-map-keys"


@dataclass(frozen=True)
class Rule:
    """A CEL rule of the API server (Kubernetes docs, "CRD validation rules"), and the same in Python for use offline.

    `check` sees the value as it is on the wire with defaults in place, and answers whether it is fine; None for rules
    about `oldSelf`, which a file alone cannot break. A test feeds both the same objects.
    """

    expression: str
    message: str
    check: Callable[[Any], bool] | None = None

    def as_schema(self) -> dict[str, Any]:
        """One entry of `x-kubernetes-validations`, with the Python twin under `check`."""
        entry: dict[str, Any] = {"rule": self.expression, "message": self.message}
        return entry if self.check is None else {**entry, "check": self.check}

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = dict(handler(core))
        return {**schema, RULES: [*schema.get(RULES, []), self.as_schema()]}


def immutable(field: str, message: str = "") -> Rule:
    """The field keeps the value that it was created with."""
    return Rule("self == oldSelf", message or f"{field} is immutable")


@dataclass(frozen=True)
class ListType:
    """How the API server merges and checks a list: `set` and `map` refuse duplicates, `atomic` is one value."""

    kind: str
    key: str | None = None

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        schema = {**handler(core), LIST_TYPE: self.kind}
        return schema if self.key is None else {**schema, LIST_KEYS: [self.key]}


ATOMIC = ListType("atomic")
SET = ListType("set")


def keyed_by(key: str) -> ListType:
    """A list of objects with one object for each value of `key`."""
    return ListType("map", key)
