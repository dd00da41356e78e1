"""What the gateway's tests share: tickets, requests, clients, and an upstream that misbehaves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx2
from hack.world.process import Process

from orch.adapters.meter import GatewayMeter, operator_token
from orch.api.ticket import Claims, Role, sign
from orch.gateway.settings import GatewaySettings
from orch.ports import Usage

KEY = b"0123456789abcdef0123456789abcdef"
MODEL_KEY = "sk-ant-secret-of-the-gateway"
IDENTITY = "0123456789abcdef"
MODEL = "claude-sonnet-5"
_LOOK = 0.02


def a_ticket(key: bytes = KEY, **claims: Any) -> str:
    """A step's ticket; what a test is about goes in `claims`."""
    usual: dict[str, Any] = {
        "role": Role.STEP,
        "expires": datetime.now(UTC) + timedelta(hours=1),
        "identity": IDENTITY,
        "step": "web-7-1-implement-1",
        "model": MODEL,
        "max_output_tokens": 1000,
        "limit_usd": Decimal(5),
    }
    return sign(Claims(**(usual | claims)), key)


def a_request(said: str = "Hello", **more: Any) -> dict[str, Any]:
    """A small request that the ticket above allows."""
    body = {
        "model": MODEL,
        "max_tokens": 1000,
        "messages": [{"role": "user", "content": said}],
        "metadata": {"user_id": f"orch/{IDENTITY}/Implement/1"},
    }
    return body | more


class Gateway:
    """A running gateway and its clients."""

    def __init__(self, url: str, settings: GatewaySettings, stack: AsyncExitStack) -> None:
        self.url, self.settings, self._stack = url, settings, stack
        self.http = self._client(httpx2.AsyncHTTPTransport())
        self.meter = GatewayMeter(url, KEY)
        stack.push_async_callback(self.meter.close)

    def _client(self, transport: httpx2.AsyncHTTPTransport) -> httpx2.AsyncClient:
        client = httpx2.AsyncClient(base_url=self.url, transport=transport, timeout=60, trust_env=False)
        self._stack.push_async_callback(client.aclose)
        return client

    def over_socket(self) -> httpx2.AsyncClient:
        """A client on the Unix socket."""
        return self._client(httpx2.AsyncHTTPTransport(uds=str(self.settings.unix_socket)))

    def sdk(self, **claims: Any) -> anthropic.AsyncAnthropic:
        """The real SDK with a step's ticket for a key, on the Unix socket, as a work step uses it."""
        client = anthropic.AsyncAnthropic(
            base_url="http://gateway",
            api_key=a_ticket(**claims),
            max_retries=0,
            http_client=httpx2.AsyncClient(transport=httpx2.AsyncHTTPTransport(uds=str(self.settings.unix_socket))),
        )
        self._stack.push_async_callback(client.close)
        return client

    async def post(self, body: Any = None, *, ticket: str | None = None, **options: Any) -> httpx2.Response:
        """A request of the test's own making."""
        headers = {
            "authorization": f"Bearer {a_ticket() if ticket is None else ticket}",
            "anthropic-version": "2023-06-01",
            "content-type": "application/json",
        }
        sent = {"content": body} if isinstance(body, bytes) else {"json": a_request() if body is None else body}
        return await self.http.post("/v1/messages", headers=headers | options.pop("headers", {}), **sent, **options)

    async def usage(self, identity: str = IDENTITY) -> Usage:
        return await self.meter.usage(identity)

    def as_operator(self) -> dict[str, str]:
        return {"authorization": f"Bearer {operator_token(KEY)()}"}

    def as_step(self, **claims: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {a_ticket(**claims)}"}


class Program:
    """A gateway in a process of its own."""

    def __init__(self, process: Process, log: Path) -> None:
        self.process, self._log = process, log
        self._read = 0

    @property
    def raw(self) -> str:
        """All that it has said so far."""
        return self._log.read_text() if self._log.exists() else ""

    async def until(self, event: str) -> dict[str, Any]:
        """Read the log on until it says so."""
        while True:
            status = self.process.ended()
            for line in self.raw[self._read :].splitlines(keepends=True):
                if line.endswith("\n"):
                    self._read += len(line)
                    entry: dict[str, Any] = json.loads(line)
                    if entry["event"] == event:
                        return entry
            assert status is None, f"no {event}: {self.raw}"
            await asyncio.sleep(_LOOK)

    async def end(self) -> int:
        """Its exit status."""
        while (status := self.process.ended()) is None:  # noqa: ASYNC110 - a process tells nobody
            await asyncio.sleep(_LOOK)
        return status


class Faulty:
    """An upstream that does what no true one should: every connection is handed to `script`."""

    def __init__(self, script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> None:
        self._script = script
        self.requests: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.requests.append(head + await reader.readexactly(int(length.split(b":")[1])))
        try:
            await self._script(reader, writer)
        finally:
            writer.close()
