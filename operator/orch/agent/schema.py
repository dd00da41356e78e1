"""The JSON schema of a structured answer, in the part of JSON Schema that structured outputs take.

Used by `answer`. Source: "Structured outputs: JSON schema limitations" of the Claude documentation. Limits that the schema
cannot carry are said in descriptions, and checked by `decode` when the answer comes.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from orch.api.work import WorkModel

_KEPT: Final = ("$ref", "type", "enum", "items", "anyOf", "const")


def answer_schema(shape: type[WorkModel]) -> dict[str, Any]:
    """The schema of `shape`: closed objects, all fields required, no limits on numbers or lengths."""
    definitions = {name: _reduced(part) for name, part in msgspec.json.schema(shape)["$defs"].items()}
    schema = definitions.pop(shape.__name__)  # the root has to be an object, and not a reference to one
    return schema | ({"$defs": definitions} if definitions else {})


def _reduced(node: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: _inside(node[name]) for name in _KEPT if name in node}
    if "enum" in kept:
        kept = {"type": "string", **kept}  # all of ours are
    limits = [
        f"{words} {node[name]}"
        for name, words in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"))
        if name in node
    ]
    if limits:
        kept["description"] = " ".join(limits) + (" characters" if "maxLength" in node else "")
    if "properties" in node:
        kept["properties"] = {name: _reduced(part) for name, part in node["properties"].items()}
        kept |= {"required": list(node["properties"]), "additionalProperties": False}
    return kept


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return _reduced(value)
    if isinstance(value, list):
        return [_reduced(item) if isinstance(item, dict) else item for item in value]
    return value
