"""The models that the stand-in knows, with what each of them accepts.

Called by the rules, the prompt cache and `GET /v1/models`. It never says what a model costs: prices are the gateway's.
Sources: "Models overview", "Troubleshooting thinking" and "Prompt caching" of the Claude documentation, and the
`Model` literal of the SDK. Where a page gives no cache minimum for a model, 1024 stands.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

UNKNOWN: Final = "1970-01-01"
"""The API gives an epoch value where the release day is not known."""
_MANUAL: Final = frozenset({"enabled", "disabled"})
_ADAPTIVE: Final = frozenset({"adaptive", "disabled"})
_ALL_EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})


@dataclass(frozen=True)
class Model:
    """What one model accepts. Token figures are tokens; `created` is the release day in RFC 3339."""

    id: str
    name: str
    line: str
    created: str
    aliases: tuple[str, ...] = ()
    max_output: int = 128_000
    context: int = 1_000_000
    cache_minimum: int = 1024
    """A shorter prefix is processed without being cached; no error says so."""
    thinking: frozenset[str] = _ADAPTIVE
    efforts: frozenset[str] = field(default=_ALL_EFFORTS)
    prefill: bool = False
    forced_tools: bool = True
    system_turns: bool = False
    """Whether messages may have the role `system` after a user turn."""
    sampling: bool = False
    """Whether temperature, top_p and top_k may differ from their defaults (API version 2023-06-01 only)."""

    def as_json(self) -> dict[str, Any]:
        """The object of `GET /v1/models` (SDK type `ModelInfo`)."""
        return {
            "type": "model",
            "id": self.id,
            "display_name": self.name,
            "created_at": f"{self.created}T00:00:00Z",
            "line": self.line,
            "lifecycle": "active",
            "deprecated_at": None,
            "retires_at": None,
            "capabilities": None,
            "max_input_tokens": self.context,
            "max_tokens": self.max_output,
        }


def _four_five(model_id: str, name: str, line: str, created: str, **more: Any) -> Model:
    """A model of the 4.5 generation: manual thinking, prefill, 64K output, 200K context."""
    alias = model_id.rsplit("-", 1)[0]
    common: dict[str, Any] = {"max_output": 64_000, "context": 200_000, "thinking": _MANUAL, "efforts": frozenset()}
    return Model(model_id, name, line, created, (alias,), prefill=True, sampling=True, **(common | more))


MODELS: Final[tuple[Model, ...]] = (
    Model("claude-haiku-5-5", "Claude Haiku 5.5", "haiku", UNKNOWN),
    Model(
        "claude-sonnet-5-5",
        "Claude Sonnet 5.5",
        "sonnet",
        "2026-09-28",
        thinking=frozenset({"adaptive", "between_tools"}),
    ),
    Model(
        "claude-opus-5-5",
        "Claude Opus 5.5",
        "opus",
        "2026-09-22",
        thinking=frozenset({"adaptive"}),
        forced_tools=False,
        system_turns=True,
    ),
    Model(
        "claude-fable-5-1",
        "Claude Fable 5.1",
        "fable",
        UNKNOWN,
        thinking=frozenset({"adaptive"}),
        forced_tools=False,
        system_turns=True,
    ),
    Model("claude-opus-5", "Claude Opus 5", "opus", "2026-07-24", cache_minimum=512, system_turns=True),
    Model("claude-sonnet-5", "Claude Sonnet 5", "sonnet", "2026-06-30"),
    Model("claude-opus-4-8", "Claude Opus 4.8", "opus", UNKNOWN, system_turns=True),
    Model("claude-opus-4-7", "Claude Opus 4.7", "opus", UNKNOWN, cache_minimum=2048),
    Model(
        "claude-sonnet-4-6",
        "Claude Sonnet 4.6",
        "sonnet",
        UNKNOWN,
        max_output=64_000,
        thinking=_ADAPTIVE | _MANUAL,
        efforts=_ALL_EFFORTS - {"xhigh"},
        sampling=True,
    ),
    Model(
        "claude-opus-4-6",
        "Claude Opus 4.6",
        "opus",
        UNKNOWN,
        cache_minimum=4096,
        thinking=_ADAPTIVE | _MANUAL,
        efforts=_ALL_EFFORTS - {"xhigh"},
        sampling=True,
    ),
    _four_five(
        "claude-opus-4-5-20251101",
        "Claude Opus 4.5",
        "opus",
        "2025-11-01",
        cache_minimum=4096,
        efforts=frozenset({"low", "medium", "high"}),
    ),
    _four_five("claude-haiku-4-5-20251001", "Claude Haiku 4.5", "haiku", "2025-10-01", cache_minimum=4096),
    _four_five("claude-sonnet-4-5-20250929", "Claude Sonnet 4.5", "sonnet", "2025-09-29"),
)

_BY_NAME: Final = {name: model for model in MODELS for name in (model.id, *model.aliases)}


def find_model(name: str) -> Model | None:
    """The model with this id or alias. Answers carry the id, so an alias comes back dated, as from the true API."""
    return _BY_NAME.get(name)
