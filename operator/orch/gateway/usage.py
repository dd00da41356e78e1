"""Reads on the fly what a call has used, from the bytes of its answer. Called by `calls` while the bytes pass through.

It changes nothing, keeps no text of the answer, and never raises: usage that cannot be read is `None`, and the call is
then charged its reserve. Sources: "Streaming messages" (usage in `message_start`; cumulative in `message_delta`) and
"Prompt caching" (which tokens are in which field) of the Claude documentation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, Protocol

from orch.gateway.prices import Tokens

_LONGEST_LINE: Final = 4_000_000
_LONGEST_BODY: Final = 64_000_000
_TELLING: Final = (b"message_start", b"message_delta", b"message_stop", b"error")


class UsageReader(Protocol):
    """Sees every byte of an answer once."""

    is_finished: bool
    """The answer is complete; no byte after this changes what it cost."""

    def feed(self, data: bytes) -> None: ...
    def tokens(self) -> Tokens | None:
        """What was used, or None as long as the final figures are not known."""
        ...


class StreamUsage:
    """For `text/event-stream`."""

    def __init__(self) -> None:
        self.is_finished = False
        self._usage: dict[str, Any] = {}
        self._has_begun = False
        self._is_final = False
        self._rest = bytearray()
        self._skips = False

    def feed(self, data: bytes) -> None:
        *lines, last = data.split(b"\n")
        for line in lines:
            self._rest += line
            if not self._skips:
                self._line(bytes(self._rest))
            self._rest.clear()
            self._skips = False
        self._rest += last
        if len(self._rest) > _LONGEST_LINE:  # no event with usage is so long: forget it, wait for the next line
            self._rest.clear()
            self._skips = True

    def tokens(self) -> Tokens | None:
        return _tokens(self._usage) if self._is_final else None

    def _line(self, line: bytes) -> None:
        if not line.startswith(b"data:") or not any(word in line for word in _TELLING):
            return
        event = _object(line.removeprefix(b"data:"))
        kind = event.get("type")
        if kind == "message_start" and isinstance(event.get("message"), dict):
            self._has_begun = True
            self._take(event["message"].get("usage"))
        elif kind == "message_delta":
            self._take(event.get("usage"))
            delta = event.get("delta")
            self._is_final = self._has_begun and isinstance(delta, dict) and delta.get("stop_reason") is not None
        elif kind in ("message_stop", "error"):
            self.is_finished = True

    def _take(self, usage: object) -> None:
        if isinstance(usage, dict):
            self._usage |= {name: value for name, value in usage.items() if value is not None}


class BodyUsage:
    """For `application/json`."""

    def __init__(self) -> None:
        self.is_finished = False
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        if len(self._body) <= _LONGEST_BODY:
            self._body += data

    def tokens(self) -> Tokens | None:
        usage = _object(bytes(self._body)).get("usage")
        return _tokens(usage) if isinstance(usage, dict) else None


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _tokens(usage: Mapping[str, Any]) -> Tokens | None:
    """The billed tokens. A cache write whose lifetime is not told counts as the dearer one."""
    details = usage.get("cache_creation") or {}
    try:
        short, long = (_count(details, f"ephemeral_{name}_input_tokens") for name in ("5m", "1h"))
        written = max(_count(usage, "cache_creation_input_tokens"), short + long)
        return Tokens(
            input=_count(usage, "input_tokens", is_needed=True),
            output=_count(usage, "output_tokens", is_needed=True),
            cache_read=_count(usage, "cache_read_input_tokens"),
            cache_write_5m=short,
            cache_write_1h=written - short,
        )
    except ValueError:
        return None


def _count(usage: object, name: str, *, is_needed: bool = False) -> int:
    if not isinstance(usage, Mapping):
        raise ValueError(name)
    value = usage.get(name)
    if value is None and not is_needed:
        return 0
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**9:
        raise ValueError(name)
    return value
