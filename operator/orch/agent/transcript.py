"""The record of a step: one JSON object a line, what was said and done, in order. Told as it grows, uploaded at the end.

Written by the loop and the stages. It never holds the ticket, which only the HTTP client knows, and stops growing at its cap.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, Final

MOST: Final = 5_000_000
LONGEST_ENTRY: Final = 200_000


class Transcript:
    """Lines in memory, in UTF-8. `tell` is given each as it is added."""

    def __init__(self, tell: Callable[[bytes], None] = lambda _: None) -> None:
        self._tell = tell
        self._start = time.monotonic()
        self._lines: list[bytes] = []
        self._size = 0
        self._is_full = False

    def add(self, kind: str, **facts: Any) -> None:
        """Add an entry of a kind (`prompt`, `answer`, `tool`, `command`, `end`); `seconds` since the start are added.
        Of what was run, `took` says for how many seconds."""
        if self._is_full:
            return
        line = _line({"kind": kind, "seconds": round(time.monotonic() - self._start, 3), **facts})
        if self._size + len(line) > MOST - 1_000:
            self._is_full = True
            line = _line({"kind": "full", "message": "the transcript ends here: it has reached its cap"})
        self._lines.append(line)
        self._tell(line)
        self._size += len(line)

    def as_bytes(self) -> bytes:
        """The file."""
        return b"".join(self._lines)


def _line(entry: dict[str, Any]) -> bytes:
    text = json.dumps(entry, ensure_ascii=False, default=str)
    if len(text) > LONGEST_ENTRY:
        text = json.dumps({"kind": entry["kind"], "cut": text[: LONGEST_ENTRY // 2]}, ensure_ascii=False)
    return text.encode(errors="replace") + b"\n"
