"""What admission would say to a document, without a server. Called by `kubectl orch validate` and `init`; pure.

The same schema that the CRD is made from, unknown fields refused as by `kubectl --validate=strict`, and the Python
twins of the CEL rules. What only a server knows (what the object was before, whether a Secret exists) is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from orch.api.schema import Schema, object_schema
from orch.api.v1alpha1 import KINDS, KubeObject
from orch.api.v1alpha1.markers import LIST_KEYS, LIST_TYPE, RULES

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_TEXT_MAP: Final = {"type": "object", "additionalProperties": {"type": "string"}}
_METADATA: Final[Schema] = {
    "type": "object",
    "properties": {
        **{name: {"type": "string"} for name in ("name", "namespace", "generateName", "uid", "resourceVersion")},
        **{name: {"type": "string"} for name in ("creationTimestamp", "deletionTimestamp", "selfLink")},
        **{name: {"type": "integer"} for name in ("generation", "deletionGracePeriodSeconds")},
        **dict.fromkeys(("labels", "annotations"), _TEXT_MAP),
        "finalizers": {"type": "array", "items": {"type": "string"}},
        **{name: {"type": "array", "items": {}} for name in ("ownerReferences", "managedFields")},
    },
}


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where: `spec.issues.selector.anyOf[0]`; an empty path means the document as a whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def validate(document: Any) -> list[Problem]:
    """All that is wrong with one document of ours, in the order of its fields; empty if nothing is."""
    if not isinstance(document, dict):
        return [Problem("", "must be a mapping with apiVersion, kind, metadata and spec")]
    kinds = {(f"{kind.GROUP}/{kind.VERSION}", kind.KIND): kind for kind in KINDS}
    kind = kinds.get((str(document.get("apiVersion")), str(document.get("kind"))))
    if kind is None:
        known = ", ".join(sorted(kind.KIND for kind in KINDS))
        found = f"{document.get('apiVersion', 'no apiVersion')} {document.get('kind', 'without kind')}"
        return [Problem("", f"{found} is no kind of orch: use {KINDS[0].GROUP}/{KINDS[0].VERSION} and one of {known}")]
    return list(_problems(document, _full_schema(kind)))


def _full_schema(kind: type[KubeObject]) -> Schema:
    own = object_schema(kind)
    header = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _METADATA}
    return {**own, "properties": {**header, **own["properties"]}, "required": ["metadata", *own["required"]]}


def _problems(document: dict[str, Any], schema: Schema) -> Iterator[Problem]:
    complete = _defaulted(document, schema)
    errors = _VALIDATOR(schema, format_checker=_FORMATS).iter_errors(complete)
    found = [Problem(_path(error), _message(error)) for error in errors]
    found += _unknown(document, schema, "")
    if not found:
        found += _name_problems(document["metadata"])
        found += _broken_rules(complete, schema, "")
    yield from dict.fromkeys(found)


def _name_problems(metadata: dict[str, Any]) -> Iterator[Problem]:
    name = metadata.get("name", "")
    if not name and not metadata.get("generateName"):
        yield Problem("metadata.name", "is required")
    elif name and (len(name) > 253 or _NAME.fullmatch(name) is None):
        yield Problem("metadata.name", "must be lower case letters, digits, - and . (RFC 1123 subdomain)")


def _defaulted(value: Any, schema: Schema) -> Any:
    """The value as the server completes it: nulls of optional fields dropped, then the schema's defaults filled in."""
    if isinstance(value, list):
        return [_defaulted(item, schema.get("items", {})) for item in value]
    if not isinstance(value, dict):
        return value
    fields: dict[str, Schema] = schema.get("properties", {})
    is_map = "additionalProperties" in schema
    given = {key: item for key, item in value.items() if not (item is None and (is_map or key in fields))}
    absent = {key: field["default"] for key, field in fields.items() if key not in given and "default" in field}
    rest: Schema = schema.get("additionalProperties", {})
    return {key: _defaulted(item, fields.get(key, rest)) for key, item in {**given, **absent}.items()}


