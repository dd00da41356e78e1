"""The conversation with the model: what is said, in the order that lets the prompt cache work.

Used by `loop`. Stable things come first: tools, system, repository; then the issue and the task; then the turns. Of the
four breakpoints that the API allows ("Prompt caching") one closes tools and system, one the repository, and two move along
with the last two user messages, so that each request reads what the one before has written.
"""

from __future__ import annotations

from typing import Any, Final

from orch.agent.sse import Answer

Block = dict[str, Any]

_BREAKPOINT: Final = {"type": "ephemeral"}
_THOUGHTS: Final = ("thinking", "redacted_thinking")
_KEPT_TURNS: Final = 6
_SHORT: Final = 400
LEFT_OUT: Final = "[left out to save space: call the tool again if you need it]"


def text_block(text: str) -> Block:
    """A block of text; the API refuses one that is empty or blank."""
    return {"type": "text", "text": text if text.strip() else "(empty)"}


class Conversation:
    """Messages so far. `opening`: the blocks of the first user message, the repository's first."""

    def __init__(
        self, *, system: str, tools: list[dict[str, Any]], opening: list[str], schema: dict[str, Any] | None = None
    ) -> None:
        self._system = system
        self._tools = tools
        self._schema = schema
        self.messages: list[dict[str, Any]] = [{"role": "user", "content": [text_block(text) for text in opening]}]

    def add_answer(self, answer: Answer) -> None:
        """What the model said. Left out are its last thoughts, if it said nothing after them, and an answer with nothing else: the
        API refuses a message whose last block is a thought, or that has no content."""
        said = [number for number, block in enumerate(answer.content, 1) if block["type"] not in _THOUGHTS]
        if said:
            self.messages.append({"role": "assistant", "content": answer.content[: said[-1]]})

    def add_user(self, blocks: list[Block]) -> None:
        """Tool results (first) and text. Joined to a user message that has had no answer."""
        if self.messages[-1]["role"] == "user":
            self.messages[-1]["content"] += blocks
        else:
            self.messages.append({"role": "user", "content": blocks})

    def request(self) -> dict[str, Any]:
        """The part of the request's body that the conversation decides, breakpoints set."""
        users = [index for index, message in enumerate(self.messages) if message["role"] == "user"]
        messages = list(self.messages)
        for index in users[-2:]:
            messages[index] = _marked(messages[index], -1)
        if len(messages[0]["content"]) > 1:
            messages[0] = _marked(messages[0], 0)
        body: dict[str, Any] = {
            "system": [{"type": "text", "text": self._system, "cache_control": _BREAKPOINT}],
            "tools": self._tools,
            "messages": messages,
        }
        if self._schema is not None:
            body["output_config"] = {"format": {"type": "json_schema", "schema": self._schema}}
        return body

    def shorten(self) -> bool:
        """Empty the older tool results, the longest part of a long conversation. False if nothing was left to empty."""
        users = [message for message in self.messages if message["role"] == "user"]
        shortened = False
        for message in users[1:-_KEPT_TURNS]:
            for block in message["content"]:
                if block["type"] == "tool_result" and len(str(block["content"])) > _SHORT:
                    block["content"] = LEFT_OUT
                    shortened = True
        return shortened


def _marked(message: dict[str, Any], index: int) -> dict[str, Any]:
    content = list(message["content"])
    content[index] = content[index] | {"cache_control": _BREAKPOINT}
    return message | {"content": content}
