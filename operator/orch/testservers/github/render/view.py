"""Whose eyes and which address: what every rendering needs besides the object.

Who makes it: `rest.Call` for answers, `events` for webhook payloads.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..access import Caller

if TYPE_CHECKING:
    from ..state import State


@dataclass(frozen=True)
class View:
    state: State
    base: str
    """Scheme, host and prefix of the API, without a slash at the end."""
    caller: Caller | None = None

    def api(self, path: str) -> str:
        return self.base + path

    def html(self, path: str) -> str:
        return self.state.url + path


def node_id(kind: str, *parts: int | str) -> str:
    """An opaque id, stable over restarts, distinct over kinds."""
    return base64.urlsafe_b64encode(f"0:{kind}:{':'.join(map(str, parts))}".encode()).decode().rstrip("=")


def record_id(value: str) -> int | None:
    """The number in one of our node ids, None when it is none."""
    try:
        text = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    last = text.rsplit(":", 1)[-1]
    return int(last) if last.isascii() and last.isdigit() else None


def stamp(time: datetime | None) -> str | None:
    """GitHub's form of a time: UTC, whole seconds, `Z`."""
    return None if time is None else time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
