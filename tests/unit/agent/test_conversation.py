"""The conversation: breakpoints for the cache, at most four, and room made when it is too long."""

from __future__ import annotations

from typing import Any

import pytest

from orch.agent.conversation import LEFT_OUT, Conversation, text_block
from orch.agent.sse import Answer

TOOL = {"name": "view", "input_schema": {"type": "object"}}


def a_conversation() -> Conversation:
    return Conversation(system="s", tools=[TOOL], opening=["repository", "issue", "task"])


def answer(number: int) -> Answer:
    return Answer(content=[{"type": "tool_use", "id": f"t{number}", "name": "view", "input": {}}])


def result(number: int, text: str = "x") -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": f"t{number}", "content": text}


def marks(request: dict[str, Any]) -> list[str]:
    """Where the breakpoints are: `s` for system, else message.block."""
    found = ["s"] if "cache_control" in request["system"][-1] else []
    for m, message in enumerate(request["messages"]):
        found += [f"{m}.{b}" for b, block in enumerate(message["content"]) if "cache_control" in block]
    return found


def test_breakpoints_move_along() -> None:
    conversation = a_conversation()
    assert marks(conversation.request()) == ["s", "0.0", "0.2"]
    for number in range(1, 4):
        conversation.add_answer(answer(number))
        conversation.add_user([result(number)])
    assert marks(conversation.request()) == ["s", "0.0", "4.0", "6.0"]
    assert "cache_control" not in str(conversation.messages)


def test_an_empty_answer_leaves_one_user_message() -> None:
    conversation = a_conversation()
    conversation.add_answer(Answer())
    conversation.add_user([text_block("go on")])
    assert [message["role"] for message in conversation.messages] == ["user"]


@pytest.mark.parametrize("thought", ["thinking", "redacted_thinking"])
def test_thoughts_that_nothing_follows_are_left_out(thought: str) -> None:
    thinks, call = {"type": thought}, answer(1).content[0]
    conversation = a_conversation()
    conversation.add_answer(Answer(content=[thinks, thinks]))
    assert len(conversation.messages) == 1
    conversation.add_answer(Answer(content=[thinks, call, thinks]))
    assert conversation.messages[1]["content"] == [thinks, call]


def test_blank_text_is_never_sent() -> None:
    assert text_block(" \n")["text"] == "(empty)"


def test_shortening_keeps_the_last_turns_and_the_pairs() -> None:
    conversation = a_conversation()
    for number in range(10):
        conversation.add_answer(answer(number))
        conversation.add_user([result(number, "long " * 200)])
    assert conversation.shorten() is True
    texts = [block["content"] for message in conversation.messages[2::2] for block in message["content"]]
    assert texts.count(LEFT_OUT) == 4
    assert texts[-1] != LEFT_OUT
    assert conversation.shorten() is False
