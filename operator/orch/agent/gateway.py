"""What the gateway is asked for: artifacts, fetched and stored, and for all who ask, what its refusals say.

Made by `main`, used by `model` and the stages. It never retries by itself: `patience` decides.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from io import BytesIO
from typing import IO, Any, Final, TypeVar

from orch.agent.connection import Broken, Client, Response
from orch.agent.patience import Patience, Refused, Trouble
from orch.failpoints import Moment, failpoint

_ERROR_BYTES: Final = 20_000
_NOT_TAKEN: Final = "the gateway does not take an artifact"

T = TypeVar("T")


@contextlib.contextmanager
def opened(client: Client, method: str, target: str, **options: Any) -> Iterator[Response]:
    """A response with status 2xx, unread; `options` are those of `Client.request`. Raises Trouble for any other, and for a
    connection that fails."""
    try:
        with client.request(method, target, **options) as response:
            if not response.is_success:
                raise trouble_of(response)
            yield response
    except Broken as err:
        raise Trouble("connection", f"the connection to the gateway broke ({err})") from err


def trouble_of(response: Response) -> Trouble:
    """What an error response says, in the Anthropic shape if it has one."""
    data = bytearray()
    for chunk in response.chunks():
        data += chunk[:_ERROR_BYTES]
        if len(data) >= _ERROR_BYTES:
            break
    kind, message = "", ""
    try:
        error = json.loads(data)["error"]
        kind, message = str(error["type"])[:100], str(error["message"])[:500]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = bytes(data[:200]).decode(errors="replace")
    return Trouble(kind, message, status=response.status, retry_after=_seconds(response.header("retry-after")))


def _seconds(value: str | None) -> float | None:
    try:
        return max(0.0, float(value)) if value else None
    except ValueError:
        return None  # a date: the gateway never sends one


class Store:
    """Artifacts by digest."""

    def __init__(self, client: Client, patience: Patience) -> None:
        self._client = client
        self._patience = patience

    def fetch(self, digest: str) -> IO[bytes]:
        """The content of an artifact, in a nameless file at its start. Raises GaveUp, Refused."""
        return self._keep_trying(lambda: self._fetch(digest), f"artifact {digest[:19]}… cannot be had")

    def _fetch(self, digest: str) -> IO[bytes]:
        hashed = hashlib.sha256()
        file = tempfile.TemporaryFile()  # noqa: SIM115 (the caller closes it)
        with opened(self._client, "GET", f"/artifacts/{digest}") as response:
            for chunk in response.chunks():
                hashed.update(chunk)
                file.write(chunk)
        if f"sha256:{hashed.hexdigest()}" != digest:
            raise Trouble("cut", "the gateway sent an artifact that is not the one of its digest")
        file.seek(0)
        return file

    def put(self, data: bytes) -> str:
        """Store bytes; their digest."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._keep_trying(lambda: self._put(digest, BytesIO(data), len(data)), _NOT_TAKEN)
        return digest

    def put_file(self, file: IO[bytes], digest: str, size: int) -> str:
        """Store a file, whose digest is known."""

        def send() -> None:
            file.seek(0)
            self._put(digest, file, size)

        self._keep_trying(send, _NOT_TAKEN)
        return digest

    def _put(self, digest: str, body: IO[bytes], size: int) -> None:
        on_sent = partial(failpoint, "hand-in", Moment.SENT)
        target, headers = f"/artifacts/{digest}", {"content-type": "application/octet-stream"}
        failpoint("hand-in", Moment.BEFORE)
        with opened(self._client, "PUT", target, headers=headers, body=body, size=size, on_sent=on_sent) as response:
            response.discard()
        failpoint("hand-in", Moment.ANSWERED)

    def _keep_trying(self, act: Callable[[], T], refused: str) -> T:
        def raise_final(trouble: Trouble) -> None:
            if trouble.status is not None and trouble.status < 500 and trouble.status != 429:
                raise Refused(f"{refused}: {trouble}") from trouble

        return self._patience.keep_trying(act, raise_final)
