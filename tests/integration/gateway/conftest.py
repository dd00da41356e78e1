"""A gateway between the real SDK and the model's stand-in, all over real HTTP on loopback and real Unix sockets."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any

import pytest
from hack.world.nursery import Nursery
from hack.world.process import Process
from tests.integration.gateway.harness import KEY, MODEL_KEY, Faulty, Gateway, Program

from orch.failpoints import VARIABLE
from orch.gateway.server import running
from orch.gateway.settings import GatewaySettings
from orch.testservers.model import Running, serve_in_thread


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[GatewaySettings]:
    """Settings of a gateway whose upstream is yet to be filled in."""
    (tmp_path / "ticket.key").write_bytes(KEY)
    (tmp_path / "model.key").write_text(f"{MODEL_KEY}\n")
    with tempfile.TemporaryDirectory(prefix="orch-") as short:  # a socket's path has at most 107 bytes
        yield GatewaySettings(
            data_dir=tmp_path / "gateway",
            ticket_key_file=tmp_path / "ticket.key",
            upstream_key_file=tmp_path / "model.key",
            unix_socket=Path(short) / "gateway.sock",
            listen_port=0,
        )


@pytest.fixture
def model(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts the model's stand-in with scripts given as YAML text."""
    with ExitStack() as stack:
        yield lambda scripts="", **more: stack.enter_context(
            serve_in_thread(tmp_path / f"model-{secrets.token_hex(4)}", scripts=scripts, api_key=MODEL_KEY, **more)
        )


@pytest.fixture
async def start(settings: GatewaySettings) -> AsyncIterator[Callable[..., Any]]:
    """Starts a gateway in front of an address; stops it after the test."""
    async with AsyncExitStack() as stack:

        async def begin(upstream: str, **changes: Any) -> Gateway:
            chosen = settings.model_copy(update={"upstream_url": upstream, **changes})
            url = await stack.enter_async_context(running(chosen))
            return Gateway(url, chosen, stack)

        yield begin


@pytest.fixture
def launch(settings: GatewaySettings, nursery: Nursery, tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Starts a gateway in a process of its own, which dies at `failpoint` if one is named; ends it after the test. `inside`: the
    beginning of a command that has it as its child."""
    started: list[Program] = []

    def begin(*arguments: str, inside: Sequence[str] = (), failpoint: str = "", **more: object) -> Program:
        log = tmp_path / f"gateway-{len(started)}.log"
        process = Process(
            "gateway",
            [*inside, sys.executable, "-m", "orch.gateway", *arguments],
            log=log,
            env=_variables(settings, **more) | {VARIABLE: failpoint},
            nursery=None if inside else nursery,
        )
        process.start()
        started.append(Program(process, log))
        return started[-1]

    yield begin
    for program in started:
        if program.process.ended() is None:
            program.process.kill()


def _variables(settings: GatewaySettings, **more: object) -> dict[str, str]:
    chosen = settings.model_dump(exclude_none=True) | more
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ORCH_")}
    return clean | {f"ORCH_GATEWAY_{name.upper()}": str(value) for name, value in chosen.items()}


@pytest.fixture
async def faulty() -> AsyncIterator[Callable[..., Any]]:
    """Starts such an upstream; gives its address and what it was sent."""
    async with AsyncExitStack() as stack:

        async def begin(script: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]) -> tuple[str, Faulty]:
            upstream = Faulty(script)
            server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
            await stack.enter_async_context(server)
            return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", upstream

        yield begin
