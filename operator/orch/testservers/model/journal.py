"""The journal: every request with what became of it, as JSON lines in DATA/journal.jsonl.

Written by `app` before the first byte of the answer, so who has read an answer finds its entry. It never holds a key.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

SECRET_HEADERS: Final = frozenset({"x-api-key", "authorization", "proxy-authorization", "cookie"})


class Journal:
    """Appends entries to one file; a restart on the same data goes on counting."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()
        with path.open(encoding="utf-8") as file:
            self._count = sum(1 for _ in file)

    def write(self, at: datetime, headers: Mapping[str, str], entry: dict[str, Any]) -> None:
        """Add one entry; `seq` counts from 1, `at` is RFC 3339 in UTC."""
        self._count += 1
        shown = {name: value for name, value in headers.items() if name.lower() not in SECRET_HEADERS}
        line = {"seq": self._count, "at": at.isoformat()} | entry | {"headers": shown}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read(self, *, since: int = 0) -> list[dict[str, Any]]:
        """The entries with a `seq` above `since`."""
        with self._path.open(encoding="utf-8") as file:
            entries = [json.loads(line) for line in file]
        return [entry for entry in entries if entry["seq"] > since]
