"""What happens to the work when the operator's process is asked to end, is killed, or freezes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.cluster import Cluster
from tests.integration.kube.widgets import Widget
from tests.integration.runtime.loop import eventually
from tests.integration.runtime.proxy import Proxy

from orch.kube.client import Kube
from orch.kube.objects import Objects
from orch.kube.resource import LEASES
from orch.kube.store import Store

ROOT = Path(__file__).parents[3]
Spawn = Callable[..., Awaitable["Operator"]]


class Operator:
    """A running program.py."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.lines: list[str] = []

    async def until(self, line: str) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while line not in self.lines:
                read = await self.process.stdout.readline()
                assert read, f"ended without saying {line!r}: {self.lines}"
                self.lines.append(read.decode().strip())

    async def ended(self) -> int:
        async with asyncio.timeout(60):
            return await self.process.wait()


@pytest.fixture
async def spawn(control_plane: Cluster, widget_kind: None, namespace: str) -> AsyncIterator[Spawn]:
    operators: list[Operator] = []

    async def start(kubeconfig: Path = control_plane.kubeconfig) -> Operator:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.integration.runtime.program",
            str(kubeconfig),
            namespace,
            cwd=ROOT,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        operators.append(Operator(process))
        return operators[-1]

    yield start
    for operator in operators:
        if operator.process.returncode is None:
            operator.process.send_signal(signal.SIGCONT)
            operator.process.kill()
            await operator.process.wait()


async def test_sigterm_lets_the_reconcile_end_and_frees_the_lease(
    spawn: Spawn, kube: Kube, store: Store[Widget], namespace: str
) -> None:
    operator = await spawn()
    await store.create(Widget.named(namespace, "slow", size=20))
    await operator.until("begin slow")
    operator.process.terminate()
    await operator.until("stopped")
    assert await operator.ended() == 0
    assert operator.lines == ["begin slow", "end slow", "stopped"]
    lease = await Objects(kube, LEASES).get(namespace, "orch")
    assert not lease["spec"].get("holderIdentity")


async def test_a_killed_operator_is_followed_by_its_standby(spawn: Spawn, store: Store[Widget], namespace: str) -> None:
    await store.create(Widget.named(namespace, "one"))
    leader = await spawn()
    await leader.until("end one")
    standby = await spawn()
    leader.process.kill()
    await standby.until("end one")
    await store.create(Widget.named(namespace, "two"))
    await standby.until("end two")


async def test_a_frozen_operator_does_nothing_when_it_wakes(spawn: Spawn, store: Store[Widget], namespace: str) -> None:
    await store.create(Widget.named(namespace, "one"))
    leader = await spawn()
    await leader.until("end one")
    os.kill(leader.process.pid, signal.SIGSTOP)
    successor = await spawn()
    await successor.until("end one")
    await store.create(Widget.named(namespace, "two"))
    await successor.until("end two")
    os.kill(leader.process.pid, signal.SIGCONT)
    assert await leader.ended() == 1
    assert leader.process.stdout is not None
    assert b"two" not in await leader.process.stdout.read()


async def test_a_frozen_operator_writes_nothing_at_all_when_it_wakes(
    control_plane: Cluster, spawn: Spawn, store: Store[Widget], namespace: str, tmp_path: Path
) -> None:
    """It is frozen while it writes without a pause, so it wakes between a read and the write that was to follow.

    Frozen in the very moment between the look at its lease and the sending, it sends one request of a version that is
    past, which the server refuses."""
    proxy = Proxy(control_plane.kubeconfig)
    async with proxy.open(tmp_path) as proxied:
        for number in range(4):
            await store.create(Widget.named(namespace, f"busy-{number}", parent="busy"))
        leader = await spawn(proxied)
        await eventually(lambda: sum(line.startswith("PATCH") for line in proxy.requests) > 20)
        os.kill(leader.process.pid, signal.SIGSTOP)
        successor = await spawn()
        seen = {widget.metadata.name: widget.status.seen for widget in await store.list(namespace)}
        await successor.until("end busy-0")

        async def all_written() -> bool:
            return all(widget.status.seen != seen[widget.metadata.name] for widget in await store.list(namespace))

        await eventually(all_written)
        before, done = len(proxy.requests), len(proxy.done)
        os.kill(leader.process.pid, signal.SIGCONT)
        assert await leader.ended() == 1
    assert [line for line in proxy.done[done:] if not line.startswith("GET ")] == []
    assert len([line for line in proxy.requests[before:] if not line.startswith("GET ")]) <= 1
