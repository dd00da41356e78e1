"""Pydantic models → structural schemas (Kubernetes docs, "Specifying a structural schema"). Pure.

Called by `crd`, which publishes them, and by `validate`, which holds files against them.

The models are the source: types, bounds and patterns from their annotations, descriptions from their docstrings, CEL
rules and list types from their markers, defaults from their values. A spec's defaults are filled in by the API server;
a status has none, because the operator writes what it knows.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from orch.api.v1alpha1 import KubeObject, Model
from orch.api.v1alpha1.markers import RULES

Schema = dict[str, Any]

_REF: Final = "#/$defs/"
KEYWORDS: Final = (
    "type",
    "format",
    "description",
    "enum",
    "default",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "minItems",
    "maxItems",
    "maxProperties",
    "items",
    "additionalProperties",
    "properties",
    "required",
)
"""What a structural schema may hold, in the order in which it is printed; beside these only `x-kubernetes-…`."""


@cache
def object_schema(kind: type[KubeObject]) -> Schema:
    """The schema of one kind: `spec`, and `status` where it has one. Rules carry their Python twin under `check`.

    The result is shared: do not change it. Raises ValueError for a field without a docstring, or a type that a
    structural schema cannot express.
    """
    schema: Schema = {"type": "object", "description": _one_paragraph(kind.__doc__ or ""), "required": ["spec"]}
    if kind.RULES:
        schema[RULES] = [rule.as_schema() for rule in kind.RULES]
    schema["properties"] = {"spec": _section(kind, "spec")}
    if "status" in kind.model_fields:
        bare = _without_defaults(_section(kind, "status"))
        schema["properties"]["status"] = {**bare, "default": {"observedGeneration": -1}}
    _demand_descriptions(schema, kind.KIND)
    return schema


def _section(kind: type[KubeObject], name: str) -> Schema:
    field = kind.model_fields[name]
    if not (isinstance(field.annotation, type) and issubclass(field.annotation, Model)):
        raise TypeError(f"{kind.KIND}.{name} is no model")
    full = field.annotation.model_json_schema(by_alias=True)
    return {**_inline(full, full.get("$defs", {})), "description": field.description}


def _inline(node: Schema, defs: Schema) -> Schema:
    """Replace references by what they refer to, `X | None` by an optional X, and leave out what CRDs do not know."""
    if "$ref" in node:
        target = defs[node["$ref"].removeprefix(_REF)]
        return _inline({**target, **_without(node, "$ref")}, defs)
    if "anyOf" in node:
        (present,) = (option for option in node["anyOf"] if option.get("type") != "null")
        return _inline({**present, **_without(node, "anyOf", "default")}, defs)
    node = _without(node, "title", "$defs")
    if unknown := [key for key in node if key not in KEYWORDS and not key.startswith("x-kubernetes-")]:
        raise ValueError(f"a structural schema has no {', '.join(unknown)}: {node.get('description', node)}")
    for key in ("items", "additionalProperties"):
        if key in node:
            node[key] = _inline(node[key], defs)
    if "properties" in node:
        node["properties"] = {name: _inline(child, defs) for name, child in node["properties"].items()}
    return _with_plain_default(node)


def _without(node: Schema, *keys: str) -> Schema:
    return {key: value for key, value in node.items() if key not in keys}


def _with_plain_default(node: Schema) -> Schema:
    """A section's default is `{}`, its own fields fill it in. An absent list means an empty one: a default would make
    `has()` true everywhere."""
    if "default" not in node:
        return node
    if "properties" in node:
        return {**node, "default": {}}
    return _without(node, "default") if node["default"] in ([], {}, None) else node


def _without_defaults(node: Schema) -> Schema:
    bare = {key: value for key, value in node.items() if key != "default"}
    if "properties" in bare:
        bare["properties"] = {name: _without_defaults(child) for name, child in bare["properties"].items()}
    if "items" in bare:
        bare["items"] = _without_defaults(bare["items"])
    return bare


def _demand_descriptions(node: Schema, path: str) -> None:
    for name, child in node.get("properties", {}).items():
        if not child.get("description"):
            raise ValueError(f"{path}.{name} has no docstring")
        child["description"] = _one_paragraph(child["description"])
        _demand_descriptions(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(node.get(key), dict):
            node[key].pop("description", None)
            _demand_descriptions(node[key], path)


def _one_paragraph(text: str) -> str:
    return " ".join(text.split())
