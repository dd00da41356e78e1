"""`/healthz`, `/readyz` and `/metrics` over HTTP, for the kubelet and for Prometheus.

Started by the manager (and by the gateway's program). It answers from what is known and asks nobody: a probe costs
no request to the API server. Nothing here is secret, and nothing here needs a login.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence

import uvicorn
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from orch.errors import NeedsHuman

Problems = Callable[[], Sequence[str]]
"""What is wrong now, a sentence each; empty when all is well."""


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: SIGTERM belongs to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HealthServer:
    """Serves the probes until stopped."""

    def __init__(
        self,
        *,
        live: Problems,
        ready: Problems,
        registry: CollectorRegistry,
        before_metrics: Callable[[], None] = lambda: None,
    ) -> None:
        self._live, self._ready = live, ready
        self._registry, self._before_metrics = registry, before_metrics
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and return the port; 0 takes a free one. Raises NeedsHuman when the address is taken."""
        try:
            listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            text = f"cannot listen on {host}:{port} for probes: {error.strerror}; choose another port or free this one"
            raise NeedsHuman("AddressInUse", text) from None
        config = uvicorn.Config(
            self.app(), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="health")
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening. Does nothing if it was never started."""
        if self._server is not None and self._task is not None:
            self._server.should_exit = True
            await self._task

    def app(self) -> Starlette:
        """The ASGI application, for a program that has a server of its own."""

        async def healthz(_: Request) -> Response:
            return _verdict(self._live())

        async def readyz(_: Request) -> Response:
            return _verdict(self._ready())

        async def metrics(_: Request) -> Response:
            self._before_metrics()
            return Response(generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)

        return Starlette(
            routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)],
        )


def _verdict(problems: Sequence[str]) -> Response:
    if not problems:
        return PlainTextResponse("ok\n")
    return PlainTextResponse("".join(f"{problem}\n" for problem in problems), status_code=503)
