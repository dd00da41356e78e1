"""How the two halves of a step speak: frames of a kind, a length and a payload, over one stream socket.

Used by `client` (asks) and `toolserver` (answers). A frame is JSON or raw data; a stream of data frames ends with an
empty one. Either side treats the other as hostile: lengths are capped, and anything unexpected is `BrokenWire`.
It never interprets what it carries. Only the standard library is imported, because the tool server must start fast.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import Any, Final

from orch.agent.errors import StepError
from orch.agent.unicode import encodable

MAX_FRAME: Final = 16_000_000
CHUNK: Final = 1_000_000
_HEADER: Final = struct.Struct("!cI")
_JSON: Final = b"J"
_DATA: Final = b"D"


class BrokenWire(StepError):
    """The other side is gone, too slow, or does not keep to the form."""


class Wire:
    """One end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def set_timeout(self, seconds: float | None) -> None:
        """How long one read or write may block; None: for ever."""
        self._sock.settimeout(seconds)

    def close(self) -> None:
        """Hang up; the other side reads the end."""
        self._sock.close()

    def send(self, value: dict[str, Any]) -> None:
        """Send one JSON object."""
        self._write(_JSON, json.dumps(value).encode())

    def receive(self) -> dict[str, Any]:
        """The next frame, which must be a JSON object; its texts can be sent on. Raises BrokenWire."""
        try:
            value = encodable(json.loads(self._read(_JSON)))
        except (ValueError, RecursionError) as err:
            raise BrokenWire("a frame is not JSON") from err
        if not isinstance(value, dict):
            raise BrokenWire("a frame is not a JSON object")
        return value

    def send_data(self, chunks: Iterable[bytes]) -> None:
        """Send a stream of bytes of any length."""
        for chunk in chunks:
            for start in range(0, len(chunk), CHUNK):
                self._write(_DATA, chunk[start : start + CHUNK])
        self._write(_DATA, b"")

    def receive_data(self, limit: int) -> Iterator[bytes]:
        """The chunks of a stream. Raises BrokenWire beyond `limit` bytes."""
        total = 0
        while chunk := self._read(_DATA):
            total += len(chunk)
            if total > limit:
                raise BrokenWire(f"a stream is longer than {limit} bytes")
            yield chunk

    def _write(self, kind: bytes, payload: bytes) -> None:
        if len(payload) > MAX_FRAME:
            raise BrokenWire(f"a frame is longer than {MAX_FRAME} bytes")
        try:
            self._sock.sendall(_HEADER.pack(kind, len(payload)) + payload)
        except OSError as err:
            raise BrokenWire("the other side does not listen") from err

    def _read(self, expected: bytes) -> bytes:
        kind, length = _HEADER.unpack(self._exactly(_HEADER.size))
        if kind != expected or length > MAX_FRAME:
            raise BrokenWire("an unexpected frame")
        return self._exactly(length)

    def _exactly(self, size: int) -> bytes:
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self._sock.recv(min(size - len(parts), CHUNK))
            except OSError as err:
                raise BrokenWire("the other side does not answer") from err
            if not part:
                raise BrokenWire("the other side has hung up")
            parts += part
        return bytes(parts)
