"""The HTTP client to the gateway: the only way out of the agent's sandbox. Also fetches and stores artifacts.

Made by `main`, used by `model` and the stages. The ticket is a header of this client and nowhere else: not in a log, an
error or the transcript. It never retries by itself: `patience` decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import ssl
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final, TypeVar

import httpx2

from orch.agent.patience import Patience, Refused, Trouble
from orch.failpoints import Moment, failpoint, hit_when_sent

BASE_URL: Final = "http://gateway"
_CONNECT_SECONDS: Final = 10
_SILENCE_SECONDS: Final = 180
"""The Messages API pings a stream every few seconds; a stream that is silent for so long is dead."""
_ERROR_BYTES: Final = 20_000
_CHUNK: Final = 1_000_000
_NOT_TAKEN: Final = "the gateway does not take an artifact"

T = TypeVar("T")


def open_client(socket: Path, ticket: str) -> httpx2.Client:
    """A client on the gateway's Unix socket."""
    no_tls = ssl.SSLContext(
        ssl.PROTOCOL_TLS_CLIENT
    )  # trusts nobody and loads no certificates: there is no TLS on a socket
    transport = httpx2.HTTPTransport(uds=str(socket), verify=no_tls, trust_env=False)
    timeout = httpx2.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    headers = {"authorization": f"Bearer {ticket}", "accept-encoding": "identity"}
    return httpx2.Client(base_url=BASE_URL, transport=transport, headers=headers, timeout=timeout, trust_env=False)


@contextlib.contextmanager
def opened(client: httpx2.Client, method: str, url: str, **options: Any) -> Iterator[httpx2.Response]:
    """A response with status 2xx, unread. Raises Trouble for any other, and for a connection that fails."""
    try:
        with client.stream(method, url, **options) as response:
            if not response.is_success:
                raise trouble_of(response)
            yield response
    except httpx2.HTTPError as err:
        raise Trouble("connection", f"the connection to the gateway broke ({type(err).__name__})") from err


def trouble_of(response: httpx2.Response) -> Trouble:
    """What an error response says, in the Anthropic shape if it has one."""
    data = bytearray()
    for chunk in response.iter_bytes():
        data += chunk[:_ERROR_BYTES]
        if len(data) >= _ERROR_BYTES:
            break
    kind, message = "", ""
    try:
        error = httpx2.Response(200, content=bytes(data)).json()["error"]
        kind, message = str(error["type"])[:100], str(error["message"])[:500]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = bytes(data[:200]).decode(errors="replace")
    return Trouble(
        kind, message, status=response.status_code, retry_after=_seconds(response.headers.get("retry-after"))
    )


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None  # a date: the gateway never sends one


class Store:
    """Artifacts by digest."""

    def __init__(self, client: httpx2.Client, patience: Patience) -> None:
        self._client = client
        self._patience = patience

    def fetch(self, digest: str) -> IO[bytes]:
        """The content of an artifact, in a nameless file at its start. Raises GaveUp, Refused."""
        return self._keep_trying(lambda: self._fetch(digest), f"artifact {digest[:19]}… cannot be had")

    def _fetch(self, digest: str) -> IO[bytes]:
        hashed = hashlib.sha256()
        file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
        with opened(self._client, "GET", f"/artifacts/{digest}") as response:
            for chunk in response.iter_bytes(_CHUNK):
                hashed.update(chunk)
                file.write(chunk)
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise Trouble("cut", "the gateway sent an artifact that is not the one of its digest")
        file.seek(0)
        return file

    def put(self, data: bytes) -> str:
        """Store bytes; their digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._keep_trying(lambda: self._put(digest, data, len(data)), _NOT_TAKEN)
        return digest

    def put_file(self, file: IO[bytes], digest: str, size: int) -> str:
        """Store a file, whose digest is known."""

        def send() -> None:
            file.seek(0)
            self._put(digest, iter(lambda: file.read(_CHUNK), b""), size)

        self._keep_trying(send, _NOT_TAKEN)
        return digest

    def _put(self, digest: str, content: bytes | Iterator[bytes], size: int) -> None:
        headers = {"content-length": str(size), "content-type": "application/octet-stream"}
        url, on_sent = f"/artifacts/{digest}", hit_when_sent("hand-in", blocking=True)
        failpoint("hand-in", Moment.BEFORE)
        with opened(self._client, "PUT", url, content=content, headers=headers, extensions=on_sent) as response:
            response.read()
        failpoint("hand-in", Moment.ANSWERED)

    def _keep_trying(self, act: Callable[[], T], refused: str) -> T:
        def raise_final(trouble: Trouble) -> None:
            if trouble.status is not None and trouble.status < 500 and trouble.status != 429:
                raise Refused(f"{refused}: {trouble}") from trouble

        return self._patience.keep_trying(act, raise_final)
