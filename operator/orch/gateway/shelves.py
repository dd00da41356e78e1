"""`PUT`, `GET` and `HEAD /artifacts/{digest}`: who may store and read which artifact. `POST /sweep`: the operator has what is
no longer kept removed. Routed by `app`.

A step reads what its ticket names and what it has stored itself; whether another artifact exists it cannot find out. It
has to send the whole content to store it, also of one that is there: a digest alone opens nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from orch.api.ticket import Claims, Role
from orch.failpoints import Moment, failpoint
from orch.gateway.artifacts import ArtifactStore, Upload
from orch.gateway.book import Book
from orch.gateway.errors import Refusal
from orch.gateway.ledger import Ledger
from orch.gateway.records import Records
from orch.gateway.tickets import Doorkeeper

_log = structlog.get_logger("orch.gateway")


@dataclass(frozen=True)
class Shelves:
    """The endpoints. `step_limit`: bytes that one step may store, all its artifacts together. `retention`: how long an artifact
    is kept after its last use."""

    door: Doorkeeper
    store: ArtifactStore
    book: Book
    records: Records
    step_limit: int
    retention: timedelta

    async def put(self, request: Request) -> Response:
        """201 when it is new, 200 when it was there. Raises Refusal."""
        claims = self.door.admit(request, Role.STEP, Role.OPERATOR)
        digest = request.path_params["digest"]
        try:
            is_new = await self._store(request, claims, digest)
        except OSError as err:
            _log.error("artifact_not_stored", problem=err.strerror or type(err).__name__)
            raise Refusal(507, "the gateway's disk does not take it", label="disk") from None
        return Response(status_code=201 if is_new else 200)

    async def get(self, request: Request) -> Response:
        """The content. Raises Refusal."""
        claims = self.door.admit(request, Role.STEP, Role.OPERATOR)
        digest = request.path_params["digest"]
        if not await self._may_read(claims, digest):
            raise Refusal(403, "this step's ticket does not name this artifact", label="artifact")
        path = self.store.find(digest)
        if path is None:
            raise Refusal(404, "there is no such artifact", label="artifact")
        return FileResponse(path, media_type="application/octet-stream")

    async def sweep(self, request: Request) -> Response:
        """Remove what has not been used for longer than the retention: `{"removed": 3, "bytes": 1024}`; of records that steps
        wrote, what is as old. Raises Refusal."""
        self.door.admit(request, Role.OPERATOR)
        removed, size, since = 0, 0, self.door.clock() - self.retention
        failpoint("remove-artifacts", Moment.BEFORE)
        try:
            await asyncio.to_thread(self.records.sweep, since)
            async for gone in self.store.sweep(since, forget=self._forget):
                removed, size = removed + len(gone), size + sum(gone.values())
        except OSError as err:
            _log.error("artifacts_not_swept", problem=err.strerror or type(err).__name__)
            raise Refusal(507, "the gateway's disk does not let go of artifacts", label="disk") from None
        failpoint("remove-artifacts", Moment.ANSWERED)
        _log.info("artifacts_swept", removed=removed, bytes=size)
        return JSONResponse({"removed": removed, "bytes": size})

    async def _forget(self, digests: Sequence[str]) -> None:
        """Who had stored what is about to go. The other way round, a gateway that died in between would remember it for ever."""
        await self.book.ask(partial(Ledger.forget_uploads, digests=digests))
        failpoint("remove-artifacts", Moment.SENT)

    async def _store(self, request: Request, claims: Claims, digest: str) -> bool:
        upload = await self.store.receive(digest, request.stream(), announced=_announced(request))
        try:
            await self._record(claims, digest, upload)
            failpoint("keep-artifact", Moment.BEFORE)
            is_new = await asyncio.to_thread(upload.keep)
            failpoint("keep-artifact", Moment.ANSWERED)
            return is_new
        finally:
            upload.discard()

    async def _may_read(self, claims: Claims, digest: str) -> bool:
        if claims.role is Role.OPERATOR or digest in claims.reads:
            return True
        return await self.book.ask(lambda ledger: ledger.has_uploaded(claims.identity, claims.step, digest))

    async def _record(self, claims: Claims, digest: str, upload: Upload) -> None:
        if claims.role is Role.OPERATOR:
            return
        size, limit = upload.size, self.step_limit
        fits = await self.book.ask(
            lambda ledger: ledger.record_upload(claims.identity, claims.step, digest, size, limit=limit)
        )
        if not fits:
            raise Refusal(413, f"a step stores at most {limit} bytes", label="size")


def _announced(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() else None
