"""Thinking: which settings a model takes, and blocks that come back exactly as they were sent.

Called by `rules` and `answers`. It never makes a model think: a script says what a block holds.
Source: "Thinking" and "Troubleshooting thinking" of the Claude documentation.
"""

from __future__ import annotations

import base64
import hashlib

from orch.testservers.model.catalog import Model
from orch.testservers.model.errors import invalid
from orch.testservers.model.wire import (
    ChoiceAny,
    ChoiceTool,
    CreateMessage2023,
    Prompt,
    ThinkingBlock,
    ThinkingEnabled,
)


def signature(text: str) -> str:
    """The signature of a thinking block. It proves that the text is unchanged, not that it is secret."""
    return base64.b64encode(hashlib.sha256(b"orch stand-in thinking\0" + text.encode()).digest()).decode()


def check_signatures(prompt: Prompt) -> None:
    """Raises ApiError when a thinking block was changed on its way through the client."""
    for number, message in enumerate(prompt.messages):
        for index, block in enumerate(message.content):
            if isinstance(block, ThinkingBlock) and block.signature != signature(block.thinking):
                raise invalid(f"messages.{number}.content.{index}: Invalid `signature` in `thinking` block")


def check_thinking(prompt: Prompt, model: Model, *, max_tokens: int | None) -> None:
    """Raises ApiError for a setting that the model refuses. `max_tokens` is None when tokens are counted only."""
    thinking = prompt.thinking
    if thinking is None:
        return
    if thinking.type not in model.thinking:
        raise invalid(_unsupported(thinking.type))
    if not isinstance(thinking, ThinkingEnabled):
        return
    if max_tokens is not None and max_tokens <= thinking.budget_tokens:
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")
    if isinstance(prompt.tool_choice, ChoiceAny | ChoiceTool):
        raise invalid("Thinking may not be enabled when tool_choice forces tool use.")
    if isinstance(prompt, CreateMessage2023) and prompt.temperature not in (None, 1):
        raise invalid("`temperature` may only be set to 1 when thinking is enabled.")


def _unsupported(kind: str) -> str:
    if kind == "adaptive":
        return "adaptive thinking is not supported on this model"
    return (
        f'"thinking.type.{kind}" is not supported for this model. '
        'Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.'
    )
