"""The shape of a request to the Messages API, as pydantic models that refuse what they do not know.

Called by `rules`. The true API validates with pydantic too, so places and texts of the errors agree
(`tools.0.custom.input_schema.type: Field required`). It never judges what fields mean together: that is `rules`.
Source: the parameter types of the `anthropic` SDK 2.x, API versions 2023-06-01 and 2026-10-21.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError

from orch.testservers.model.errors import invalid


class Wire(BaseModel):
    """Unknown fields are refused and nothing is converted."""

    model_config = ConfigDict(extra="forbid", strict=True)


class CacheControl(Wire):
    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class Cacheable(Wire):
    cache_control: CacheControl | None = None


class TextBlock(Cacheable):
    type: Literal["text"]
    text: str
    citations: list[Any] | None = None


class ImageBlock(Cacheable):
    type: Literal["image"]
    source: dict[str, Any]


class DocumentBlock(Cacheable):
    type: Literal["document"]
    source: dict[str, Any]
    title: str | None = None
    context: str | None = None
    citations: dict[str, Any] | None = None


class ThinkingBlock(Wire):
    type: Literal["thinking"]
    thinking: str
    signature: str


class ToolUseBlock(Cacheable):
    type: Literal["tool_use"]
    id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    input: dict[str, Any]
    caller: dict[str, Any] | None = None
    toolset_name: None = None


def _blocks(value: object) -> object:
    """A string is shorthand for one text block; the empty string for no block."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}] if value else []
    return value


type_ = Discriminator("type")
ResultContent = Annotated[TextBlock | ImageBlock | DocumentBlock, type_]


class ToolResultBlock(Cacheable):
    type: Literal["tool_result"]
    tool_use_id: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]+$")]
    content: Annotated[list[ResultContent], BeforeValidator(_blocks)] = []
    is_error: bool | None = None


Block = Annotated[
    TextBlock | ImageBlock | DocumentBlock | ThinkingBlock | ToolUseBlock | ToolResultBlock,
    type_,
]


class Message(Wire):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Block], BeforeValidator(_blocks)]


class InputSchema(BaseModel):
    """The part of a tool's JSON schema that is checked by shape; the rest is checked as a schema."""

    model_config = ConfigDict(extra="allow", strict=True)
    type: Literal["object"]
    properties: dict[str, Any] | None = None
    required: list[str] | None = None


class CustomTool(Cacheable):
    type: Literal["custom"] | None = None
    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,128}$")]
    description: str | None = None
    input_schema: InputSchema
    strict: bool = False
    eager_input_streaming: bool | None = None
    input_examples: list[dict[str, Any]] | None = None


def _tool_type(value: Any) -> str:
    kind = value.get("type") if isinstance(value, dict) else "custom"
    return "custom" if kind is None else str(kind)


Tool = Annotated[
    Annotated[CustomTool, Tag("custom")],
    Discriminator(
        _tool_type,
        custom_error_type="not_served",
        custom_error_message="the stand-in serves custom tools only, no server tools",
    ),
]


class ChoiceAuto(Wire):
    type: Literal["auto"]
    disable_parallel_tool_use: bool = False


class ChoiceAny(Wire):
    type: Literal["any"]
    disable_parallel_tool_use: bool = False


class ChoiceTool(Wire):
    type: Literal["tool"]
    name: str
    disable_parallel_tool_use: bool = False


class ChoiceNone(Wire):
    type: Literal["none"]


ToolChoice = Annotated[ChoiceAuto | ChoiceAny | ChoiceTool | ChoiceNone, type_]


class ThinkingEnabled(Wire):
    type: Literal["enabled"]
    budget_tokens: Annotated[int, Field(ge=1024)]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingAdaptive(Wire):
    type: Literal["adaptive"]
    display: Literal["summarized", "omitted"] | None = None


class ThinkingOther(Wire):
    type: Literal["disabled", "between_tools"]


Thinking = Annotated[ThinkingEnabled | ThinkingAdaptive | ThinkingOther, type_]


class JsonFormat(Wire):
    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class OutputConfig(Wire):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: JsonFormat | None = None


class Metadata(Wire):
    user_id: Annotated[str, Field(max_length=512)] | None = None


class Prompt(Wire):
    """What counts as input, and all that `POST /v1/messages/count_tokens` takes."""

    model: Annotated[str, Field(min_length=1)]
    messages: Annotated[list[Message], Field(max_length=100_000)]
    system: Annotated[list[TextBlock], BeforeValidator(_blocks)] = []
    tools: list[Tool] = []
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None

    @property
    def format(self) -> JsonFormat | None:
        """The structured output asked for, if any."""
        return self.output_config.format if self.output_config else None


class CreateMessage(Prompt):
    """`POST /v1/messages` of version 2026-10-21, which has no sampling parameters."""

    max_tokens: Annotated[int, Field(ge=0)]
    metadata: Metadata | None = None
    stop_sequences: list[str] = []
    stream: bool = False
    service_tier: Literal["auto", "standard_only"] | None = None


class CreateMessage2023(CreateMessage):
    """`POST /v1/messages` of version 2023-06-01."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None


NOT_SERVED: Final = frozenset({"container", "diagnostics", "inference_geo", "speed"})
"""Fields that the true API takes and the stand-in would have to ignore: it refuses them by name instead."""


R = TypeVar("R", bound="Prompt")


def read_request(shape: type[R], body: object) -> R:
    """The request as `shape`. Raises ApiError with the first error's place and text, as the true API does."""
    if not isinstance(body, dict):
        raise invalid("Input should be a valid dictionary or object to extract fields from")
    for name in sorted(NOT_SERVED & body.keys()):
        if body[name] is not None:
            raise invalid(f"{name}: not served by the stand-in")
    try:
        return shape.model_validate({name: value for name, value in body.items() if name not in NOT_SERVED})
    except ValidationError as err:
        first = err.errors(include_url=False, include_input=False)[0]
        raise invalid(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
