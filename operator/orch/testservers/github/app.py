"""Puts the stand-in together: routes, and around them the middlewares in GitHub's order.

Who calls it: `server`, and tests that speak ASGI. From outside in: address → journal → headers → faults → auth →
limits → etags.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from uuid import uuid4

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import checks, control, faults, graphql, journal, limits, merge_queue, smarthttp, web
from .auth import API_VERSIONS, Auth
from .etags import ETags
from .faults import Faults
from .journal import Journal
from .limits import Limits
from .rest import not_served
from .routes import rest_routes
from .state import State
from .webhooks import Webhooks
from .wire import is_api


def create_app(state: State) -> ASGIApp:
    """The whole server as one ASGI application. Its lifespan starts and stops the checks and the deliveries."""
    site = Starlette(routes=_routes(), lifespan=_lifespan, exception_handlers={HTTPException: _http_error})
    site.router.redirect_slashes = False
    site.state.standin = state
    inner: ASGIApp = site
    for middleware in (ETags, Limits, Auth, Faults, Headers, Journal):
        inner = middleware(inner, state)
    return Address(inner)


def _routes() -> list[BaseRoute]:
    steering = [*control.routes(), *faults.routes, *journal.routes, *limits.routes]
    return [*steering, *graphql.routes(), *rest_routes(), *smarthttp.routes(), *web.routes()]


@contextlib.asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    state: State = app.state.standin
    smarthttp.install_hook(state)
    app.state.webhooks = Webhooks(state)
    checks.requeue_unfinished(state)
    merge_queue.open_queues(state)
    workers = [asyncio.create_task(checks.work(state)) for _ in range(state.settings.checks.workers)]
    try:
        yield
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        await state.stop_work()
        await app.state.webhooks.close()
        state.close()


async def _http_error(request: Request, error: Exception) -> Response:
    """What no route takes is not served; that covers unknown methods too."""
    del error
    return not_served(request.method, request.url.path)


class Address:
    """Makes the three ways to the API one: `/…`, `/api/v3/…` (GitHub Enterprise Server), and absolute request targets
    (a proxy's).

    `orch.prefix` in the scope keeps what was cut off, for the URLs in answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = re.sub(r"^https?://[^/]+", "", scope["path"]) or "/"
            prefix = "/api/v3" if path == "/api/v3" or path.startswith("/api/v3/") else ""
            path = "/graphql" if path == "/api/graphql" else path.removeprefix(prefix) or "/"
            scope = {**scope, "path": path, "raw_path": path.encode(), "orch.prefix": prefix}
        await self.app(scope, receive, send)


class Headers:
    """The headers that every answer of the API has."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_api(scope):
            await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _standard_headers(scope).items():
                    headers.setdefault(name, value)
                if headers.get("content-type") == "application/json":
                    headers["content-type"] = "application/json; charset=utf-8"
            await send(message)

        await self.app(scope, receive, sending)


def _standard_headers(scope: Scope) -> dict[str, str]:
    headers = {
        "x-github-request-id": uuid4().hex.upper()[:24],
        "x-github-media-type": "github.v3; format=json",
        "x-github-api-version-selected": API_VERSIONS[0],
        "server": "github.com",
        "x-content-type-options": "nosniff",
    }
    caller = scope.get("orch.token")
    if caller is None:
        return headers
    if caller.kind == "classic":
        headers |= {"x-oauth-scopes": ", ".join(caller.token.scopes), "x-accepted-oauth-scopes": "repo"}
    elif scope.get("orch.needs"):
        headers["x-accepted-github-permissions"] = _accepted(scope["orch.needs"])
    return headers


def _accepted(needs: str) -> str:
    """`issues|pull_requests:read` as GitHub writes it: `issues=read; pull_requests=read`."""
    names, level = needs.split(":")
    return "; ".join(f"{name}={level}" for name in names.split("|"))
