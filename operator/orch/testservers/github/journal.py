"""The journal: one line for every request and what came of it, so that a test can count effects.

Who calls it: `app`, as the outermost middleware; people and tests through `GET /_control/journal`. It never keeps a
credential: no request header but those of `REQUEST_HEADERS`, and fields named like a secret are blanked in bodies.
"""

from __future__ import annotations

import json
import os
import re
import time
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Caller
from .state import State
from .wire import api_path, find_transport, header, is_control

REQUEST_HEADERS: Final = ("accept", "content-type", "if-modified-since", "if-none-match", "user-agent",
                          "x-github-api-version")  # fmt: skip
RESPONSE_HEADERS: Final = ("cache-control", "content-type", "etag", "last-modified", "link", "location", "retry-after",
                           "vary", "x-github-request-id", "x-ratelimit-limit", "x-ratelimit-remaining",
                           "x-ratelimit-reset", "x-ratelimit-resource", "x-ratelimit-used")  # fmt: skip
REQUEST_LIMIT: Final = 64 * 1024
RESPONSE_LIMIT: Final = 4 * 1024 * 1024
SECRET_FIELD: Final = re.compile(r"(?i)(secret|token|password|private_key)$")


class Tap:
    """Keeps the beginning of a body that flows by, and its size."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size <= self.limit:
            self._kept += chunk

    def decoded(self, content_type: str | None) -> Any:
        """The body as JSON where it is JSON, else as text; None for git packs, for nothing and for too much."""
        if not self.size or self.size > self.limit or (content_type or "").startswith("application/x-git-"):
            return None
        text = self._kept.decode("utf-8", errors="replace")
        try:
            return blanked(json.loads(text))
        except (ValueError, RecursionError):
            return text


def blanked(value: Any) -> Any:
    """`value` without the content of fields that are named like a credential."""
    if isinstance(value, dict):
        return {
            key: "***" if isinstance(item, str) and SECRET_FIELD.search(key) else blanked(item)
            for key, item in value.items()
        }
    return [blanked(item) for item in value] if isinstance(value, list) else value


class JournalFile:
    """The lines on disk, numbered from 1 over all starts of the server. One line is one write: none is half there."""

    def __init__(self, path: Path) -> None:
        """Open or create `path`. A line that a crash cut short is removed."""
        self._path = path
        self._starts = array("Q")
        self._end = 0
        if path.exists():
            with path.open("rb") as lines:
                for line in lines:
                    if line.endswith(b"\n"):
                        self._starts.append(self._end)
                        self._end += len(line)
            os.truncate(path, self._end)
        self._file: int | None = None

    @property
    def last(self) -> int:
        return len(self._starts)

    def append(self, entry: dict[str, Any]) -> None:
        line = json.dumps({"seq": self.last + 1, **entry}, separators=(",", ":")).encode() + b"\n"
        if self._file is None:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(self._file, line)
        self._starts.append(self._end)
        self._end += len(line)

    def since(self, seq: int) -> Iterator[dict[str, Any]]:
        """The entries after number `seq`, oldest first, up to the newest at the time of the call."""
        seq, last = max(seq, 0), self.last
        if seq >= last:
            return
        with self._path.open("rb") as lines:
            lines.seek(self._starts[seq])
            for _ in range(last - seq):
                yield json.loads(lines.readline())

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


class Journal:
    """The middleware. An entry is written when the request is over, `seq` is therefore the order of endings."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state
        self.file = JournalFile(state.data_dir / "journal.jsonl")
        self.open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["orch.journal"] = self
        if scope["type"] == "lifespan":
            try:
                await self.app(scope, receive, send)
            finally:
                self.file.close()
        elif scope["type"] != "http" or is_control(scope):
            await self.app(scope, receive, send)
        else:
            scope["orch.transport"] = find_transport(send)
            await self._record(scope, receive, send)

    async def _record(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(scope, self.state)
        self.open += 1
        try:
            await self.app(scope, exchange.receiving(receive), exchange.sending(send))
        finally:
            self.open -= 1
            self.file.append(exchange.entry())


class Exchange:
    """One request on its way through, with what is seen of it."""

    def __init__(self, scope: Scope, state: State) -> None:
        self.scope = scope
        self.started = time.perf_counter()
        self.time = state.clock().isoformat().replace("+00:00", "Z")
        self.keep_response = state.settings.record_bodies
        self.request = Tap(REQUEST_LIMIT)
        self.response = Tap(RESPONSE_LIMIT if self.keep_response else 0)
        self.status: int | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def receiving(self, receive: Receive) -> Receive:
        async def tapped() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                self.request.feed(message.get("body", b""))
            return message

        return tapped

    def sending(self, send: Send) -> Send:
        async def tapped(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.status, self.headers = message["status"], list(message.get("headers", []))
            else:
                self.response.feed(message.get("body", b""))
                self.complete = not message.get("more_body", False) and not self._gone()
            await send(message)

        return tapped

    def _gone(self) -> bool:
        transport = self.scope.get("orch.transport")
        return transport is not None and transport.is_closing()

    def entry(self) -> dict[str, Any]:
        """What the journal says of it (`query` explains the fields)."""
        caller: Caller | None = self.scope.get("orch.token")
        fault: dict[str, Any] = self.scope.get("orch.fault") or {}
        asked, answered = self.scope["headers"], self.headers
        entry = {
            "time": self.time,
            "method": self.scope["method"],
            "path": api_path(self.scope["path"]),
            "query": self.scope["query_string"].decode("latin-1"),
            "request_headers": {name: value for name in REQUEST_HEADERS if (value := header(asked, name)) is not None},
            "request_size": self.request.size,
            "request_body": self.request.decoded(header(asked, "content-type")),
            "account": caller.account.login if caller else None,
            "token_kind": caller.kind if caller else None,
            "status": self.status if self.complete else None,
            "dropped": not self.complete,
            "fault": fault.get("id"),
            "acted_status": fault["acted"] if fault else self.status,
            "moved": self.scope.get("orch.moved"),
            "response_headers": {name: value for name in RESPONSE_HEADERS if (value := header(answered, name))},
            "response_size": self.response.size,
            "duration_ms": round((time.perf_counter() - self.started) * 1000, 3),
        }
        if self.keep_response:
            entry["response_body"] = self.response.decoded(header(answered, "content-type"))
        return entry


async def query(request: Request) -> Response:
    """`GET /_control/journal?since=SEQ&method=POST&path=REGEX&account=LOGIN&limit=N` → `{"entries": […], "last": SEQ, "open": N}`.

    Entries come oldest first, at most `limit` (default and most: 10000); `last` is the `since` of the next question, `open` the
    number of requests that are not over.
    Of an entry: `status` is what the client got, null when it got no whole answer (then `dropped`); `acted_status` is
    what the stand-in's own work ended with, null when a fault kept it from working; `moved`
    names the refs that a push has changed, each with its commit before and after (null: none), and is null for everything
    else; `fault` is that fault's id; `account` is null without a valid token; `path` has no `/api/v3`; `response_body` is
    there with the setting `record_bodies`.
    """
    journal: Journal = request.scope["orch.journal"]
    asked = request.query_params
    try:
        since, limit = int(asked.get("since", 0)), int(asked.get("limit", 10_000))
        path = re.compile(asked.get("path", ""))
    except (ValueError, re.error) as err:
        return JSONResponse({"message": f"since and limit are whole numbers, path is a regular expression: {err}"}, 422)
    wanted = {name: asked[name] for name in ("method", "account") if name in asked}

    def select() -> tuple[list[dict[str, Any]], int]:
        found: list[dict[str, Any]] = []
        seen = max(since, 0)
        for entry in journal.file.since(since):
            if len(found) >= min(limit, 10_000):
                break
            seen = entry["seq"]
            if path.search(entry["path"]) and all(entry[name] == value for name, value in wanted.items()):
                found.append(entry)
        return found, seen

    entries, last = await run_in_threadpool(select)
    return JSONResponse({"entries": entries, "last": last, "open": journal.open})


routes = [Route("/_control/journal", query, methods=["GET"])]
