"""The gateway's HTTP application: what is served where, and how refusals, lost clients and bugs are answered.

Built by `server`; the same for the Unix socket of the sandboxes and for the operator's TCP port, since the ticket decides
what is allowed, not the way. Paths: `/v1/messages`, `/artifacts/{digest}`, `/record`, `/sweep`, `/usage/{identity}`, `/healthz`, `/readyz`,
`/metrics`, and for people `/runs/{namespace}/{run}/transcripts/{step}`. It decides nothing itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from orch.api.ticket import Role
from orch.gateway.book import Book
from orch.gateway.errors import KINDS, Refusal
from orch.gateway.ledger import Ledger
from orch.gateway.messages import Messages
from orch.gateway.metrics import Metrics
from orch.gateway.readers import Readers
from orch.gateway.records import Recording
from orch.gateway.shelves import Shelves
from orch.gateway.tickets import Doorkeeper
from orch.gateway.upstreams import Upstream

Handler = Callable[[Request], Awaitable[Response]]

_MOST_DISCARDED: Final = 64_000_000
_DISCARD_SECONDS: Final = 10

_log = structlog.get_logger("orch.gateway")


@dataclass(frozen=True)
class Rooms:
    """What the application is made of."""

    door: Doorkeeper
    book: Book
    upstream: Upstream
    metrics: Metrics
    messages: Messages
    shelves: Shelves
    recording: Recording
    readers: Readers


def build_app(rooms: Rooms) -> Starlette:
    """The ASGI application."""
    office = Office(rooms)

    async def answer_refusal(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)  # noqa: S101 (starlette's signature is wider than its promise)
        rooms.metrics.count_refusal(error.label)
        _log.info("request_refused", path=_route(request), status=error.status, reason=error.label)
        await _read_rest(request)
        return _refused(error)

    return Starlette(
        routes=[
            Route("/v1/messages", rooms.messages.create, methods=["POST"]),
            Route("/artifacts/{digest}", rooms.shelves.put, methods=["PUT"]),
            Route("/artifacts/{digest}", rooms.shelves.get, methods=["GET"]),
            Route("/record", rooms.recording.write, methods=["POST"]),
            Route("/sweep", rooms.shelves.sweep, methods=["POST"]),
            Route("/runs/{namespace}/{run}/transcripts/{step}", rooms.readers.transcript, methods=["GET"]),
            Route("/usage/{identity}", office.usage, methods=["GET"]),
            Route("/healthz", office.healthz, methods=["GET"]),
            Route("/readyz", office.readyz, methods=["GET"]),
            Route("/metrics", office.metrics, methods=["GET"]),
        ],
        exception_handlers={
            Refusal: answer_refusal,
            HTTPException: _not_routed,
            ClientDisconnect: _nobody_there,
            sqlite3.Error: _book_broken,
            Exception: _bug,
        },
    )


@dataclass(frozen=True)
class Office:
    """The endpoints that only tell."""

    rooms: Rooms

    async def usage(self, request: Request) -> Response:
        """What a run has used (`orch.ports.Usage`), money as decimal strings. For the operator."""
        self.rooms.door.admit(request, Role.OPERATOR)
        identity = request.path_params["identity"]
        found = await self.rooms.book.ask(lambda ledger: ledger.usage(identity))
        figures: dict[str, Any] = asdict(found)
        for name in ("cost_usd", "reserved_usd"):
            figures[name] = f"{figures[name]:f}"
        figures["steps"] = {step: f"{cost:f}" for step, cost in found.steps.items()}
        return JSONResponse(figures)

    async def healthz(self, _: Request) -> Response:
        """The process answers."""
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        """Calls can be made: the book takes writes and there is a model key."""
        problems = []
        try:
            await self.rooms.book.ask(Ledger.prove_writable)
        except sqlite3.Error as err:
            problems.append(f"the book cannot be written: {err}")
        if not self.rooms.upstream.has_key():
            problems.append("there is no model key: check the file that ORCH_GATEWAY_UPSTREAM_KEY_FILE names")
        text = "".join(f"{problem}\n" for problem in problems) or "ok\n"
        return PlainTextResponse(text, status_code=503 if problems else 200)

    async def metrics(self, _: Request) -> Response:
        """For Prometheus."""
        self.rooms.metrics.set_reserved(await self.rooms.book.ask(Ledger.reserved))
        return Response(generate_latest(self.rooms.metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def _read_rest(request: Request) -> None:
    """Let a client finish sending what is refused: one whose connection is closed meanwhile never reads the answer."""
    left = _MOST_DISCARDED
    with contextlib.suppress(TimeoutError, ClientDisconnect, RuntimeError):  # RuntimeError: it was all read
        async with asyncio.timeout(_DISCARD_SECONDS):
            async for chunk in request.stream():
                left -= len(chunk)
                if left < 0:
                    return


def _refused(refusal: Refusal) -> Response:
    return JSONResponse(refusal.as_json(), refusal.status, headers=refusal.headers)


def _not_routed(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    text = "the gateway does not serve this" if status == 404 else "the request cannot be served"
    return _refused(Refusal(status, text, label="route", kind=KINDS.get(status, "invalid_request_error")))


def _nobody_there(request: Request, error: Exception) -> Response:
    return Response(status_code=400)


def _book_broken(request: Request, error: Exception) -> Response:
    _log.error("ledger_broken", problem=str(error))
    return _refused(Refusal(503, "the gateway's book cannot be read or written", label="book", kind="api_error"))


def _bug(request: Request, error: Exception) -> Response:
    _log.error("bug", path=_route(request), exc_info=error)
    return _refused(Refusal(500, "internal error of the gateway", label="bug"))


def _route(request: Request) -> str:
    """The first part of the path: the rest is the client's."""
    return "/" + request.url.path.lstrip("/").split("/", 1)[0][:32]
