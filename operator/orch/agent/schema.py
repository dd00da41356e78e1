"""The JSON schema of a structured answer, in the part of JSON Schema that structured outputs take.

Used by `answer`. Source: "Structured outputs: JSON schema limitations" of the Claude documentation. Limits that the schema
cannot carry are said in descriptions, and checked by the pydantic model when the answer comes.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

_KEPT: Final = ("$ref", "type", "enum", "items", "anyOf", "const")


def answer_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The schema of `model`: closed objects, all fields required, no limits on numbers or lengths."""
    raw = model.model_json_schema()
    schema = _reduced(raw)
    definitions = {name: _reduced(part) for name, part in raw.get("$defs", {}).items()}
    return schema | ({"$defs": definitions} if definitions else {})


def _reduced(node: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {name: _inside(node[name]) for name in _KEPT if name in node}
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
