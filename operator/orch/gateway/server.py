"""Runs the application on its two sockets: the operator's loopback port and the sandboxes' Unix socket. Used by `main`.

On a stop it takes no new connection, lets the calls under way end for `DRAIN_SECONDS`, and cancels the rest, which are
then charged their reserve.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
import uvicorn

from orch.gateway.app import Rooms, build_app
from orch.gateway.artifacts import ArtifactStore
from orch.gateway.book import Book
from orch.gateway.messages import Messages
from orch.gateway.metrics import Metrics
from orch.gateway.prices import Prices, load_prices
from orch.gateway.readers import Readers, open_cluster
from orch.gateway.records import Recording, Records
from orch.gateway.settings import GatewaySettings
from orch.gateway.shelves import Shelves
from orch.gateway.tickets import Doorkeeper
from orch.gateway.upstreams import KeyFile, Upstream
from orch.kube.client import Kube

DRAIN_SECONDS: Final = 25
_RECORD_BYTES: Final = 6_000_000
"""More than the agent writes (`orch.agent.transcript.MOST`)."""
_SHORTEST_KEY: Final = 32
_KEEP_ALIVE: Final = 30
"""Seconds, well above what clients keep an idle connection for: none of them then writes into one that is closing."""

_log = structlog.get_logger("orch.gateway")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which would end the process before the book is closed."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()


@contextlib.asynccontextmanager
async def running(settings: GatewaySettings) -> AsyncIterator[str]:
    """A gateway that listens for the length of the block; the operator's address. Leaving the block drains it.

    Raises ValueError, OSError, NeedsHuman, LedgerBusy or sqlite3.Error for what a person has to change."""
    key = read_ticket_key(settings.ticket_key_file)
    prices = load_prices(settings.prices_file)
    book = Book(settings.data_dir)
    try:
        if book.charged_at_start:
            _log.warning("outstanding_calls_charged", calls=book.charged_at_start)
        door = Doorkeeper(key, lambda: datetime.now(UTC))
        async with open_cluster(settings.kubeconfig) as cluster:
            rooms = _rooms(settings, door, prices, book, cluster)
            with listen(settings) as listeners:
                url = _url(listeners[0])
                async with _serving(rooms, listeners):
                    _log.info("gateway_listening", url=url, socket=str(settings.unix_socket))
                    yield url
        await rooms.upstream.close()
    finally:
        book.close()
    _log.info("gateway_stopped")


def _rooms(settings: GatewaySettings, door: Doorkeeper, prices: Prices, book: Book, cluster: Kube | None) -> Rooms:
    upstream, metrics = Upstream(settings.upstream_url, KeyFile(settings.upstream_key_file)), Metrics()
    store = ArtifactStore(settings.data_dir / "artifacts", limit=settings.artifact_bytes, clock=door.clock)
    records = Records(settings.data_dir / "records", limit=_RECORD_BYTES)
    return Rooms(
        door=door,
        book=book,
        upstream=upstream,
        metrics=metrics,
        messages=Messages(door, prices, book, upstream, metrics),
        shelves=Shelves(door, store, book, records, settings.step_bytes, settings.retention),
        recording=Recording(door, records),
        readers=Readers(cluster, store, book, records),
    )


@contextlib.asynccontextmanager
async def _serving(rooms: Rooms, listeners: list[socket.socket]) -> AsyncIterator[None]:
    # Critical only: an answer that breaks off because its upstream did is no error of the server.
    config = uvicorn.Config(
        build_app(rooms),
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=listeners), name="gateway")
    try:
        await server.listening.wait()
        yield
    finally:
        server.should_exit = True
        await task


def read_ticket_key(path: Path) -> bytes:
    """The key as it stands in the file, like the operator reads it. Raises ValueError when it is too short."""
    key = path.read_bytes()
    if len(key) < _SHORTEST_KEY:
        raise ValueError(f"{path}: a ticket key has at least {_SHORTEST_KEY} random bytes, this one has {len(key)}")
    return key


@contextlib.contextmanager
def listen(settings: GatewaySettings) -> Iterator[list[socket.socket]]:
    """The port and the Unix socket, in this order. The socket's file is removed at the end. Raises OSError."""
    family = socket.AF_INET6 if ":" in settings.listen_host else socket.AF_INET
    with contextlib.ExitStack() as stack:
        try:
            port = socket.create_server((settings.listen_host, settings.listen_port), family=family)
        except OSError as err:
            text = f"cannot listen on {settings.listen_host}:{settings.listen_port}: {err.strerror}"
            raise OSError(f"{text}; set ORCH_GATEWAY_LISTEN_PORT to a free port") from None
        stack.enter_context(port)
        # asyncio does so only for sockets made with IPPROTO_TCP; without it an answer in two parts takes 40 ms longer
        port.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it on Linux
        local = stack.enter_context(_listen_local(settings.unix_socket))
        yield [port, local]


@contextlib.contextmanager
def _listen_local(path: Path) -> Iterator[socket.socket]:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_socket():
        path.unlink()  # left by a crash: the book's lock says that no other gateway runs
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        before = os.umask(0o177)  # ours alone from its first moment
        try:
            listener.bind(str(path))
        except OSError as err:
            raise OSError(
                f"cannot make the socket {path}: {err.strerror or err}; set ORCH_GATEWAY_UNIX_SOCKET"
            ) from None
        finally:
            os.umask(before)
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
