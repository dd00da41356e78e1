"""One door to the model: sends a conversation to the gateway, reads the streamed answer, says what a failure means.

Called by `loop`. It owns the request's shape (`/v1/messages`, version 2023-06-01, which still knows `temperature`) and the
limit on output. It never decides what to say, and runs no tool.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from io import BytesIO
from typing import Any, Final

from orch.agent.connection import Broken, Client, Response
from orch.agent.errors import StepError
from orch.agent.gateway import opened
from orch.agent.patience import GaveUp, OutOfMoney, Patience, Refused, Trouble
from orch.agent.sse import LONGEST_LINE, Answer, StreamBroken, StreamError, TooMuchOutput, read_answer
from orch.api.work import ModelChoice
from orch.failpoints import Moment, failpoint

VERSION: Final = "2023-06-01"
_TOO_LONG: Final = ("prompt is too long", "exceed context limit", "request_too_large")
_RAW_OVERHEAD: Final = 60
"""Bytes on the wire per byte of answer: a delta of one letter comes in an event of some hundred bytes."""


class PromptTooLong(StepError):
    """The conversation no longer fits into the model's context."""


class Model:
    """The model of one step. `user_id`: `orch/<identity>/<stage>/<n>`, by which the gateway and logs know the step."""

    def __init__(
        self, client: Client, choice: ModelChoice, *, user_id: str, output_bytes: int, patience: Patience
    ) -> None:
        self._client = client
        self._choice = choice
        self._user_id = user_id
        self._left = output_bytes
        self._patience = patience

    def ask(self, conversation: dict[str, Any]) -> Answer:
        """The answer to `conversation` (tools, system, messages, output_config).

        Raises TooMuchOutput, PromptTooLong, OutOfMoney, Refused, or GaveUp when patience ends."""
        answer = self._patience.keep_trying(lambda: self._once(conversation), _raise_final)
        self._left -= answer.size
        return answer

    def _once(self, conversation: dict[str, Any]) -> Answer:
        data = self._body(conversation)
        headers = {
            "anthropic-version": VERSION,
            "accept": "text/event-stream",
            "content-type": "application/json",
        }
        failpoint("ask-model", Moment.BEFORE)
        try:
            with opened(
                self._client,
                "POST",
                "/v1/messages",
                headers=headers,
                body=BytesIO(data),
                size=len(data),
                on_sent=partial(failpoint, "ask-model", Moment.SENT),
            ) as response:
                answer = read_answer(self._lines(response), limit=self._left)
        except StreamError as err:
            raise Trouble(err.kind, err.message) from err
        except StreamBroken as err:
            raise Trouble("cut", str(err)) from err
        failpoint("ask-model", Moment.ANSWERED)
        return answer

    def _body(self, conversation: dict[str, Any]) -> bytes:
        body: dict[str, Any] = {
            "model": self._choice.name,
            "max_tokens": self._choice.max_output_tokens,
            "metadata": {"user_id": self._user_id},
            "stream": True,
            **conversation,
        }
        if self._choice.temperature is not None:
            body["temperature"] = float(self._choice.temperature)
        return json.dumps(body, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()

    def _lines(self, response: Response) -> Iterator[str]:
        """Lines of the stream. A break in it is told apart from a connection that was never made. Not `str.splitlines`:
        that also splits at U+2028 and its kin, which stand unescaped in the JSON of an event."""
        raw = _RAW_OVERHEAD * self._left + 1_000_000
        rest = bytearray()
        try:
            for chunk in response.chunks():
                raw -= len(chunk)
                if raw < 0 or len(rest) > LONGEST_LINE:
                    raise TooMuchOutput("the answer's stream does not end")
                if self._patience.is_over():
                    raise GaveUp("the step's time was up in the middle of an answer")
                *lines, last = chunk.split(b"\n")
                for line in lines:
                    yield (bytes(rest) + line).decode(errors="replace").rstrip("\r")
                    rest.clear()
                rest += last
        except Broken as err:
            raise StreamBroken(f"the stream broke ({err})") from err


def _raise_final(trouble: Trouble) -> None:
    """Raise what waiting does not change; return for what it may."""
    if trouble.status == 402 and trouble.kind == "budget_exhausted":
        raise OutOfMoney(trouble.message) from trouble
    if any(sign in f"{trouble.kind} {trouble.message}".lower() for sign in _TOO_LONG):
        raise PromptTooLong(trouble.message) from trouble
    is_busy = trouble.kind in ("budget_reserved", "rate_limit_error") or trouble.status in (408, 409, 425, 429)
    if trouble.status is not None and trouble.status < 500 and not is_busy:
        raise Refused(str(trouble)) from trouble
