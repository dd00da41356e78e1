"""The definitions that open every prompt, and the schemas of structured answers, as the API takes them."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from orch.agent.schema import answer_schema
from orch.agent.tools import CHANGING, READING
from orch.api.work import Analysis, Plan, WorkModel
from orch.testservers.model.schemas import check_output_schema, check_tool_schema


@pytest.mark.parametrize("tool", [*READING, *CHANGING], ids=lambda tool: str(tool["name"]))
def test_tools_are_well_formed(tool: dict[str, Any]) -> None:
    check_tool_schema(tool["name"], tool["input_schema"])
    assert set(tool["input_schema"]["required"]) <= set(tool["input_schema"]["properties"])
    assert tool["description"].endswith(".")


def test_names_are_unique() -> None:
    names = [tool["name"] for tool in (*READING, *CHANGING)]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("shape", [Analysis, Plan])
def test_answer_schemas_are_in_the_supported_part(shape: type[WorkModel]) -> None:
    check_output_schema("schema", answer_schema(shape))


def test_the_schema_of_an_answer() -> None:
    line = {"type": "string", "description": "at most 1024 characters"}
    properties = {
        "summary": line,
        "steps": {"type": "array", "items": {"$ref": "#/$defs/PlanStep"}},
        "files": {"type": "array", "items": line},
        "tests": {"type": "array", "items": line},
        "confidence_percent": {"type": "integer", "description": "from 0 to 100"},
    }
    detail = {"type": "string", "description": "at most 200000 characters"}
    assert answer_schema(Plan) == _closed(properties) | {
        "$defs": {"PlanStep": _closed({"title": line, "detail": detail})}
    }


def test_the_schema_of_a_choice() -> None:
    schema = answer_schema(Analysis)
    assert schema["properties"]["risk"] == {"anyOf": [{"$ref": "#/$defs/ExpectedRisk"}, {"type": "null"}]}
    risks = {"type": "string", "enum": ["Critical", "High", "Low", "Medium"]}
    assert schema["$defs"]["ExpectedRisk"] == risks
    assert schema["required"] == list(schema["properties"])


def _closed(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def test_an_answer_that_fits_the_schema_fits_the_model() -> None:
    plan = {"summary": "s", "steps": [{"title": "t", "detail": "d"}], "files": [], "tests": [], "confidence_percent": 5}
    Draft202012Validator(answer_schema(Plan)).validate(plan)
    msgspec.convert(plan, Plan)
    assert "from 0 to 100" in str(answer_schema(Analysis)["properties"]["confidence_percent"])
