"""The rules on messages: roles, content, and the pairing of tool calls with their results.

Called by `rules`. It never looks at tools, limits or keys.
Sources: "Using the Messages API", "Handle tool calls" and "Errors: common validation errors" of the Claude
documentation.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from orch.testservers.model.catalog import Model
from orch.testservers.model.errors import invalid
from orch.testservers.model.wire import Block, Message, TextBlock, ToolResultBlock, ToolUseBlock

_FOREIGN: Final = {
    "assistant": ("tool_result", "document", "image"),
    "user": ("tool_use", "thinking"),
    "system": ("tool_use", "tool_result", "thinking", "document", "image"),
}


@dataclass
class Turn:
    """Messages of one role in a row, which the API joins. `places` gives (message, block) of each block."""

    role: str
    start: int
    blocks: list[Block] = field(default_factory=list)
    places: list[tuple[int, int]] = field(default_factory=list)

    @property
    def tool_uses(self) -> list[str]:
        return [block.id for block in self.blocks if isinstance(block, ToolUseBlock)]

    @property
    def leading_results(self) -> set[str]:
        """Results at the start of the turn: those after a text do not count, as documented."""
        found = set()
        for block in self.blocks:
            if not isinstance(block, ToolResultBlock):
                break
            found.add(block.tool_use_id)
        return found

    @property
    def results(self) -> Iterator[tuple[tuple[int, int], str]]:
        for place, block in zip(self.places, self.blocks, strict=True):
            if isinstance(block, ToolResultBlock):
                yield place, block.tool_use_id


def joined(messages: list[Message]) -> list[Turn]:
    """The messages with neighbours of one role joined."""
    turns: list[Turn] = []
    for number, message in enumerate(messages):
        if not turns or turns[-1].role != message.role:
            turns.append(Turn(message.role, number))
        turns[-1].blocks += message.content
        turns[-1].places += [(number, index) for index in range(len(message.content))]
    return turns


def check_messages(messages: list[Message], model: Model) -> None:
    """Raises ApiError for the first rule that the conversation breaks."""
    if not messages:
        raise invalid("messages: at least one message is required")
    _check_roles(messages, model)
    for number, message in enumerate(messages):
        _check_content(number, message, is_last=number == len(messages) - 1)
    turns = joined(messages)
    _check_tool_pairs(turns)
    _check_prefill(turns[-1], model)


def _check_roles(messages: list[Message], model: Model) -> None:
    if messages[0].role != "user":
        raise invalid('messages: first message must use the "user" role')
    for number, (before, message) in enumerate(pairwise(messages), start=1):
        if message.role == "system" and not model.system_turns:
            raise invalid("role 'system' is not supported on this model")
        if message.role == "system" and before.role != "user":
            raise invalid(f"messages.{number}: a message with role 'system' must follow a 'user' message")


def _check_content(number: int, message: Message, *, is_last: bool) -> None:
    if not message.content and not (is_last and message.role == "assistant"):
        raise invalid(
            f"messages.{number}: all messages must have non-empty content "
            "except for the optional final assistant message"
        )
    if message.role == "assistant" and message.content and message.content[-1].type == "thinking":
        raise invalid(f"messages.{number}: The final block in an assistant message cannot be `thinking`.")
    for index, block in enumerate(message.content):
        if block.type in _FOREIGN[message.role]:
            place = f"messages.{number}.content.{index}"
            raise invalid(f"{place}: `{block.type}` blocks are not allowed in `{message.role}` messages")
        if isinstance(block, TextBlock):
            _check_text(number, index, block, message.role)


def _check_text(number: int, index: int, block: TextBlock, role: str) -> None:
    if not block.text:
        raise invalid("messages: text content blocks must be non-empty")
    if not block.text.strip():
        raise invalid("messages: text content blocks must contain non-whitespace text")
    if block.citations and role == "user":
        raise invalid(f"messages.{number}.content.{index}.text.citations: Extra inputs are not permitted")


def _check_tool_pairs(turns: list[Turn]) -> None:
    seen: set[str] = set()
    for turn, following in zip(turns, [*turns[1:], None], strict=True):
        uses = turn.tool_uses
        if len(set(uses)) < len(uses) or seen & set(uses):
            raise invalid(f"messages.{turn.start}: `tool_use` ids must be unique")
        seen.update(uses)
        answered = following.leading_results if following else set()
        missing = [use for use in uses if use not in answered]
        if missing:
            raise invalid(
                f"messages.{turn.start}: `tool_use` ids were found without `tool_result` blocks immediately after: "
                f"{', '.join(missing)}. "
                "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
            )
    for before, turn in zip([None, *turns], turns, strict=False):
        _check_results(turn, set(before.tool_uses) if before else set())


def _check_results(turn: Turn, expected: set[str]) -> None:
    done: set[str] = set()
    for (number, index), use in turn.results:
        if use not in expected:
            raise invalid(
                f"messages.{number}.content.{index}: unexpected `tool_use_id` found in `tool_result` blocks: {use}. "
                "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if use in done:
            raise invalid(
                f"messages.{number}.content.{index}: each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {use}"
            )
        done.add(use)


def _check_prefill(last: Turn, model: Model) -> None:
    if last.role != "assistant":
        return
    if not model.prefill:
        raise invalid(
            "This model does not support assistant message prefill. The conversation must end with a user message."
        )
    final = last.blocks[-1] if last.blocks else None
    if isinstance(final, TextBlock) and final.text != final.text.rstrip():
        raise invalid("messages: final assistant content cannot end with trailing whitespace")
