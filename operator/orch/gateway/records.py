"""What work steps tell of themselves while they work: a growing file for each. `POST /record`. Routed by `app`, read by `readers`.

The lines are those of the transcript that a step hands in at its end, so that there is something to read of one that is at work, and
of one that died before its end. A step writes its own record and no other: its ticket says which.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from orch.api.ticket import Role
from orch.failpoints import Moment, failpoint
from orch.gateway.errors import Refusal
from orch.gateway.tickets import Doorkeeper

_log = structlog.get_logger("orch.gateway")


class Records:
    """`limit`: bytes of one record."""

    def __init__(self, folder: Path, *, limit: int) -> None:
        self._folder = folder
        self.limit = limit
        self._one_at_a_time = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def find(self, identity: str, step: str) -> Path | None:
        """The record of a step; None when it has told nothing, or it is no longer kept."""
        path = self._path(identity, step)
        return path if path.is_file() else None

    def write(self, identity: str, step: str, data: bytes, *, offset: int) -> int:
        """Make the record its first `offset` bytes and `data`; its size. Saying the same twice changes nothing, and a step of an
        earlier life of its run is written over. Raises Refusal: 409 for a gap, 413 above the limit; OSError."""
        if offset + len(data) > self.limit:
            raise Refusal(413, f"a record has at most {self.limit} bytes", label="size")
        with self._one_at_a_time:
            number = os.open(self._path(identity, step), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            with os.fdopen(number, "r+b") as file:
                size = file.seek(0, os.SEEK_END)
                if offset > size:
                    raise Refusal(409, f"the record has {size} bytes", label="offset")
                file.truncate(offset)
                failpoint("keep-record", Moment.SENT)
                file.seek(offset)
                file.write(data)
        return offset + len(data)

    def sweep(self, unwritten_since: datetime) -> int:
        """Remove what was not written to since then; how many. Raises OSError."""
        old = [path for path in self._folder.iterdir() if path.stat().st_mtime < unwritten_since.timestamp()]
        for path in old:
            with suppress(FileNotFoundError):
                path.unlink()
        return len(old)

    def _path(self, identity: str, step: str) -> Path:
        return self._folder / hashlib.sha256(f"{identity}/{step}".encode()).hexdigest()


@dataclass(frozen=True)
class Recording:
    """The endpoint."""

    door: Doorkeeper
    records: Records

    async def write(self, request: Request) -> Response:
        """`?offset=N`, and the lines that follow the first N bytes: `{"size": M}`. Raises Refusal."""
        claims = self.door.admit(request, Role.STEP)
        offset, data = offset_of(request), bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > self.records.limit:
                raise Refusal(413, f"a record has at most {self.records.limit} bytes", label="size")
        failpoint("keep-record", Moment.BEFORE)
        try:
            size = await asyncio.to_thread(self.records.write, claims.identity, claims.step, bytes(data), offset=offset)
        except OSError as err:
            _log.error("record_not_kept", problem=err.strerror or type(err).__name__)
            raise Refusal(507, "the gateway's disk does not take it", label="disk") from None
        failpoint("keep-record", Moment.ANSWERED)
        return JSONResponse({"size": size})


def offset_of(request: Request) -> int:
    """What the query says, 0 if nothing. Raises Refusal."""
    given = request.query_params.get("offset", "0")
    if not (given.isascii() and given.isdigit() and len(given) < 16):
        raise Refusal(400, "offset is a number of bytes", label="offset")
    return int(given)
