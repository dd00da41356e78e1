"""The client's side of a model call: what it is told, and whether it is still there. Used by `calls` and `app`."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from starlette.types import Receive, Send

from orch.gateway.errors import Refusal
from orch.gateway.upstreams import Said


class Client:
    """One HTTP response, sent in parts. Once the client is gone, sending does nothing."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._send = send
        self._gone = asyncio.ensure_future(_until_gone(receive))
        self._has_started = False

    async def start(self, status: int, headers: Mapping[str, str]) -> None:
        """Status and headers."""
        self._has_started = True
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
        await self._tell({"type": "http.response.start", "status": status, "headers": raw})

    async def send(self, data: bytes) -> None:
        """A part of the body."""
        await self._tell({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """The body is complete."""
        await self._tell({"type": "http.response.body", "body": b"", "more_body": False})

    async def answer(self, said: Said) -> None:
        """A whole answer. Too late once a body has begun: that stays unfinished, and the server cuts the connection."""
        if self._has_started:
            return
        await self.start(said.status, {**said.headers, "content-length": str(len(said.body))})
        await self._tell({"type": "http.response.body", "body": said.body, "more_body": False})

    @asynccontextmanager
    async def limit_after_departure(self, seconds: float) -> AsyncIterator[None]:
        """Raises TimeoutError inside when the block still runs so long after the client went away."""
        loop = asyncio.get_running_loop()
        is_over = False

        def start_clock(_: object) -> None:
            if not is_over:  # a callback that was scheduled already cannot be removed any more
                limit.reschedule(loop.time() + seconds)

        async with asyncio.timeout(None) as limit:
            self._gone.add_done_callback(start_clock)
            try:
                yield
            finally:
                is_over = True
                self._gone.remove_done_callback(start_clock)

    def close(self) -> None:
        """Stop watching."""
        self._gone.cancel()

    async def _tell(self, message: dict[str, object]) -> None:
        if not self._gone.done():
            await self._send(message)


def refusal_said(refusal: Refusal) -> Said:
    """A refusal of ours as an answer."""
    headers = {"content-type": "application/json", **refusal.headers}
    return Said(refusal.status, headers, json.dumps(refusal.as_json()).encode())


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
