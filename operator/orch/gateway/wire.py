"""The part of the Messages API that passes: everything that is named here, nothing else.

Used by `requests`. It is an allow-list, so that what the API learns tomorrow is refused until somebody has thought about
what it costs and where it reaches: server tools, MCP, containers and content fetched by URL are billed outside tokens and
are a way out of the sandbox. Whether values make sense together is left to the API.
Source: the parameter types of the `anthropic` SDK 2.x.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

LIFETIMES: Final = "lifetimes"
"""Key of the validation context: a set that collects the lifetimes of the cache entries a request may write."""


class Wire(BaseModel):
    """Unknown fields are refused and nothing is converted. What is null counts as absent, as answers sent back have it."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: object) -> object:
        if isinstance(value, dict):
            return {name: inner for name, inner in value.items() if inner is not None}
        return value


class CacheControl(Wire):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"

    @field_validator("type")
    @classmethod
    def _note_short(cls, value: str, info: ValidationInfo) -> str:
        _note("5m", info)
        return value

    @field_validator("ttl")
    @classmethod
    def _note(cls, value: str, info: ValidationInfo) -> str:
        _note(value, info)
        return value


def _note(lifetime: str, info: ValidationInfo) -> None:
    if info.context is not None:
        info.context[LIFETIMES].add(lifetime)


class Cacheable(Wire):
    cache_control: CacheControl | None = None


class TextBlock(Cacheable):
    type: Literal["text"]
    text: str


class ThinkingBlock(Wire):
    type: Literal["thinking"]
    thinking: str
    signature: str


class RedactedThinkingBlock(Wire):
    type: Literal["redacted_thinking"]
    data: str


class DirectCaller(Wire):
    """Called by the model itself, not by code that the API runs."""

    type: Literal["direct"]


class ToolUseBlock(Cacheable):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: DirectCaller | None = None


def _as_blocks(value: object) -> object:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


Texts = Annotated[list[TextBlock], BeforeValidator(_as_blocks)]
"""A string is short for one text block."""


class ToolResultBlock(Cacheable):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Texts | None = None
    is_error: bool | None = None


Block = Annotated[
    TextBlock | ThinkingBlock | RedactedThinkingBlock | ToolUseBlock | ToolResultBlock, Discriminator("type")
]


class Message(Wire):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Block], BeforeValidator(_as_blocks)]


class CustomTool(Cacheable):
    type: Literal["custom"] | None = None
    name: str
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    eager_input_streaming: bool | None = None
    input_examples: list[dict[str, Any]] | None = None


def _tool_type(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else None
    return "custom" if kind is None else str(kind)[:100]


Tool = Annotated[Annotated[CustomTool, Tag("custom")], Discriminator(_tool_type)]


class ToolChoice(Wire):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Wire):
    type: Literal["enabled", "adaptive", "disabled", "between_tools"]
    budget_tokens: int | None = None
    display: Literal["summarized", "omitted"] | None = None


class JsonFormat(Wire):
    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(Wire):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(Wire):
    user_id: str


class CreateMessage(Wire):
    """`POST /v1/messages`."""

    model: str
    max_tokens: Annotated[int, Field(ge=1)]
    messages: list[Message]
    metadata: Metadata
    system: Texts | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    """Version 2023-06-01 only, and only some models: the API refuses it where it does not belong."""
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None


COUNTED: Final = frozenset({"model", "messages", "system", "tools", "tool_choice", "thinking", "output_config"})
"""The fields that `POST /v1/messages/count_tokens` takes."""
