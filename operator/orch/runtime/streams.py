"""The HTTP session that kopf watches with: our credentials, and an ear on every stream.

Called by `orch.runtime.watch` in kopf's thread. It changes no byte of what passes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from orch.kube.client import Kube

Tell = Callable[[str], object]
TellPage = Callable[[str, Any], object]


def open_session(kube: Kube, *, opened: Tell, listed: TellPage, heard: Tell) -> aiohttp.ClientSession:
    """A session in the running loop. Each callback gets the URL path, without what the server's own URL has in front.

    Args:
        opened: the server has accepted a watch.
        listed: it has answered a list, or another GET that is no watch; gets the parsed answer too.
        heard: bytes have arrived on a watch, bookmarks among them.
    """
    prefix = urlsplit(kube.server).path.rstrip("/")

    class Response(aiohttp.ClientResponse):
        """A response that reports. `response_class` is aiohttp's own seam for this."""

        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            answer = await super().start(connection)
            path = self.url.raw_path.removeprefix(prefix)
            if self.ok and self.method == "GET" and "watch" in self.url.query:
                self.content = _Overheard(self.content, lambda: heard(path))  # type: ignore[assignment]
                opened(path)
            return answer

        async def json(self, **options: Any) -> Any:
            document = await super().json(**options)
            if self.ok and self.method == "GET":
                listed(self.url.raw_path.removeprefix(prefix), document)
            return document

    async def identify(request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        """Projected tokens change within hours and watches last longer than that: ask for each request."""
        request.headers.update(await kube.authorization())
        return await send(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=kube.ssl_context),
        proxy=kube.proxy,
        response_class=Response,
        middlewares=(identify,),
    )


class _Overheard:
    """A StreamReader that says when a chunk passes; all else is the reader's own."""

    def __init__(self, reader: aiohttp.StreamReader, heard: Callable[[], object]) -> None:
        self._reader, self._heard = reader, heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        async for chunk in self._reader.iter_chunked(size):
            self._heard()
            yield chunk
