"""The program: starts from files and variables, says what is wrong in one line, drains on SIGTERM, and logs no secret."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import signal
import socket
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.gateway.harness import KEY, MODEL_KEY, Gateway, a_request, a_ticket
from tests.small_disk import on_a_small_disk

from orch.adapters.runners.processes import descendants
from orch.gateway.server import running
from orch.gateway.settings import GatewaySettings

SECRET_TEXT = "what the issue says"
_CONTENT = bytes(100_000)
_DIGEST = f"sha256:{hashlib.sha256(_CONTENT).hexdigest()}"


async def test_a_stop_lets_a_stream_end_and_nothing_secret_is_logged(
    launch: Any, faulty: Any, settings: GatewaySettings, tmp_path: Path
) -> None:
    go_on = asyncio.Event()
    opening = b'data: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'
    end = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n'

    async def script(_: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + opening)
        await writer.drain()
        await go_on.wait()
        writer.write(end)
        await writer.drain()

    url, _ = await faulty(script)
    ready = tmp_path / "ready"
    program = launch(upstream_url=url, ready_file=ready)
    address = (await program.until("gateway_listening"))["url"]
    ticket = a_ticket()
    headers = {"authorization": f"Bearer {ticket}", "anthropic-version": "2023-06-01"}
    body = a_request(SECRET_TEXT, stream=True)
    transport = httpx2.AsyncHTTPTransport(uds=str(settings.unix_socket))
    async with (
        httpx2.AsyncClient(transport=transport, trust_env=False) as client,
        client.stream("POST", "http://gateway/v1/messages", json=body, headers=headers) as answer,
    ):
        parts = answer.aiter_bytes()
        got = await anext(parts)
        assert ready.read_text() == f"{address}\n"
        program.process.kill(signal.SIGTERM)
        go_on.set()
        got += b"".join([part async for part in parts])
    assert got == opening + end
    tracked = await program.until("track_request")
    assert await program.end() == 0
    assert tracked["level"] == "info"
    assert {name: tracked[name] for name in ("model", "run", "stage", "step", "status", "outcome", "cost_usd")} == {
        "model": "claude-sonnet-5",
        "run": "0123456789abcdef",
        "stage": "Implement",
        "step": "web-7-1-implement-1",
        "status": 200,
        "outcome": "settled",
        "cost_usd": "0.00007",
    }
    for secret in (MODEL_KEY, KEY.decode(), ticket, ticket.split(".")[1], SECRET_TEXT):
        assert secret not in program.raw
    assert not settings.unix_socket.exists()


async def test_only_its_user_reaches_the_socket(launch: Any, settings: GatewaySettings) -> None:
    program = launch()
    await program.until("gateway_listening")
    assert settings.unix_socket.stat().st_mode & 0o777 == 0o600
    assert settings.data_dir.stat().st_mode & 0o777 == 0o700


async def test_a_socket_left_by_a_crash_is_taken_over(launch: Any, settings: GatewaySettings) -> None:
    first = launch()
    await first.until("gateway_listening")
    first.process.kill()
    assert settings.unix_socket.exists()
    second = launch()
    await second.until("gateway_listening")


async def test_a_second_gateway_on_the_folder_does_not_start(
    launch: Any, settings: GatewaySettings, tmp_path: Path
) -> None:
    async with running(settings) as url:
        second = launch(unix_socket=tmp_path / "other.sock")
        assert await second.end() == 1
        assert "another gateway uses this folder" in second.raw
        assert second.raw.count("\n") == 1
        async with httpx2.AsyncClient(trust_env=False) as client:
            assert (await client.get(f"{url}/readyz")).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "complaint"),
    [
        ({"listen_host": "0.0.0.0"}, 2, "ORCH_GATEWAY_LISTEN_HOST: Value error, '0.0.0.0' is no loopback address"),
        (
            {"upstream_url": "http://api.example"},
            2,
            "ORCH_GATEWAY_UPSTREAM_URL: Value error, plain http is for loopback",
        ),
        ({"upstream_url": "api.example"}, 2, "ORCH_GATEWAY_UPSTREAM_URL"),
        ({"listen_port": "many"}, 2, "ORCH_GATEWAY_LISTEN_PORT"),
        ({"ticket_key_file": "/nowhere/ticket.key"}, 1, "/nowhere/ticket.key"),
        ({"prices_file": "/nowhere/prices.yaml"}, 1, "/nowhere/prices.yaml"),
        ({"data_dir": "/dev/null/x"}, 1, "/dev/null"),
        ({"unix_socket": "/tmp/" + "x" * 120}, 1, "ORCH_GATEWAY_UNIX_SOCKET"),
        ({"log_level": "loud"}, 1, "loud"),
    ],
)
async def test_what_is_wrong_is_one_line(launch: Any, change: dict[str, str], status: int, complaint: str) -> None:
    program = launch(**change)
    assert await program.end() == status
    assert complaint in program.raw
    assert program.raw.startswith("orch gateway: ")
    assert program.raw.count("\n") == 1


async def test_a_short_ticket_key_is_refused(launch: Any, settings: GatewaySettings) -> None:
    settings.ticket_key_file.write_bytes(b"short")
    program = launch()
    assert await program.end() == 1
    assert "at least 32 random bytes" in program.raw
    assert "'short'" not in program.raw


async def test_a_port_that_is_taken(launch: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        program = launch(listen_port=taken.getsockname()[1])
        assert await program.end() == 1
    assert "set ORCH_GATEWAY_LISTEN_PORT to a free port" in program.raw


async def test_it_takes_no_arguments(launch: Any) -> None:
    program = launch("--help")
    assert await program.end() == 2
    assert "ORCH_GATEWAY_" in program.raw


async def test_a_full_disk_spends_nothing_and_is_got_over(launch: Any, model: Any, settings: GatewaySettings) -> None:
    """What cannot be written down is not sent; once there is room, all goes on without a restart."""
    stand_in = model("[{stages: [{stage: Implement, turns: [{text: Hello}, {text: Hello}]}]}]")
    _, url, filler = await _on_a_small_disk(launch, stand_in, settings)
    async with AsyncExitStack() as stack:
        gateway = Gateway(url, settings, stack)
        assert (await gateway.post()).status_code == 200
        before = len(stand_in.journal())
        await asyncio.to_thread(_fill, filler)
        ready = await gateway.http.get("/readyz")
        assert (ready.status_code, "the book cannot be written" in ready.text) == (503, True)
        for _ in range(2):
            assert (await gateway.post()).status_code == 503
        stored = await gateway.http.put(f"/artifacts/{_DIGEST}", content=_CONTENT, headers=gateway.as_operator())
        assert stored.status_code == 507
        assert [entry for entry in stand_in.journal()[before:] if "usage" in entry] == []
        await asyncio.to_thread(filler.unlink)
        assert (await gateway.http.get("/readyz")).status_code == 200
        assert (await gateway.post()).status_code == 200
        usage = await gateway.usage()
        assert (usage.model_calls, usage.reserved_usd) == (2, 0)


async def test_a_call_that_ends_while_the_disk_is_full_is_settled_later(
    launch: Any, model: Any, settings: GatewaySettings
) -> None:
    """The answer is paid for, so it is passed on; its cost is written as soon as there is room, and is not its reserve."""
    stand_in = model("[{stages: [{stage: Implement, turns: [{delay: 2, text: Hello}]}]}]")
    program, url, filler = await _on_a_small_disk(launch, stand_in, settings)
    async with AsyncExitStack() as stack:
        gateway = Gateway(url, settings, stack)
        assert (await gateway.post()).status_code == 200
        one = (await gateway.usage()).cost_usd
        under_way = asyncio.create_task(gateway.post())
        while not (await gateway.usage()).reserved_usd:  # noqa: ASYNC110 - the book tells nobody
            await asyncio.sleep(0.05)
        await asyncio.to_thread(_fill, filler)
        assert (await under_way).status_code == 200
        assert (await program.until("book.unwritable"))["ends_owed"] == 1
        assert (await gateway.usage()).reserved_usd > 0
        await asyncio.to_thread(filler.unlink)
        usage = await gateway.usage()
        assert (usage.model_calls, usage.cost_usd, usage.reserved_usd) == (2, 2 * one, 0)


async def _on_a_small_disk(launch: Any, stand_in: Any, settings: GatewaySettings) -> tuple[Any, str, Path]:
    """A gateway whose data has 4 MB of room: the program, its address, and the file that takes up what is left."""
    small = on_a_small_disk(settings.data_dir, 4_000_000)
    program = launch(inside=small, upstream_url=stand_in.url)
    url = (await program.until("gateway_listening"))["url"]
    (inner,) = descendants(program.process.pid)
    return program, url, Path(f"/proc/{inner.pid}/root{settings.data_dir}/filler")


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError as err:
            assert err.errno == errno.ENOSPC  # noqa: PT017
