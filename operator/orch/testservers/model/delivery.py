"""Sends an answer as a script wants it: at once, slowly, or with the connection dropped on the way.

Called by `app`. It never decides what is sent.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send


class Delivery(Response):
    """Chunks with a pause of `pause` seconds before each; stops when the client is gone.

    `cut_after` drops the connection after so many bytes of the body, unless the body is shorter.
    """

    def __init__(
        self,
        chunks: Iterable[bytes],
        *,
        status: int,
        headers: Mapping[str, str],
        pause: float = 0,
        cut_after: int | None = None,
    ) -> None:
        super().__init__(status_code=status, headers=headers)
        del self.headers["content-length"]
        if "content-length" in headers:
            self.headers["content-length"] = headers["content-length"]
        self._chunks = chunks
        self._pause = pause
        self._cut_after = cut_after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gone = asyncio.ensure_future(_until_disconnect(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            is_whole = await self._send_chunks(send, gone)
            if is_whole:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            # Otherwise the response stays unfinished, and uvicorn closes the connection.
        finally:
            gone.cancel()

    async def _send_chunks(self, send: Send, gone: asyncio.Future[None]) -> bool:
        left = self._cut_after
        for chunk in self._chunks:
            if self._pause:
                await asyncio.wait({gone}, timeout=self._pause)
            if gone.done():
                return False
            if left is not None and len(chunk) >= left:
                await send({"type": "http.response.body", "body": chunk[:left], "more_body": True})
                return False
            left = None if left is None else left - len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        return True


def json_delivery(
    body: dict[str, Any], *, status: int, headers: Mapping[str, str], cut_after: int | None = None
) -> Delivery:
    """A JSON answer, with its true length also when it is cut."""
    data = json.dumps(body, ensure_ascii=False).encode()
    more = {"content-type": "application/json", "content-length": str(len(data))}
    return Delivery([data], status=status, headers=dict(headers) | more, cut_after=cut_after)


async def _until_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
