"""Reading a stream: never more than allowed, never an exception that is not ours."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.agent.errors import StepError
from orch.agent.sse import StreamBroken, StreamError, TooMuchOutput, read_answer


def lines(*events: dict[str, Any]) -> list[str]:
    return [line for event in events for line in (f"event: {event.get('type')}", f"data: {json.dumps(event)}", "")]


START = {"type": "message_start", "message": {"usage": {"input_tokens": 3, "cache_read_input_tokens": 4}}}
TEXT = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
TOOL = {
    "type": "content_block_start",
    "index": 1,
    "content_block": {"type": "tool_use", "id": "t1", "name": "view", "input": {}},
}
END = {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 5}}
STOP = {"type": "message_stop"}


def said(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def given_input(piece: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": piece}}


def test_text_and_a_call() -> None:
    events = (
        START,
        TEXT,
        said("I "),
        {"type": "ping"},
        said("look"),
        TOOL,
        given_input('{"pa'),
        given_input('th": "a"}'),
        END,
        STOP,
    )
    answer = read_answer(lines(*events), limit=1_000)
    assert answer.content == [
        {"type": "text", "text": "I look"},
        {"type": "tool_use", "id": "t1", "name": "view", "input": {"path": "a"}},
    ]
    assert (answer.stop_reason, answer.usage["output_tokens"]) == ("tool_use", 5)
    assert answer.calls == [answer.content[1]]


def test_a_call_that_was_cut_is_marked() -> None:
    answer = read_answer(lines(START, TOOL, given_input('{"path": "a'), END, STOP), limit=1_000)
    assert answer.unreadable == {"t1"}
    assert answer.calls[0]["input"] == {}


@pytest.mark.parametrize("blank", [(), (" ",), ("\n", "\n")])
def test_a_blank_text_is_left_out(blank: tuple[str, ...]) -> None:
    parts = [said(part) for part in blank]
    assert read_answer(lines(START, TEXT, *parts, END, STOP), limit=100).content == []


def test_thinking_goes_back_unchanged() -> None:
    block = {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "thinking", "thinking": "", "signature": ""},
    }
    deltas = [{"type": "thinking_delta", "thinking": "hm"}, {"type": "signature_delta", "signature": "s1"}]
    events = [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    assert read_answer(lines(block, *events, STOP), limit=1_000).content == [
        {"type": "thinking", "thinking": "hm", "signature": "s1"}
    ]


def test_output_beyond_the_limit_ends_it() -> None:
    with pytest.raises(TooMuchOutput):
        read_answer(lines(START, TEXT, said("x" * 600), said("x" * 600), END, STOP), limit=1_000)


def test_a_stream_without_its_end() -> None:
    with pytest.raises(StreamBroken):
        read_answer(lines(START, TEXT, said("x"), END), limit=1_000)


def test_an_error_event() -> None:
    with pytest.raises(StreamError) as caught:
        read_answer(
            lines(START, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}), limit=10
        )
    assert caught.value.kind == "overloaded_error"


def test_halves_of_a_pair_are_put_together_or_replaced() -> None:
    events = (START, TEXT, said("\ud83d"), said("\ude00 \ud800"), TOOL, given_input('{"path": "\\udfff"}'), END, STOP)
    answer = read_answer(lines(*events), limit=1_000)
    assert answer.text == "\U0001f600 \ufffd"
    assert answer.calls[0]["input"] == {"path": "\ufffd"}


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e999"])
def test_a_call_with_what_is_no_number_in_json_is_marked(number: str) -> None:
    answer = read_answer(lines(START, TOOL, given_input(f'{{"line": {number}}}'), END, STOP), limit=1_000)
    assert (answer.calls[0]["input"], answer.unreadable) == ({}, {"t1"})


EVENT = st.recursive(
    st.none() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["type", "index", "delta", "text", "usage"]), inner)
    ),
    max_leaves=8,
)
KINDS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "message_delta",
    "error",
    "message_stop",
    "news",
]


FIELDS = ["index", "delta", "message", "usage", "error", "content_block"]
EVENTS = st.lists(st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(FIELDS), EVENT)))


@given(EVENTS)
def test_any_events_give_an_answer_or_one_of_our_errors(events: list[tuple[str, dict[str, Any]]]) -> None:
    with contextlib.suppress(StepError):
        read_answer(lines(*({**fields, "type": kind} for kind, fields in events)), limit=1_000)


@given(st.lists(st.text(max_size=40)))
def test_any_lines_give_an_answer_or_one_of_our_errors(given_lines: list[str]) -> None:
    with contextlib.suppress(StepError):
        read_answer([*given_lines, "data: {", ""], limit=1_000)
