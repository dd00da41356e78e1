"""Writes a Message as the events of a stream, in the true order.

Called by `app` for `stream: true`. It never waits and never sends.
Source: "Streaming messages" of the Claude documentation: message_start, then per block content_block_start, deltas and
content_block_stop, then message_delta with cumulative usage, then message_stop; `ping` anywhere in between.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

Event = dict[str, Any]
MIN_CHUNK: Final = 48
"""Characters of a delta, at least; long texts come in about 256 deltas."""
_DELTAS: Final = 256


def write(event: Event) -> bytes:
    """One event in the form of `text/event-stream`."""
    data = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    return f"event: {event['type']}\ndata: {data}\n\n".encode()


def events(message: dict[str, Any]) -> Iterator[Event]:
    """The events whose accumulation is `message`."""
    usage = message["usage"]
    unfinished: dict[str, Any] = {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    yield {"type": "message_start", "message": message | unfinished | {"usage": usage | {"output_tokens": 1}}}
    if not message["content"]:
        yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    end = {name: message[name] for name in ("stop_reason", "stop_sequence", "stop_details")}
    yield {"type": "message_delta", "delta": end, "usage": {k: v for k, v in usage.items() if isinstance(v, int)}}
    yield {"type": "message_stop"}


def broken_off(all_events: list[Event], error: Event) -> list[Event]:
    """The first half of a stream and then an `error` event, after which the API sends nothing."""
    return [*all_events[: max(len(all_events) // 2, 1)], error]


def _opened(block: dict[str, Any]) -> dict[str, Any]:
    empty: dict[str, dict[str, Any]] = {
        "text": {"text": ""},
        "thinking": {"thinking": "", "signature": ""},
        "tool_use": {"input": {}},
    }
    return block | empty[block["type"]]


def _deltas(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    match block["type"]:
        case "text":
            yield from ({"type": "text_delta", "text": part} for part in _parts(block["text"]))
        case "thinking":
            yield from ({"type": "thinking_delta", "thinking": part} for part in _parts(block["thinking"]))
            yield {"type": "signature_delta", "signature": block["signature"]}
        case "tool_use":
            # The true API opens with an empty part, and gives no other one for a call without arguments.
            yield {"type": "input_json_delta", "partial_json": ""}
            if block["input"]:
                text = json.dumps(block["input"], ensure_ascii=False)
                yield from ({"type": "input_json_delta", "partial_json": part} for part in _parts(text))


def _parts(text: str) -> Iterator[str]:
    size = max(MIN_CHUNK, len(text) // _DELTAS)
    return (text[at : at + size] for at in range(0, len(text), size))
