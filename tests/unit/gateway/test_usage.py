"""Usage read on the fly: the same however the bytes are cut, and nothing rather than something wrong."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.gateway.prices import Tokens
from orch.gateway.usage import BodyUsage, StreamUsage


def event(kind: str, **more: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more}, ensure_ascii=False)}\n\n".encode()


START = event(
    "message_start",
    message={
        "usage": {
            "input_tokens": 7,
            "cache_creation_input_tokens": 50,
            "cache_read_input_tokens": 3,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 30},
            "output_tokens": 1,
        }
    },
)
SLY = event("content_block_delta", delta={"text": 'data: {"type":"message_delta","usage":{"output_tokens":0}}\n'})
DELTA = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 9, "input_tokens": 7})
STOP = event("message_stop")
ALL = Tokens(input=7, output=9, cache_read=3, cache_write_5m=20, cache_write_1h=30)


def read(data: bytes, cuts: list[int] | None = None) -> StreamUsage:
    usage, at = StreamUsage(), 0
    for cut in sorted(cuts or []):
        usage.feed(data[at:cut])
        at = max(at, cut)
    usage.feed(data[at:])
    return usage


@given(st.lists(st.integers(0, len(START + SLY + DELTA + STOP)), max_size=20))
def test_however_a_stream_is_cut(cuts: list[int]) -> None:
    usage = read(START + SLY + DELTA + STOP, cuts)
    assert usage.is_finished
    assert usage.tokens() == ALL


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(START, id="only the start"),
        pytest.param(START + SLY, id="no end, and text that looks like one"),
        pytest.param(START + DELTA[:-3], id="the end is cut"),
        pytest.param(DELTA, id="no start"),
        pytest.param(
            START + event("message_delta", delta={"stop_reason": None}, usage={"output_tokens": 2}), id="goes on"
        ),
        pytest.param(START + DELTA.replace(b"9", b"-9"), id="negative"),
        pytest.param(START + DELTA.replace(b": 9", b": true"), id="no number"),
        pytest.param(START + DELTA.replace(b": 9", b": 9e9"), id="no whole number"),
        pytest.param(START + event("error", error={"type": "overloaded_error"}), id="an error"),
        pytest.param(
            event("message_start", message=[]) + event("message_delta", delta=[], usage=[]), id="other shapes"
        ),
    ],
)
def test_what_is_not_known_is_not_guessed(data: bytes) -> None:
    usage = read(data)
    assert usage.tokens() is None


def test_a_line_without_end_is_forgotten_and_the_next_is_read() -> None:
    usage = read(START + b"data: ")
    for _ in range(6):
        usage.feed(b"x" * 1_000_000)
    usage.feed(b"\n" + DELTA)
    assert usage.tokens() == ALL


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from([START, DELTA, STOP, SLY, b"data:", b"\n", b"[1]"])).map(b"".join)
)
def test_nothing_makes_it_fail(data: bytes) -> None:
    for reader in (StreamUsage(), BodyUsage()):
        reader.feed(data)
        reader.tokens()


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 1, "output_tokens": 2}, Tokens(1, 2)),
        ({"input_tokens": 1, "output_tokens": 2, "cache_creation_input_tokens": 5}, Tokens(1, 2, cache_write_1h=5)),
        (
            {"input_tokens": 1, "output_tokens": 2, "cache_creation": None, "cache_read_input_tokens": None},
            Tokens(1, 2),
        ),
        ({"input_tokens": 1}, None),
        ({"input_tokens": 1, "output_tokens": 10**12}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_whole_answer(usage: Any, tokens: Tokens | None) -> None:
    reader = BodyUsage()
    reader.feed(json.dumps({"usage": usage}).encode())
    assert reader.tokens() == tokens
