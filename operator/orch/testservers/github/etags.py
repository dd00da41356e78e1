"""Conditional requests: an ETag per URL and token on every readable answer, and 304 for those who have it already.

Who calls it: `app`, as the innermost middleware, so that limits see the 304 and do not count it. It never stores an
answer: the body is made anew each time and its digest compared. Source: GitHub Docs, "Best practices for using the
REST API", "Use conditional requests if appropriate".
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Caller
from .state import State
from .wire import api_path, header, is_api

SIZE_LIMIT_FOR_DATES: Final = 256 * 1024
"""Bytes of a JSON body up to which it is read for its `updated_at`."""
ENTITY_HEADERS: Final = frozenset((b"content-length", b"content-type", b"content-encoding"))


class ETags:
    """The middleware: GET and HEAD on the API; all else passes untouched."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] in ("GET", "HEAD") and is_api(scope):
            await self.app(scope, receive, Conditional(scope, send))
        else:
            await self.app(scope, receive, send)


class Conditional:
    """A `send` that holds an answer of status 200 back until its digest is known; other answers pass."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._start: Message | None = None
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 200:
            self._start = message
        elif self._start is None:
            await self._send(message)
        else:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._answer(self._start)

    async def _answer(self, start: Message) -> None:
        headers = [*start["headers"], *self._validators(start["headers"])]
        if is_unchanged(self._scope["headers"], headers):
            kept = [pair for pair in headers if pair[0].lower() not in ENTITY_HEADERS]
            await self._send({"type": "http.response.start", "status": 304, "headers": kept})
            await self._send({"type": "http.response.body"})
        else:
            await self._send({**start, "headers": headers})
            await self._send({"type": "http.response.body", "body": bytes(self._body)})

    def _validators(self, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        caller: Caller | None = self._scope.get("orch.token")
        wanted = {
            "etag": self._etag(caller),
            "cache-control": f"{'private' if caller else 'public'}, max-age=60, s-maxage=60",
            "vary": "Accept, Authorization, Cookie, X-GitHub-OTP, Accept-Encoding, X-Requested-With"
            if caller
            else "Accept, Accept-Encoding, X-Requested-With",
        }
        if changed := last_modified(bytes(self._body)):
            wanted["last-modified"] = changed
        return [(name.encode(), value.encode()) for name, value in wanted.items() if header(headers, name) is None]

    def _etag(self, caller: Caller | None) -> str:
        """GitHub's are weak; they differ by token and by media type, as its `Vary` says."""
        accept = header(self._scope["headers"], "accept") or ""
        parts = (caller.value if caller else "", accept, api_path(self._scope["path"]))
        key = "\0".join(parts).encode() + b"\0" + self._scope["query_string"] + b"\0"
        return f'W/"{sha256(key + self._body).hexdigest()}"'


def last_modified(body: bytes) -> str | None:
    """The HTTP date of an object's own `updated_at`; lists have none."""
    if not body.startswith(b"{") or len(body) > SIZE_LIMIT_FOR_DATES:
        return None
    try:
        changed = json.loads(body).get("updated_at")
        return format_datetime(datetime.fromisoformat(changed).astimezone(UTC), usegmt=True)
    except (ValueError, TypeError):
        return None


def is_unchanged(asked: list[tuple[bytes, bytes]], answered: list[tuple[bytes, bytes]]) -> bool:
    """Whether the client has this answer already. `If-None-Match` decides where it is sent (RFC 9110, 13.1.3)."""
    etags, since = header(asked, "if-none-match"), header(asked, "if-modified-since")
    if etags is not None:
        known = {etag.strip().removeprefix("W/") for etag in etags.split(",")}
        return "*" in known or (header(answered, "etag") or "").removeprefix("W/") in known
    changed = header(answered, "last-modified")
    if since is None or changed is None:
        return False
    try:
        return parsedate_to_datetime(changed) <= parsedate_to_datetime(since)
    except (ValueError, TypeError):
        return False
