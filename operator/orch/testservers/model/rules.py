"""What the true API refuses: a request goes through here before a script is asked.

Called by `app`. It answers from values only: no I/O, no state.
Source: the Claude API reference, and the texts of its errors as users report them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from orch.testservers.model.catalog import Model, find_model
from orch.testservers.model.conversation import check_messages
from orch.testservers.model.errors import ApiError, invalid
from orch.testservers.model.schemas import check_output_schema, check_tool_schema
from orch.testservers.model.thinking import check_signatures, check_thinking
from orch.testservers.model.wire import (
    Cacheable,
    ChoiceAny,
    ChoiceTool,
    CreateMessage,
    CreateMessage2023,
    Prompt,
    ToolResultBlock,
    read_request,
)

VERSIONS: Final[dict[str, type[CreateMessage]]] = {"2023-06-01": CreateMessage2023, "2026-10-21": CreateMessage}
MAX_BREAKPOINTS: Final = 4


@dataclass(frozen=True)
class Accepted:
    """A request that passed, with its model. `body` is the JSON as it came."""

    request: CreateMessage
    model: Model
    body: dict[str, Any]


def check_version(version: str | None) -> type[CreateMessage]:
    """The request's shape in this API version. Raises ApiError when the header is missing or unknown."""
    if version is None:
        raise invalid("anthropic-version: header is required")
    if version not in VERSIONS:
        raise invalid(f'anthropic-version: "{version[:40]}" is not a valid version')
    return VERSIONS[version]


def accept_message(body: Any, version: str | None) -> Accepted:
    """Check `POST /v1/messages`. Raises ApiError for the first thing the API would refuse."""
    request = read_request(check_version(version), body)
    model = _check_prompt(request)
    if request.max_tokens > model.max_output:
        raise invalid(
            f"max_tokens: {request.max_tokens} > {model.max_output}, "
            f"which is the maximum allowed number of output tokens for {model.id}"
        )
    _check_sampling(request, model)
    check_thinking(request, model, max_tokens=request.max_tokens)
    for index, sequence in enumerate(request.stop_sequences):
        if not sequence.strip():
            raise invalid(f"stop_sequences.{index}: each stop sequence must contain non-whitespace")
    return Accepted(request, model, body)


def accept_count(body: Any, version: str | None) -> Prompt:
    """Check `POST /v1/messages/count_tokens`, which takes the input's part of a request only."""
    check_version(version)
    prompt = read_request(Prompt, body)
    check_thinking(prompt, _check_prompt(prompt), max_tokens=None)
    return prompt


def _check_prompt(prompt: Prompt) -> Model:
    model = find_model(prompt.model)
    if model is None:
        raise ApiError(404, f"model: {prompt.model[:100]}")
    check_messages(prompt.messages, model)
    check_signatures(prompt)
    _check_tools(prompt, model)
    _check_output(prompt, model)
    _check_breakpoints(prompt)
    return model


def _check_tools(prompt: Prompt, model: Model) -> None:
    names = [tool.name for tool in prompt.tools]
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    for index, tool in enumerate(prompt.tools):
        schema = tool.input_schema.model_dump(exclude_unset=True)
        check = check_output_schema if tool.strict else check_tool_schema
        check(f"tools.{index}.custom.input_schema", schema)
    choice = prompt.tool_choice
    if choice is not None and not names:
        raise invalid("tool_choice: tool_choice may only be specified while providing tools.")
    if isinstance(choice, ChoiceTool) and choice.name not in names:
        raise invalid(f"Tool '{choice.name[:100]}' not found in provided tools")
    if isinstance(choice, ChoiceTool | ChoiceAny) and not model.forced_tools:
        raise invalid('tool_choice: type "tool" and "any" are not supported for this model.')


def _check_output(prompt: Prompt, model: Model) -> None:
    config = prompt.output_config
    if config and config.effort and config.effort not in model.efforts:
        raise invalid(
            f"This model does not support effort level '{config.effort}'."
            if model.efforts
            else "This model does not support the effort parameter."
        )
    if prompt.format is None:
        return
    check_output_schema("output_config.format.schema", prompt.format.schema_)
    if prompt.messages[-1].role == "assistant":
        raise invalid("messages: assistant message prefill is not supported with output_config.format")


def _check_sampling(request: CreateMessage, model: Model) -> None:
    if not isinstance(request, CreateMessage2023):
        return
    for name in ("temperature", "top_p"):
        value = getattr(request, name)
        if value is not None and not 0 <= value <= 1:
            raise invalid(f"{name}: range: 0..1")
    given = [name for name in ("temperature", "top_p", "top_k") if getattr(request, name) is not None]
    if given and not model.sampling and any(getattr(request, name) != 1 for name in given):
        raise invalid(f"`{given[0]}` is deprecated for this model.")
    if {"temperature", "top_p"} <= set(given):
        raise invalid("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_breakpoints(prompt: Prompt) -> None:
    marks = [block.cache_control for block in cacheable(prompt) if block.cache_control]
    marks += [prompt.cache_control] if prompt.cache_control else []
    if len(marks) > MAX_BREAKPOINTS:
        raise invalid(f"A maximum of {MAX_BREAKPOINTS} blocks with cache_control may be provided. Found {len(marks)}.")
    ttls = [mark.ttl for mark in marks]
    if "5m" in ttls and "1h" in ttls[ttls.index("5m") :]:
        raise invalid("a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block.")


def cacheable(prompt: Prompt) -> Iterator[Cacheable]:
    """Every block that may hold a breakpoint, in the order of the prompt: tools, system, messages."""
    yield from prompt.tools
    yield from prompt.system
    for message in prompt.messages:
        for block in message.content:
            if isinstance(block, ToolResultBlock):
                yield from block.content
            if isinstance(block, Cacheable):
                yield block
