"""The contract of work steps: what is accepted, what is refused, and that nothing else ever comes out."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.builders import a_report, a_test_run, an_analysis

from orch.api.work import (
    Analysis,
    BadDocument,
    Commands,
    IssueText,
    ModelChoice,
    Plan,
    PlanStep,
    StepInput,
    StepReport,
    StepStage,
    decode,
    encode,
)

ANALYSIS: dict[str, Any] = {
    "type": "Bug",
    "complexity": 1,
    "confidence_percent": 95,
    "actionable": True,
    "has_acceptance_criteria": True,
    "reason": "add subtracts",
}
REPORT: dict[str, Any] = {"name": "web-7-1-plan-1", "outcome": "Done"}


def an_input() -> StepInput:
    return StepInput(
        name="web-7-1-plan-1",
        identity="0123456789abcdef",
        stage=StepStage.PLAN,
        issue=IssueText(number=7, title="t"),
        bundle="sha256:0",
        base_sha="b",
        head_sha="h",
        commands=Commands(test=("make test",), env={"A": "b"}),
        model=ModelChoice(name="m", temperature=Decimal("0.70")),
    )


@pytest.mark.parametrize(
    "document", [an_input(), a_report("web-7-1-analyse-1"), a_report("web-7-1-plan-1"), a_report("web-7-1-implement-1")]
)
def test_what_one_side_writes_the_other_reads(document: StepInput | StepReport) -> None:
    assert decode(encode(document), type(document)) == document


def test_the_words_on_the_wire_are_those_of_the_fields() -> None:
    told = json.loads(encode(an_input()))
    assert told["model"] == {"name": "m", "max_output_tokens": 16_000, "temperature": "0.70"}
    assert told["stage"] == "Plan"
    assert told["commands"]["env"] == {"A": "b"}
    assert told["merge_sha"] is None
    assert told["version"] == "1"


def test_what_an_older_operator_or_agent_left_out_has_its_default() -> None:
    assert decode(json.dumps(REPORT), StepReport) == StepReport(**{**REPORT, "outcome": a_report("x-plan-1").outcome})
    assert decode(b'{"test_timeout_seconds": 1800.0}', Commands) == Commands()


OF_A_MODEL: dict[str, tuple[str, str, Any]] = {
    "a number": ("complexity", "5", 5),
    "a number as text": ("complexity", '"5"', 5),
    "a number with a point": ("complexity", "5.0", 5),
    "both": ("complexity", '"5.0"', 5),
    "zero below zero": ("complexity", "-0.0", 0),
    "half": ("complexity", "5.5", None),
    "a word": ("complexity", '"five"', None),
    "true for one": ("complexity", "true", None),
    "nothing": ("complexity", "null", None),
    "too much": ("complexity", "11", None),
    "too much as text": ("complexity", '"11"', None),
    "too little": ("complexity", "-1", None),
    "no number": ("complexity", "NaN", None),
    "endless": ("complexity", "Infinity", None),
    "nearly endless": ("complexity", "1e400", None),
    "many digits": ("complexity", "9" * 5_000, None),
    "many digits as text": ("complexity", f'"{"9" * 5_000}"', None),
    "true": ("actionable", "true", True),
    "true as text": ("actionable", '"true"', True),
    "True as Python says it": ("actionable", '"True"', True),
    "false as text": ("actionable", '"false"', False),
    "one": ("actionable", "1", True),
    "zero as text": ("actionable", '"0"', False),
    "yes": ("actionable", '"yes"', None),
    "two": ("actionable", "2", None),
    "empty": ("actionable", '""', None),
    "a number for text": ("reason", "5", None),
    "the longest text": ("reason", json.dumps("😀" * 1_024), "😀" * 1_024),
    "too long a text": ("reason", json.dumps("a" * 1_025), None),
    "another kind": ("type", '"bug"', None),
    "no opinion": ("risk", "null", "None"),
    "no opinion as text": ("risk", '"null"', "None"),
    "another risk": ("risk", '"low"', None),
    "one file": ("files", '"a.py"', None),
    "files": ("files", '["a.py"]', ("a.py",)),
}


@pytest.mark.parametrize(
    ("field", "given", "expected"), [pytest.param(*case, id=name) for name, case in OF_A_MODEL.items()]
)
def test_a_models_answer_is_taken_as_it_is_meant(field: str, given: str, expected: Any) -> None:
    """`expected`: None where it is refused."""
    text = json.dumps(ANALYSIS | {field: "@"}).replace('"@"', given)
    if expected is None:
        with pytest.raises(BadDocument) as told:
            decode(text, Analysis, strict=False)
        assert told.value.place in (field, "")
        return
    found = getattr(decode(text, Analysis, strict=False), field)
    assert str(found) == "None" if expected == "None" else found == expected


@pytest.mark.parametrize("given", ['"5"', "5.0", "true", "null", '"five"'])
def test_a_program_has_to_say_a_number_as_one(given: str) -> None:
    with pytest.raises(BadDocument, match=r"^turns: Expected `int`"):
        decode(json.dumps(REPORT)[:-1] + f', "turns": {given}}}', StepReport)


_OPEN = json.dumps(REPORT)[:-1].encode()
HOSTILE: dict[str, bytes | str] = {
    "nothing": b"",
    "blank": " \n",
    "no object": b"[1, 2]",
    "another word": b"null",
    "an empty object": b"{}",
    "prose": "I think it is a bug.",
    "cut off": _OPEN,
    "more than one": _OPEN + b"} {}",
    "an unknown field": _OPEN + b', "x": 1}',
    "an unknown field of any length": _OPEN + b', "' + b"x" * 1_000_000 + b'": 1}',
    "not UTF-8": _OPEN + b', "message": "\xff"}',
    "a name that is not UTF-8": _OPEN + b', "\xff": 1}',
    "UTF-16": json.dumps(REPORT).encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(REPORT).encode(),
    "half a pair": _OPEN + b', "message": "\\ud800"}',
    "the other half": _OPEN + b', "message": "\\udc00\\ud83d"}',
    "half a pair in text": json.dumps(REPORT)[:-1] + ', "message": "\ud800"}',
    "a control character": _OPEN + b', "message": "\x01"}',
    "no number": _OPEN + b', "turns": NaN}',
    "endless": _OPEN + b', "turns": -Infinity}',
    "fewer than none": _OPEN + b', "test_fixes": -1}',
    "more than a field holds": _OPEN + b', "test_fixes": 2147483648}',
    "more turns than there can be": _OPEN + b', "turns": 9223372036854775808}',
    "many digits": _OPEN + b', "turns": ' + b"9" * 100_000 + b"}",
    "a bad value and then a good one": b'{"turns": "x", ' + json.dumps(REPORT | {"turns": 1})[1:].encode(),
    "deep": b"[" * 1_000_000,
    "deep objects": b'{"plan":' * 1_000_000,
    "deep in a list": _OPEN + b', "tests":' + b"[" * 1_000_000,
    "deep in text": _OPEN + b', "message":' + b"[" * 1_000_000,
    "deep in what is unknown": _OPEN + b', "x":' + b'{"x":' * 1_000_000,
    "too long": _OPEN + b', "message": "' + b"a" * 200_001 + b'"}',
    "too long in depth": _OPEN + b', "change": {"bundle": "", "sha": "' + b"a" * 1_025 + b'"}}',
    "a place that is none": _OPEN + b', "x - at `$.name`": 1}',
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in HOSTILE.items()])
def test_a_hostile_report_is_a_bad_document_and_nothing_else(data: bytes | str) -> None:
    for strict in (True, False):
        with pytest.raises(BadDocument) as told:
            decode(data, StepReport, strict=strict)
        assert len(str(told.value)) <= 402
        assert told.value.__cause__ is None  # it would hold the document


@given(st.one_of(st.binary(max_size=100), st.text(st.characters(), max_size=100)))
def test_whatever_is_given_is_a_document_or_a_bad_one(data: bytes | str) -> None:
    with pytest.raises(BadDocument):
        decode(data, Plan, strict=False)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["title", "detail", "x"]), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Plan.__struct_fields__, "x"]), _VALUES), st.booleans())
def test_what_is_accepted_can_be_written_again(document: dict[str, Any], strict: bool) -> None:
    try:
        plan = decode(json.dumps(document), Plan, strict=strict)
    except BadDocument:
        return
    assert decode(encode(plan), Plan) == plan


def test_of_a_name_that_is_there_twice_the_last_counts() -> None:
    assert decode(_OPEN + b', "turns": 1, "turns": 2}', StepReport).turns == 2


UNFIT: dict[str, tuple[StepReport, str]] = {
    "too long a line": (a_report("x" * 1_025 + "-plan-1"), "name: Expected `str` of length <= 1024"),
    "too long in depth": (
        a_report("x-plan-1", plan=Plan(summary="", steps=(PlanStep(title="t" * 1_025),), confidence_percent=1)),
        "plan.steps.0.title: Expected `str` of length <= 1024",
    ),
    "too long a tail": (
        a_report("x-implement-1", tests=(replace(a_test_run(), tail="t" * 200_001),)),
        "tests.0.tail: Expected `str` of length <= 200000",
    ),
    "out of range": (
        a_report("x-analyse-1", analysis=an_analysis(complexity=11)),
        "analysis.complexity: Expected `int` <= 10",
    ),
    "half a pair": (a_report("x-plan-1", message="\ud800"), "a text is not Unicode"),
    "true for one": (
        a_report("x-implement-1", tests=(replace(a_test_run(), passed=True),)),
        "tests.0.passed: Expected `int | null`, got `bool`",
    ),
}


@pytest.mark.parametrize(("report", "why"), [pytest.param(*case, id=name) for name, case in UNFIT.items()])
def test_what_the_other_side_would_refuse_is_not_written(report: StepReport, why: str) -> None:
    with pytest.raises(BadDocument) as told:
        encode(report)
    assert str(told.value).startswith(why)


@pytest.mark.parametrize(
    ("document", "shape", "place"),
    [
        (b'{"env": {"a": 1}}', Commands, "env"),
        (b'{"setup": ["a", 1]}', Commands, "setup.1"),
        (b'{"summary": "", "steps": [{"title": "t"}, {"title": 1}]}', Plan, "steps.1.title"),
        (b"[]", Plan, ""),
    ],
)
def test_a_problem_has_a_place(document: bytes, shape: type[Any], place: str) -> None:
    with pytest.raises(BadDocument) as told:
        decode(document, shape)
    assert told.value.place == place


def test_nothing_of_a_document_can_be_changed() -> None:
    with pytest.raises(AttributeError):
        an_input().number = 2  # type: ignore[misc]
