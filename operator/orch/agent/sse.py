"""Reads a streamed answer of the Messages API: server-sent events in, one finished answer out.

Called by `model`. Pure: it sees lines, never a connection. It keeps no more than it was allowed to, whatever is sent.
Source: "Streaming messages" of the Claude API reference; a test holds it against the SDK's own accumulator. The SDK
itself is not used in the sandbox: importing it takes longer than everything else that a step does to start.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from orch.agent.errors import StepError
from orch.agent.unicode import encodable

LONGEST_LINE: Final = 20_000_000


class StreamBroken(StepError):
    """The stream ended before its end, or is none."""


class TooMuchOutput(StepError):
    """The answer is longer than what may still be read."""


class StreamError(StepError):
    """An `error` event in the middle of a stream: the service's own kind and message."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


@dataclass
class Answer:
    """One answer of the model. `content`: blocks as they are sent back with the next request."""

    content: list[dict[str, Any]] = field(default_factory=list)
    stop_reason: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    size: int = 0
    """Bytes of text, thinking and tool input."""
    unreadable: set[str] = field(default_factory=set)
    """Ids of tool calls whose input is not a JSON object (cut off by max_tokens); their input is empty here."""

    @property
    def text(self) -> str:
        return "\n".join(block["text"] for block in self.content if block["type"] == "text")

    @property
    def calls(self) -> list[dict[str, Any]]:
        return [block for block in self.content if block["type"] == "tool_use"]


def read_answer(lines: Iterable[str], *, limit: int) -> Answer:
    """The answer in a stream of lines. Raises StreamBroken, StreamError, TooMuchOutput (beyond `limit` bytes)."""
    reader = _Reader(limit)
    for event in _events(lines):
        if reader.take(event):
            return reader.finish()
    raise StreamBroken("the stream ended in the middle of an answer")


def _events(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The `data:` of each event; its JSON repeats the event's name as `type`, so the `event:` line says nothing new."""
    data = ""
    for line in lines:
        if len(data) + len(line) > LONGEST_LINE:
            raise TooMuchOutput("a single event is too long")
        if line.startswith("data:"):
            data += line.removeprefix("data:").strip()
        elif not line and data:
            yield _json_object(data)
            data = ""


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise StreamBroken("an event is not JSON") from err
    if not isinstance(value, dict):
        raise StreamBroken("an event is not a JSON object")
    return value


class _Reader:
    """Puts the blocks together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._answer = Answer()
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, list[str]] = {}

    def take(self, event: dict[str, Any]) -> bool:
        """Use one event; True when it was the last."""
        kind = event.get("type")
        try:
            if kind == "error":
                error = event["error"]
                raise StreamError(str(error["type"])[:100], str(error["message"])[:500])
            if kind == "message_start":
                self._count(event["message"].get("usage"))
            elif kind == "content_block_start":
                self._start(int(event["index"]), event["content_block"])
            elif kind == "content_block_delta":
                self._add(int(event["index"]), event["delta"])
            elif kind == "message_delta":
                self._answer.stop_reason = str(event["delta"].get("stop_reason") or "")
                self._count(event.get("usage"))
        except (KeyError, TypeError, ValueError, AttributeError) as err:
            raise StreamBroken(f"an event {str(kind)[:40]} without its parts") from err
        return kind == "message_stop"

    def finish(self) -> Answer:
        for index in sorted(self._blocks):
            block = self._blocks[index]
            if block["type"] == "tool_use":
                self._parse_input(block, "".join(self._inputs.get(index, [])))
            if block["type"] != "text" or block["text"].strip():  # the API refuses blank text in a request
                self._answer.content.append(encodable(block))
        return self._answer

    def _start(self, index: int, block: dict[str, Any]) -> None:
        kind = block["type"]
        if kind == "text":
            kept: dict[str, Any] = {"type": "text", "text": str(block.get("text", ""))}
        elif kind == "tool_use":
            kept = {
                "type": "tool_use",
                "id": str(block["id"]),
                "name": str(block["name"]),
                "input": block.get("input") or {},
            }
        else:  # thinking goes back unchanged, as the API demands
            kept = dict(block)
        self._grow(len(json.dumps(kept, allow_nan=False)))
        self._blocks[index] = kept

    def _add(self, index: int, delta: dict[str, Any]) -> None:
        kind = delta["type"]
        name = {"text_delta": "text", "thinking_delta": "thinking", "signature_delta": "signature"}.get(kind)
        if name is not None:
            piece = str(delta[name])
            self._grow(len(piece.encode(errors="replace")))
            self._blocks[index][name] = self._blocks[index].get(name, "") + piece
        elif kind == "input_json_delta":
            piece = str(delta["partial_json"])
            self._grow(len(piece.encode(errors="replace")))
            self._inputs.setdefault(index, []).append(piece)

    def _parse_input(self, block: dict[str, Any], text: str) -> None:
        if not text.strip():
            return
        try:
            value = json.loads(text)
            json.dumps(value, allow_nan=False)  # NaN and 1e999 are read, and are no JSON when they are sent back
        except (ValueError, RecursionError):
            value = None
        if isinstance(value, dict):
            block["input"] = value
        else:
            block["input"] = {}
            self._answer.unreadable.add(block["id"])

    def _grow(self, size: int) -> None:
        self._answer.size += size
        if self._answer.size > self._limit:
            raise TooMuchOutput(f"the answer is longer than the {self._limit} bytes that may still be read")

    def _count(self, usage: Any) -> None:
        for name, value in (usage or {}).items():
            if isinstance(value, int):
                self._answer.usage[str(name)] = value
