"""The gateway's artifact store, for the operator: content-addressed blobs over HTTP. Implements `orch.ports.Artifacts`.

Made by `main` with an address and a way to get tickets of the role operator. The content is checked against its digest on
the way in, since it comes from work steps; limits are held while streaming.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final

import httpx2

from orch.adapters.meter import ticket_refused
from orch.errors import NotFound, OrchError, Terminal, Transient
from orch.failpoints import Moment, failpoint, hit_when_sent

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_CHUNK: Final = 1_000_000
_TIMEOUT: Final = httpx2.Timeout(60, connect=10)
_SWEEP: Final = httpx2.Timeout(600, connect=10)


class GatewayArtifacts:
    """`base_url`: `http://host:port`, or any with `socket`, the gateway's Unix socket. `token()` gives a ticket that is alive.

    Every method raises Transient when the gateway cannot be reached or fails, CredentialsRefused when it does not know the
    ticket's key. Storing twice is storing once, so nothing here is ever ambiguous."""

    def __init__(self, base_url: str, token: Callable[[], str], *, socket: Path | None = None) -> None:
        transport = httpx2.AsyncHTTPTransport(uds=str(socket)) if socket else None
        self._client = httpx2.AsyncClient(base_url=base_url, transport=transport, timeout=_TIMEOUT, trust_env=False)
        self._token = token

    async def close(self) -> None:
        """Let go of the connections."""
        await self._client.aclose()

    async def put(self, data: bytes) -> str:
        """Store bytes; their digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        await self._put(digest, data, len(data))
        return digest

    async def put_file(self, path: Path) -> str:
        """Store a file; its digest."""
        hashed, size = hashlib.sha256(), 0
        async for chunk in _chunks(path):
            hashed.update(chunk)
            size += len(chunk)
        digest = f"sha256:{hashed.hexdigest()}"
        await self._put(digest, _chunks(path), size)
        return digest

    async def get(self, digest: str, *, limit: int) -> bytes:
        """The content. Raises NotFound; Terminal `ArtifactTooLarge`, or `ArtifactBroken` when it is not that of the digest."""
        data = bytearray()
        async for chunk in self._stream(digest, limit):
            data += chunk
        return bytes(data)

    async def get_file(self, digest: str, path: Path, *, limit: int) -> None:
        """The content into a new file, which is not there when this raises what `get` raises."""
        with _new_file(path) as file:
            async for chunk in self._stream(digest, limit):
                file.write(chunk)

    async def touch(self, digest: str) -> None:
        """Count it as used now. What is not there, or is no digest, is no error."""
        if _DIGEST.fullmatch(digest):
            with suppress(NotFound):
                async with self._opened("HEAD", digest):
                    pass

    async def sweep(self) -> int:
        """Have the gateway remove what it no longer keeps; how many artifacts that were."""
        headers = {"authorization": f"Bearer {self._token()}"}
        failpoint("sweep", Moment.BEFORE)
        try:
            response = await self._client.post(
                "/sweep", headers=headers, timeout=_SWEEP, extensions=hit_when_sent("sweep")
            )
        except httpx2.HTTPError as err:
            raise _unreachable(err) from err
        failpoint("sweep", Moment.ANSWERED)
        if not response.is_success:
            raise _error(response.status_code if response.status_code in (401, 403) else 500, "")
        return int(response.json()["removed"])

    async def _put(self, digest: str, content: bytes | AsyncIterator[bytes], size: int) -> None:
        headers = {"content-length": str(size), "content-type": "application/octet-stream"}
        on_sent = hit_when_sent("put-artifact")
        failpoint("put-artifact", Moment.BEFORE)
        async with self._opened("PUT", digest, content=content, headers=headers, extensions=on_sent) as response:
            await response.aread()
        failpoint("put-artifact", Moment.ANSWERED)

    async def _stream(self, digest: str, limit: int) -> AsyncIterator[bytes]:
        if not _DIGEST.fullmatch(digest):
            raise NotFound("ArtifactMissing", f"{digest[:80]!r} is no digest")
        hashed, size = hashlib.sha256(), 0
        async with self._opened("GET", digest) as response:
            async for chunk in response.aiter_bytes(_CHUNK):
                size += len(chunk)
                if size > limit:
                    raise Terminal("ArtifactTooLarge", f"artifact {digest[:19]} is larger than {limit} bytes")
                hashed.update(chunk)
                yield chunk
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise Terminal("ArtifactBroken", f"the gateway's content for {digest[:19]} is not that of its digest")

    @asynccontextmanager
    async def _opened(self, method: str, digest: str, **options: Any) -> AsyncIterator[httpx2.Response]:
        headers = {
            **options.pop("headers", {}),
            "authorization": f"Bearer {self._token()}",
            "accept-encoding": "identity",
        }
        try:
            async with self._client.stream(method, f"/artifacts/{digest}", headers=headers, **options) as response:
                if not response.is_success:
                    raise _error(response.status_code, digest)
                yield response
        except httpx2.HTTPError as err:
            raise _unreachable(err) from err


def _unreachable(err: httpx2.HTTPError) -> Transient:
    return Transient("GatewayUnreachable", f"the gateway did not answer ({type(err).__name__})")


def _error(status: int, digest: str) -> OrchError:
    if status == 404:
        return NotFound("ArtifactMissing", f"the gateway holds no artifact {digest[:19]}")
    if status in (401, 403):
        return ticket_refused()
    if status == 413:
        return Terminal("ArtifactTooLarge", f"artifact {digest[:19]} is larger than what the gateway takes")
    return Transient("GatewayFailed", f"the gateway answered {status} for an artifact")


async def _chunks(path: Path) -> AsyncIterator[bytes]:
    """A file in pieces; local disks answer faster than a thread is changed."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


@contextmanager
def _new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that is removed again when writing fails. Raises FileExistsError."""
    with path.open("xb") as file:
        try:
            yield file
        except BaseException:
            path.unlink(missing_ok=True)
            raise
