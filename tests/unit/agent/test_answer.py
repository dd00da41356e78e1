"""What a model is told about an answer that does not fit."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.unit.api.test_work import ANALYSIS

from orch.agent.answer import explain
from orch.api.work import Analysis, BadDocument, Plan, WorkModel, decode

PLAN: dict[str, Any] = {"summary": "s", "steps": [{"title": "t"}], "confidence_percent": 5}

ANSWERS: dict[str, tuple[str, type[WorkModel], str]] = {
    "all that is wrong": (
        json.dumps(ANALYSIS | {"complexity": 11, "actionable": "perhaps", "mood": "good"}),
        Analysis,
        "complexity: Expected `int` <= 10; actionable: Expected `bool`, got `str`; mood: there is no such field",
    ),
    "what is missing": (
        '{"summary": "s"}',
        Plan,
        "steps: it is missing; confidence_percent: it is missing",
    ),
    "no more than five": (
        "{}",
        Analysis,
        "type: it is missing; complexity: it is missing; confidence_percent: it is missing; actionable: it is missing; "
        "has_acceptance_criteria: it is missing",
    ),
    "in depth": (
        json.dumps(PLAN | {"steps": [{"title": "t"}, {"title": 1}]}),
        Plan,
        "steps.1.title: Expected `str`, got `int`",
    ),
    "a list": ("[1, 2]", Plan, ""),
    "deep": ('{"summary":' + "[" * 1_000_000, Plan, ""),
    "half a pair": (json.dumps(PLAN)[:-1] + ', "files": ["\ud800"]}', Plan, ""),
    "wrong, and then right": ('{"complexity": 11, ' + json.dumps(ANALYSIS)[1:], Analysis, ""),
}


@pytest.mark.parametrize(
    ("text", "shape", "expected"), [pytest.param(*case, id=name) for name, case in ANSWERS.items()]
)
def test_an_answer_is_explained_field_by_field(text: str, shape: type[WorkModel], expected: str) -> None:
    with pytest.raises(BadDocument):
        decode(text, shape, strict=False)
    assert explain(text, shape) == expected


def test_what_is_explained_does_not_repeat_all_that_was_said() -> None:
    text = json.dumps(ANALYSIS | {"type": "x" * 100_000, "y" * 100_000: 1})
    assert len(explain(text, Analysis)) < 1_000


def test_nothing_is_wrong_with_what_fits() -> None:
    assert explain(json.dumps(ANALYSIS | {"complexity": "5"}), Analysis) == ""
