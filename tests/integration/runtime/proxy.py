"""A TCP proxy in front of the API server that goes silent, swallows watches, refuses, or makes watches expire when a test says so."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml

_EXPIRED = b"""{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","code":410,"reason":"Expired","message":"too old"}}\n"""
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"


class Proxy:
    """Plain HTTP towards us, TLS towards the server. `requests` holds the first lines of what went through, `done` of what
    the server carried out."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        self._config = config
        cluster = config["clusters"][0]["cluster"]
        self._upstream = urlsplit(cluster["server"])
        ca = (
            base64.b64decode(cluster["certificate-authority-data"]).decode()
            if "certificate-authority-data" in cluster
            else None
        )
        self._tls = ssl.create_default_context(cafile=cluster.get("certificate-authority"), cadata=ca)
        self._flow = asyncio.Event()
        self._flow.set()
        self._refusing = self._expiring = self._swallowing = False
        self._writers: set[asyncio.StreamWriter] = set()
        self.expired = 0
        self.requests: list[str] = []
        self.done: list[str] = []

    @contextlib.asynccontextmanager
    async def open(self, folder: Path) -> AsyncIterator[Path]:
        """Listen; yields a kubeconfig that leads here."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self._config["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{port}"}
        path = folder / "proxied.kubeconfig"
        path.write_text(yaml.safe_dump(self._config))
        try:
            yield path
        finally:
            server.close()
            self._flow.set()
            self.cut()

    def silence(self) -> None:
        """From now on nothing passes and nothing ends, as when a host vanishes from the network."""
        self._flow.clear()

    def swallow(self) -> None:
        """From now on a watch is opened, and nothing else of it passes, neither what happens nor its end."""
        self._swallowing = True

    def flow(self) -> None:
        """All is well again."""
        self._refusing = self._expiring = self._swallowing = False
        self._flow.set()

    def cut(self) -> None:
        """End all connections."""
        for writer in list(self._writers):
            writer.close()

    def refuse(self) -> None:
        """End all connections and accept no other."""
        self._refusing = True
        self.cut()

    def expire(self) -> None:
        """End all connections; whoever watches from a version is told that it is too old. All else passes."""
        self._refusing, self._expiring = False, True
        self.cut()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.close()
            return
        host, port = self._upstream.hostname, self._upstream.port
        up_reader, up_writer = await asyncio.open_connection(host, port, ssl=self._tls)
        self._writers |= {writer, up_writer}
        last = [""]  # of this connection, which carries one request at a time
        await asyncio.gather(
            self._pump(reader, up_writer, last, back=writer),
            self._pump(up_reader, writer, last),
            return_exceptions=True,
        )
        self._writers -= {writer, up_writer}
        for end in (writer, up_writer):
            end.close()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        last: list[str],
        back: asyncio.StreamWriter | None = None,
    ) -> None:
        try:
            while chunk := await reader.read(65536):
                await self._flow.wait()
                if back is not None:
                    line = chunk.split(b"\r\n", 1)[0].decode("latin-1")
                    if line.endswith("HTTP/1.1"):
                        last[0] = line.removesuffix(" HTTP/1.1")
                        self.requests.append(last[0])
                    if self._expiring and "resourceVersion=" in line and "watch=true" in line:
                        self.expired += 1
                        back.write(_ANSWER % (len(_EXPIRED), _EXPIRED))
                        await back.drain()
                        return
                elif chunk.startswith(b"HTTP/1.1 2"):
                    self.done.append(last[0])
                if back is None and self._swallowing and "watch=true" in last[0]:
                    head, end, _ = chunk.partition(b"\r\n\r\n")
                    chunk = head + end if chunk.startswith(b"HTTP/1.1") else b""
                writer.write(chunk)
                await writer.drain()
        finally:
            for end in (writer, back):
                if end is not None:
                    end.close()
