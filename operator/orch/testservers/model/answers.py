"""Makes the Message that a turn stands for, and refuses a turn that the true API could not have produced.

Called by `app`. It never sends: `sse` and `app` do.
Source: "Messages API: response" of the Claude API reference.
"""

from __future__ import annotations

import itertools
import json
import secrets
from typing import Any, Final

from orch.testservers.model.cache import InputUsage
from orch.testservers.model.director import MisfitError
from orch.testservers.model.rules import Accepted
from orch.testservers.model.schemas import misfit
from orch.testservers.model.scripts import Turn
from orch.testservers.model.thinking import signature
from orch.testservers.model.tokens import BYTES_PER_TOKEN, block_tokens
from orch.testservers.model.wire import ChoiceAny, ChoiceNone, ChoiceTool, CreateMessage

_SENTENCE: Final = "All work and no play makes a dull model. "


def make_id(prefix: str) -> str:
    """An id of the API's form: `msg_01…`, `toolu_01…`, `req_01…`."""
    return f"{prefix}_01{secrets.token_hex(11)}"


def make_message(turn: Turn, accepted: Accepted, spent: InputUsage) -> dict[str, Any]:
    """The whole Message as JSON. Raises MisfitError when the script breaks what the API guarantees and is not `raw`."""
    if not turn.raw:
        check_turn(turn, accepted.request)
    content = _content(turn)
    stop, sequence = ("tool_use" if turn.tools else "end_turn"), None
    if not turn.generate:
        content, sequence = _stopped(content, accepted.request.stop_sequences)
        content, was_cut = _limited(content, accepted.request.max_tokens)
        stop = "stop_sequence" if sequence else stop
        stop = "max_tokens" if was_cut else stop
    output = max(sum(map(block_tokens, content)), 1 if accepted.request.max_tokens else 0)
    return {
        "id": make_id("msg"),
        "type": "message",
        "role": "assistant",
        "model": accepted.model.id,
        "content": content,
        "stop_reason": turn.stop_reason or stop,
        "stop_sequence": sequence,
        "stop_details": {"type": "refusal", "category": None, "explanation": None}
        if turn.stop_reason == "refusal"
        else None,
        "usage": spent.as_json() | {"output_tokens": output, "service_tier": "standard"} | turn.usage,
    }


def check_turn(turn: Turn, request: CreateMessage) -> None:
    """Raises MisfitError unless the turn keeps to the request's tools, tool choice and output format."""
    _check_calls(turn, request)
    choice = request.tool_choice
    names = {call.name for call in turn.tools}
    if isinstance(choice, ChoiceNone) and names:
        raise MisfitError("tool_choice is none, but the turn calls tools")
    if isinstance(choice, ChoiceAny) and not names:
        raise MisfitError("tool_choice is any, but the turn calls no tool")
    if isinstance(choice, ChoiceTool) and names != {choice.name}:
        raise MisfitError(f"tool_choice is {choice.name!r}, but the turn does not call that tool alone")
    if len(turn.tools) > 1 and getattr(choice, "disable_parallel_tool_use", False):
        raise MisfitError("parallel tool use is disabled, but the turn calls several tools")
    _check_format(turn, request)


def _check_calls(turn: Turn, request: CreateMessage) -> None:
    tools = {tool.name: tool for tool in request.tools}
    for call in turn.tools:
        tool = tools.get(call.name)
        if tool is None:
            raise MisfitError(f"tool {call.name!r} is not among the request's tools ({', '.join(tools) or 'none'})")
        problem = misfit(tool.input_schema.model_dump(exclude_unset=True), call.input) if tool.strict else None
        if problem:
            raise MisfitError(f"the input of the strict tool {call.name!r} does not fit: {problem}")


def _check_format(turn: Turn, request: CreateMessage) -> None:
    if turn.has_json and request.format is None:
        raise MisfitError("the turn is structured output, but the request has no output_config.format")
    if request.format is None or turn.tools or turn.stop_reason in ("refusal", "max_tokens"):
        return
    if not turn.has_json:
        raise MisfitError("the request asks for structured output, but the turn has no json")
    problem = misfit(request.format.schema_, turn.json_)
    if problem:
        raise MisfitError(f"json does not fit output_config.format.schema: {problem}")


def _content(turn: Turn) -> list[dict[str, Any]]:
    content: list[dict[str, Any]] = []
    if turn.thinking is not None:
        content.append({"type": "thinking", "thinking": turn.thinking, "signature": signature(turn.thinking)})
    text = json.dumps(turn.json_, ensure_ascii=False) if turn.has_json else turn.text or ""
    if turn.generate:
        text += (_SENTENCE * (turn.generate.text_bytes // len(_SENTENCE) + 1))[: turn.generate.text_bytes]
    if text:
        content.append({"type": "text", "text": text})
    for call in turn.tools:
        used = {"type": "tool_use", "id": call.id or make_id("toolu"), "name": call.name, "input": call.input}
        content.append(used)
    return content


def _stopped(content: list[dict[str, Any]], sequences: list[str]) -> tuple[list[dict[str, Any]], str | None]:
    """End at the first stop sequence in a text; the sequence itself is not part of the answer."""
    for at, block in enumerate(content):
        text = block.get("text", "")
        found = [(text.find(one), one) for one in sequences if one in text]
        if found:
            end, sequence = min(found)
            kept = [{"type": "text", "text": text[:end]}] if end else []
            return content[:at] + kept, sequence
    return content, None


def _limited(content: list[dict[str, Any]], max_tokens: int) -> tuple[list[dict[str, Any]], bool]:
    """Cut at `max_tokens`, as the API does. A tool call that does not fit comes with an empty input."""
    totals = itertools.accumulate(map(block_tokens, content))
    for at, total in enumerate(totals):
        if total <= max_tokens:
            continue
        block, left = content[at], max_tokens - (total - block_tokens(content[at]))
        kept = content[:at]
        if block["type"] == "text" and left > 0:
            kept.append(block | {"text": block["text"].encode()[: left * BYTES_PER_TOKEN].decode(errors="ignore")})
        elif block["type"] == "tool_use" and left > 0:
            kept.append(block | {"input": {}})
        return kept, True
    return content, max_tokens == 0
