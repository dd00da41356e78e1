"""The conversation loop: ask, carry out what the model calls, until it ends its turn or a limit is reached.

Used by the stages `answer` and `change`. It knows nothing of analyses, plans or tests. Every way in which a model can
misbehave ends here in one of a few exceptions, which `main` turns into the outcome of the report.
"""

from __future__ import annotations

import time

from orch.agent.conversation import Conversation, text_block
from orch.agent.errors import StepError
from orch.agent.model import Model, PromptTooLong
from orch.agent.sse import Answer
from orch.agent.tools import Toolbox
from orch.agent.transcript import Transcript

_MOST_EMPTY = 3
_NUDGE_AT = 5


class LimitReached(StepError):
    """Turns or time are used up."""


class BadAnswer(StepError):
    """The model answered nothing, refused, or what it said never fitted."""


class Loop:
    """One conversation under limits. `turns`: answers so far."""

    def __init__(
        self,
        model: Model,
        conversation: Conversation,
        toolbox: Toolbox,
        transcript: Transcript,
        *,
        most_turns: int,
        deadline: float,
    ) -> None:
        self._model = model
        self._conversation = conversation
        self._toolbox = toolbox
        self._transcript = transcript
        self._most_turns = most_turns
        self._deadline = deadline
        self.turns = 0

    def say(self, text: str) -> None:
        """Add a user message, to which the next turn answers."""
        self._transcript.add("prompt", text=text)
        self._conversation.add_user([text_block(text)])

    def until_quiet(self) -> Answer:
        """Go on until the model ends its turn with some text and no tool call; that answer.

        Raises LimitReached, BadAnswer, Replan, and what `Model.ask` raises."""
        empty = 0
        while True:
            answer = self._turn()
            if answer.stop_reason == "refusal":
                raise BadAnswer("the model refuses to work on this")
            if answer.calls:
                empty = 0
                continue
            if answer.stop_reason == "max_tokens":
                self.say("Your answer was cut off at its maximum length. Go on, in smaller parts.")
                continue
            if answer.text.strip():
                return answer
            empty += 1
            if empty >= _MOST_EMPTY:
                raise BadAnswer(f"the model answered nothing {empty} times in a row")
            self.say("Your answer was empty. Go on with the task, or end it with a sentence on the result.")

    def _turn(self) -> Answer:
        self._check_limits()
        answer = self._ask()
        self.turns += 1
        self._transcript.add("answer", content=answer.content, stop_reason=answer.stop_reason, usage=answer.usage)
        self._conversation.add_answer(answer)
        if answer.calls:
            results = [
                self._toolbox.carry_out(call, readable=call["id"] not in answer.unreadable) for call in answer.calls
            ]
            self._conversation.add_user([*results, *self._nudge()])
        return answer

    def _ask(self) -> Answer:
        try:
            return self._model.ask(self._conversation.request())
        except PromptTooLong:
            if not self._conversation.shorten():
                raise LimitReached("the conversation is longer than the model's context") from None
            self._transcript.add("shortened")
        try:
            return self._model.ask(self._conversation.request())
        except PromptTooLong:
            raise LimitReached("the conversation is longer than the model's context") from None

    def _check_limits(self) -> None:
        if self.turns >= self._most_turns:
            raise LimitReached(f"{self.turns} turns are used up")
        if time.monotonic() >= self._deadline:
            raise LimitReached("the step's time is used up")

    def _nudge(self) -> list[dict[str, str]]:
        left = self._most_turns - self.turns
        if 0 < left <= _NUDGE_AT:
            return [text_block(f"{left} turns are left: finish now, and end your turn.")]
        return []
