"""What the middlewares share: which requests are whose, and how a connection is dropped. Knows ASGI, nothing of issues.

Who calls it: `journal`, `faults`, `limits`, `etags`. It never answers a request by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from typing import Final

from starlette.types import Message, Receive, Scope, Send

CONTROL: Final = "/_control"
"""Paths below it steer the stand-in. They are not GitHub's: no limit, no fault and no journal line."""

API_PATH: Final = re.compile(
    r"/api/.*|/((advisories|app|app-manifests|applications|apps|assignments|classrooms|codes_of_conduct|emojis|enterprises"
    r"|events|feeds|gists|gitignore|graphql|installation|installations|issues|licenses|markdown|marketplace_listing|meta"
    r"|networks|notifications|octocat|organizations|orgs|rate_limit|repos|repositories|search|teams|user|users|versions"
    r"|zen)(/.*)?)?",
    re.DOTALL,
)
"""By the first segments of the paths in GitHub's OpenAPI description, and `graphql`; no account has such a name."""


def api_path(path: str) -> str:
    """`path` as api.github.com spells it: GitHub Enterprise Server puts `/api/v3` (GraphQL: `/api`) in front."""
    if path.startswith("/api/v3"):
        return path.removeprefix("/api/v3") or "/"
    return "/graphql" if path == "/api/graphql" else path


def is_control(scope: Scope) -> bool:
    path: str = scope.get("path", "")
    return path == CONTROL or path.startswith(CONTROL + "/")


def is_api(scope: Scope) -> bool:
    """Whether this is a request to the REST or GraphQL API; else it is git, a web page or the control API."""
    return API_PATH.fullmatch(scope["path"]) is not None


def header(headers: Iterable[tuple[bytes, bytes]], name: str) -> str | None:
    """The first header of that name, in any case, or None."""
    wanted = name.lower().encode("latin-1")
    return next((value.decode("latin-1") for key, value in headers if key.lower() == wanted), None)


def client_host(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


async def read_body(receive: Receive) -> bytes:
    """The whole request body. What arrived before a client went away is returned as it is."""
    body = bytearray()
    while (message := await receive())["type"] == "http.request":
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body)


def replay(body: bytes) -> Receive:
    """A `receive` that gives `body` once and tells of no disconnect: the act goes on, with or without its client."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


async def until_gone(receive: Receive) -> None:
    """Return when the client has closed its connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def find_transport(send: Send) -> asyncio.Transport | None:
    """The TCP connection behind uvicorn's own `send`, None behind anybody else's.

    ASGI has no way to close a connection without an answer, so this looks at the object whose method `send` is
    (uvicorn's `RequestResponseCycle`). Hence the outermost middleware calls it, before anyone wraps `send`.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    return transport if isinstance(transport, asyncio.Transport) else None


async def drop_connection(scope: Scope, receive: Receive) -> None:
    """Close the connection at once and wait until the server has noticed, so that it sends no answer of its own.

    Raises RuntimeError where the connection cannot be reached (see `find_transport`).
    """
    transport: asyncio.Transport | None = scope.get("orch.transport")
    if transport is None:
        raise RuntimeError("a connection can only be dropped under uvicorn, with Journal as the outermost middleware")
    transport.abort()
    await until_gone(receive)
