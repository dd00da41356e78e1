"""The HTTP session that kopf watches with: our credentials, and an ear on every stream.

Called by `orch.runtime.watch` in kopf's thread. It changes no byte of what passes, and of what is asked only how long a watch
may last that has to prove that it lives.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from orch.kube.client import Kube
from orch.runtime.pulse import Pulse

Tell = Callable[[str], object]
TellPage = Callable[[str, Any], object]


def open_session(kube: Kube, pulse: Pulse, *, proof: int, opened: Tell, listed: TellPage) -> aiohttp.ClientSession:
    """A session in the running loop. Each callback gets the URL path, without what the server's own URL has in front.

    Args:
        pulse: gets the signs of life of each watch.
        proof: seconds after which the server is to end a watch whose opening alone would prove nothing.
        opened: the server has accepted a watch.
        listed: it has answered a list, or another GET that is no watch; gets the parsed answer too.
    """
    prefix = urlsplit(kube.server).path.rstrip("/")

    class Response(aiohttp.ClientResponse):
        """A response that reports. `response_class` is aiohttp's own seam for this."""

        async def start(self, connection: Any) -> aiohttp.ClientResponse:
            answer = await super().start(connection)
            path = self.url.raw_path.removeprefix(prefix)
            if self.ok and self.method == "GET" and "watch" in self.url.query:
                self.content = _Overheard(self.content, pulse, path)  # type: ignore[assignment]
                pulse.opened(path)
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
        path = request.url.raw_path.removeprefix(prefix)
        if "watch" in request.url.query and not pulse.is_proven(path):
            request.url = request.url.update_query(timeoutSeconds=proof)
        return await send(request)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=kube.ssl_context),
        proxy=kube.proxy,
        response_class=Response,
        middlewares=(identify,),
    )


class _Overheard:
    """The StreamReader of a watch, which tells the pulse; all else is the reader's own."""

    def __init__(self, reader: aiohttp.StreamReader, pulse: Pulse, path: str) -> None:
        self._reader, self._pulse, self._path = reader, pulse, path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._reader.iter_chunked(size):
                self._pulse.heard(self._path)
                yield chunk
        except asyncio.CancelledError:  # so kopf gives up a watch on which nothing comes
            self._pulse.fell_silent(self._path)
            raise
        self._pulse.heard(self._path)
