"""Probes over real HTTP."""

from __future__ import annotations

import signal
import socket

import httpx2
import pytest

from orch.errors import NeedsHuman
from orch.runtime.health import HealthServer
from orch.runtime.metrics import Metrics
from orch.runtime.pulse import Pulse


async def test_a_probe_says_what_is_wrong_and_metrics_are_fresh() -> None:
    metrics, pulse = Metrics(), Pulse(clock=lambda: 5.0)
    pulse.expect(["/apis/x"])
    problems: list[str] = []
    server = HealthServer(
        live=lambda: problems,
        ready=lambda: ["still starting"],
        registry=metrics.registry,
        before_metrics=lambda: metrics.observe_watches(pulse),
    )
    before = signal.getsignal(signal.SIGTERM)
    port = await server.start()
    assert signal.getsignal(signal.SIGTERM) == before, "SIGTERM belongs to the program"
    try:
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            live = await http.get("/healthz")
            assert (live.status_code, live.text) == (200, "ok\n")
            problems += ["one", "two"]
            live = await http.get("/healthz")
            assert (live.status_code, live.text) == (503, "one\ntwo\n")
            ready = await http.get("/readyz")
            assert (ready.status_code, ready.text) == (503, "still starting\n")
            assert 'orch_watch_silence_seconds{path="/apis/x"} 0.0' in (await http.get("/metrics")).text
    finally:
        await server.stop()


async def test_a_taken_port_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = HealthServer(live=list, ready=list, registry=Metrics().registry)
        with pytest.raises(NeedsHuman, match=f"cannot listen on 127.0.0.1:{port}"):
            await server.start("127.0.0.1", port)
        await server.stop()
