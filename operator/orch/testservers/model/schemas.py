"""JSON schemas in requests: is a tool's schema valid, is an output schema in the supported subset, does an answer fit?

Called by `rules` (for requests) and `answers` (for scripts). It never fetches a reference.
Sources: "Define tools" and "Structured outputs: JSON schema limitations" of the Claude documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from orch.testservers.model.errors import invalid

UNSUPPORTED: Final[dict[str, tuple[str, ...]]] = {
    "integer": ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"),
    "number": ("exclusiveMaximum", "exclusiveMinimum", "maximum", "minimum", "multipleOf"),
    "string": ("maxLength", "minLength"),
    "array": ("contains", "maxItems", "uniqueItems"),
    "object": ("maxProperties", "minProperties", "patternProperties"),
}
_INVALID: Final = (
    "JSON schema is invalid. It must match JSON Schema draft 2020-12 (https://json-schema.org/draft/2020-12)."
)


def check_tool_schema(place: str, schema: dict[str, Any]) -> None:
    """Raises ApiError unless `schema` is a valid schema of draft 2020-12."""
    try:
        Draft202012Validator.check_schema(schema)
    except (SchemaError, RecursionError):
        raise invalid(f"{place}: {_INVALID}") from None


def check_output_schema(place: str, schema: dict[str, Any]) -> None:
    """Raises ApiError unless `schema` is in the subset that structured outputs and strict tools support."""
    check_tool_schema(place, schema)
    for part in _subschemas(schema):
        problem = _unsupported(part)
        if problem:
            raise invalid(f"{place}: {problem}")


def misfit(schema: dict[str, Any], value: object) -> str | None:
    """Why `value` does not fit `schema`, in words, or None when it fits."""
    try:
        error = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(value))
    except Unresolvable as err:
        return f"the schema has a reference that leads nowhere: {err}"
    return f"{error.json_path}: {error.message}" if error else None


def _unsupported(schema: dict[str, Any]) -> str | None:
    kinds = schema.get("type")
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        found = [name for name in UNSUPPORTED.get(str(kind), ()) if name in schema]
        if found:
            plural = "properties" if len(found) > 1 else "property"
            verb = "are" if len(found) > 1 else "is"
            return f"For '{kind}' type, {plural} {', '.join(map(repr, found))} {verb} not supported"
        if kind == "array" and schema.get("minItems", 0) > 1:
            return "For 'array' type, 'minItems' values other than 0 or 1 are not supported"
        if kind == "object" and schema.get("additionalProperties") is not False:
            return _open_object(schema)
    return None


def _open_object(schema: dict[str, Any]) -> str:
    if "additionalProperties" not in schema:
        return "For 'object' type, 'additionalProperties' must be explicitly set to false"
    value = "true" if schema["additionalProperties"] is True else "object"
    return (
        f"For 'object' type, 'additionalProperties: {value}' is not supported. "
        "Please set 'additionalProperties' to false"
    )


def _subschemas(schema: object) -> Iterator[dict[str, Any]]:
    """`schema` and every schema inside it, without following references."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name in ("properties", "$defs", "definitions"):
        for child in (schema.get(name) or {}).values():
            yield from _subschemas(child)
    for name in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for child in schema.get(name) or []:
            yield from _subschemas(child)
    yield from _subschemas(schema.get("items"))