def _unknown(value: Any, schema: Schema, path: str) -> Iterator[Problem]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unknown(item, schema.get("items", {}), f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    fields: dict[str, Schema] = schema.get("properties", {})
    for key, item in value.items():
        here = f"{path}.{key}" if path else str(key)
        if key in fields:
            yield from _unknown(item, fields[key], here)
        elif "additionalProperties" in schema:
            yield from _unknown(item, schema["additionalProperties"], here)
        elif fields:
            near = get_close_matches(str(key), fields, n=1)
            yield Problem(here, "unknown field" + (f": did you mean {near[0]}?" if near else ""))


def _broken_rules(value: Any, schema: Schema, path: str) -> Iterator[Problem]:
    for entry in schema.get(RULES, []):
        if "check" in entry and not _holds(entry["check"], value):
            yield Problem(path, entry["message"])
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _broken_rules(item, schema.get("items", {}), f"{path}[{index}]")
    if isinstance(value, dict):
        fields = schema.get("properties", {})
        for key, item in value.items():
            child = fields.get(key, schema.get("additionalProperties", {}))
            yield from _broken_rules(item, child, f"{path}.{key}" if path else key)


def _holds(check: Any, value: Any) -> bool:
    try:
        return bool(check(value))
    except ValueError:
        return False  # e.g. a duration too long to count: CEL fails there as well


# --- jsonschema, told what the API server does otherwise -----------------------------------------------------------

_FORMATS: Final = FormatChecker(formats=())


@_FORMATS.checks("date-time", raises=ValueError)
def _is_time(value: object) -> bool:
    """RFC 3339 as go-openapi's strfmt reads it: with seconds and a zone."""
    if not isinstance(value, str):
        return True
    if re.fullmatch(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", value, re.ASCII) is None:
        return False
    return datetime.fromisoformat(value[:19].upper()) is not None


def _pattern(_validator: Any, pattern: str, value: Any, _schema: Schema) -> Iterator[ValidationError]:
    # Go's $ is the end of the text, Python's also stands before a last newline.
    if isinstance(value, str) and re.search(pattern.removesuffix("$") + r"\Z", value, re.ASCII) is None:
        yield ValidationError(f"{value[:60]!r} does not match {pattern}")


def _unique(_validator: Any, kind: str, value: Any, schema: Schema) -> Iterator[ValidationError]:
    if kind == "atomic" or not isinstance(value, list):
        return
    (key,) = schema.get(LIST_KEYS, [None])
    seen = []
    for index, item in enumerate(value):
        identity = item.get(key) if key is not None and isinstance(item, dict) else item
        if identity in seen:
            yield ValidationError(f"{identity!r} is in the list twice", path=[index])
        seen.append(identity)


_VALIDATOR: Final[Any] = extend(Draft202012Validator, {"pattern": _pattern, LIST_TYPE: _unique})  # type: ignore[no-untyped-call]


def _path(error: ValidationError) -> str:
    text = ""
    for part in error.absolute_path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    if error.validator == "required":
        text += "." + re.findall(r"'([^']*)'", error.message)[0]
    return text.removeprefix(".")


def _message(error: ValidationError) -> str:
    value, bound = error.instance, error.validator_value
    words = {
        "required": "is required",
        "type": f"must be of type {bound}, not {_type_name(value)}",
        "enum": f"must be one of {', '.join(map(str, bound)) if isinstance(bound, list) else bound}, not {value!r}",
        "minimum": f"must be at least {bound}",
        "maximum": f"must be at most {bound}",
        "minLength": f"must be at least {bound} characters long",
        "maxLength": f"must be at most {bound} characters long",
        "maxItems": f"must have at most {bound} items",
        "maxProperties": f"must have at most {bound} entries",
        "format": "must be a time such as 2026-01-31T12:00:00Z",
    }
    return words.get(str(error.validator), error.message)


def _type_name(value: Any) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null" if value is None else type(value).__name__)
