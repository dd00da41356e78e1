"""The model service: sends a request on with the model key, and nothing of what the client said beside it.

Used by `calls`. No retries: the agent's loop obeys `retry-after`, and two of them would multiply. No connection is kept:
one that the service closes at the wrong moment would look like a call whose answer was lost, which costs its reserve.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2

from orch.gateway.errors import Refusal

_PASSED: Final = ("anthropic-version", "accept")
_PASSED_BACK: Final = ("content-type", "request-id", "retry-after")
_PASSED_BACK_PREFIX: Final = "anthropic-ratelimit-"
_LONGEST_ERROR: Final = 1_000_000
_TIMEOUT: Final = httpx2.Timeout(600, connect=10, pool=10)
"""Seconds. Ten minutes is what the service takes for a long answer without streaming; streams are pinged."""
NOT_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
"""The request has not left: nothing can have been billed."""
_LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class Said:
    """An answer that is passed on as it is, without the model key should it be in there."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class KeyFile:
    """The model key, read for each call: a rotated Secret counts at once."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self) -> str | None:
        """The key; None if there is none that a header can carry."""
        try:
            key = self._path.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return key if key and key.isprintable() and " " not in key else None


class Upstream:
    """A connection pool to one service. `url`: its address up to `/v1`."""

    def __init__(self, url: str, key: KeyFile) -> None:
        self._key = key
        base = httpx2.URL(url)
        self._client = httpx2.AsyncClient(
            base_url=base,
            timeout=_TIMEOUT,
            trust_env=base.host not in _LOOPBACK,  # a proxy is for the outside
            limits=httpx2.Limits(max_connections=1_000, max_keepalive_connections=0),
            headers={"user-agent": "orch-gateway", "accept-encoding": "identity"},
        )

    def has_key(self) -> bool:
        """Whether calls can be made at all."""
        return self._key.find() is not None

    @asynccontextmanager
    async def create(
        self, body: bytes, headers: Mapping[str, str], *, extensions: Mapping[str, Any]
    ) -> AsyncIterator[httpx2.Response]:
        """`POST /v1/messages` with the headers that `passed_on` left, and httpx2's `extensions`. The response's body is unread.

        Raises httpx2.HTTPError; one of NOT_SENT costs nothing."""
        sent = self._headers(headers)
        async with self._client.stream(
            "POST", "/v1/messages", content=body, headers=sent, extensions=dict(extensions)
        ) as response:
            yield response

    async def count(self, body: bytes, headers: Mapping[str, str]) -> int | Said:
        """Tokens of a prompt by `POST /v1/messages/count_tokens` (free), or what the service said instead.

        Raises httpx2.HTTPError, and Refusal for an answer without a figure."""
        sent = self._headers(headers) | {"accept": "application/json"}
        async with self._client.stream("POST", "/v1/messages/count_tokens", content=body, headers=sent) as response:
            said = await self.said(response)
        if not response.is_success:
            return said
        try:
            return int(json.loads(said.body)["input_tokens"])
        except (ValueError, KeyError, TypeError):
            raise Refusal(502, "the model service counted no tokens", label="upstream") from None

    async def said(self, response: httpx2.Response) -> Said:
        """A whole short answer, scrubbed."""
        body = bytearray()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > _LONGEST_ERROR:
                break
        key = (self._key.find() or "\0").encode()
        cleaned = bytes(body[:_LONGEST_ERROR]).replace(key, b"[redacted]")
        return Said(response.status_code, passed_back(response), cleaned)

    async def close(self) -> None:
        await self._client.aclose()

    def _headers(self, client: Mapping[str, str]) -> dict[str, str]:
        key = self._key.find()
        if key is None:
            raise Refusal(503, "the gateway has no model key", label="key")
        return {**client, "content-type": "application/json", "x-api-key": key}


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """The client's headers that go on to the service; its content type is always JSON. Raises Refusal."""
    found = {name: headers[name] for name in _PASSED if name in headers}
    for name, value in found.items():
        if not (value.isascii() and value.isprintable()):
            raise Refusal(400, f"the header {name} is not ASCII", label="body")
    return found


def passed_back(response: httpx2.Response) -> dict[str, str]:
    """The headers that a client is told: what the answer is, its id, and when to come back."""
    return {
        name: value
        for name, value in response.headers.items()
        if name in _PASSED_BACK or name.startswith(_PASSED_BACK_PREFIX)
    }
