"""A gateway that dies while it keeps a step's record, or while it removes what is old. Started again and asked again, it has lost
nothing and has nothing twice."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.integration.gateway.harness import Gateway, Program

from orch.failpoints import points
from orch.gateway.settings import GatewaySettings


def _places(act: str) -> list[str]:
    return [place for place in points() if place.partition("@")[0] == act]


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _files(settings: GatewaySettings, kind: str) -> list[Path]:
    """The gateway's records or artifacts that stand under their names."""
    return [path for path in (settings.data_dir / kind).rglob("*") if path.is_file() and path.parent.name != "partial"]


@pytest.fixture
async def live(launch: Any, settings: GatewaySettings) -> AsyncIterator[Callable[..., Any]]:
    """`live(failpoint)`: one life of the gateway, and how to ask it."""
    async with AsyncExitStack() as stack:

        async def begin(failpoint: str = "") -> tuple[Program, Gateway]:
            program = launch(failpoint=failpoint)
            return program, Gateway((await program.until("gateway_listening"))["url"], settings, stack)

        yield begin


async def _dies(program: Program, place: str) -> None:
    assert await program.end() == -signal.SIGKILL
    assert f"failpoint: {place}\n" in program.raw


@pytest.mark.parametrize("place", _places("keep-record"))
async def test_what_a_step_tells_is_there_once(live: Any, settings: GatewaySettings, place: str) -> None:
    program, gateway = await live(f"{place}:2")
    step, url = gateway.as_step(), "/record"
    assert (await gateway.http.post(url, params={"offset": 0}, content=b"one\n", headers=step)).json() == {"size": 4}
    with pytest.raises(httpx2.TransportError):
        await gateway.http.post(url, params={"offset": 4}, content=b"two\n", headers=step)
    await _dies(program, place)

    _, again = await live()
    answer = await again.http.post(url, params={"offset": 4}, content=b"two\nthree\n", headers=step)
    assert answer.json() == {"size": 14}, "it had no answer, so it says it again, and what came since"
    assert [path.read_bytes() for path in _files(settings, "records")] == [b"one\ntwo\nthree\n"]


@pytest.mark.parametrize("place", _places("remove-artifacts"))
async def test_what_is_old_goes_with_all_that_was_known_of_it(live: Any, settings: GatewaySettings, place: str) -> None:
    program, gateway = await live(place)
    step, operator, old = gateway.as_step(), gateway.as_operator(), f"/artifacts/{_digest(b'old')}"
    await gateway.http.put(old, content=b"old", headers=step)
    await gateway.http.post("/record", content=b"old\n", headers=step)
    for path in (*_files(settings, "artifacts"), *_files(settings, "records")):
        os.utime(path, (1, 1))
    await gateway.http.put(f"/artifacts/{_digest(b'young')}", content=b"young", headers=step)
    with pytest.raises(httpx2.TransportError):
        await gateway.http.post("/sweep", headers=operator)
    await _dies(program, place)

    _, again = await live()
    assert (await again.http.post("/sweep", headers=operator)).status_code == 200
    assert [path.read_bytes() for path in _files(settings, "artifacts")] == [b"young"]
    assert _files(settings, "records") == []
    assert (await again.http.get(f"/artifacts/{_digest(b'young')}", headers=step)).content == b"young"
    await again.http.put(old, content=b"old", headers=operator)
    assert (await again.http.get(old, headers=step)).status_code == 403, "that the step had stored it went with it"
