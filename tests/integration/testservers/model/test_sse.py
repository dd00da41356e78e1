"""A stream accumulates to the message it was written from, by the SDK's own decoder and accumulator."""

from __future__ import annotations

from typing import Any

from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from hypothesis import given
from hypothesis import strategies as st

from orch.testservers.model import sse
from orch.testservers.model.thinking import signature

words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
blocks = st.one_of(
    st.builds(lambda text: {"type": "text", "text": text}, words),
    st.builds(lambda text: {"type": "thinking", "thinking": text, "signature": signature(text)}, words),
    st.builds(
        lambda name, value: {"type": "tool_use", "id": "toolu_01", "name": name, "input": value},
        words,
        st.dictionaries(words, json_values, max_size=3),
    ),
)


def message_of(content: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 5,
            "output_tokens": 9,
            "cache_read_input_tokens": 3,
            "cache_creation_input_tokens": 0,
        },
    }


@given(content=st.lists(blocks, max_size=4), size=st.integers(1, 4096))
def test_a_stream_accumulates_to_its_message(content: list[dict[str, Any]], size: int) -> None:
    message = message_of(content)
    wire = b"".join(map(sse.write, sse.events(message)))
    pieces = (wire[at : at + size] for at in range(0, len(wire), size))
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for event in SSEDecoder().iter_bytes(pieces):
        data: Any = event.json()
        assert event.event == data["type"]
        if event.event != "ping":
            snapshot = accumulate_event(event=data, current_snapshot=snapshot, json_bufs=buffers)
    heard = snapshot.to_dict()
    for block in heard["content"]:
        block.pop("parsed_output", None)
    assert heard == message


@given(content=st.lists(blocks, max_size=3))
def test_an_event_is_two_lines_and_a_blank_one(content: list[dict[str, Any]]) -> None:
    for event in sse.events(message_of(content)):
        name, data, *rest = sse.write(event).split(b"\n")
        assert (name, rest) == (b"event: " + event["type"].encode(), [b"", b""])
        assert data.startswith(b"data: {")
