"""How long nobody works when the leader ends: from its last reconcile to the first one of its standby.

Two operators of the true Lease with its true times, several pairs side by side, each pair with a namespace and Lease of its own. The
reconciler does nothing but tell the time, ten times a second. `python -m tests.bench.failover KUBECONFIG NAMESPACE TRACE` is one operator.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

from tests.bench.bed import Bed, Beds, bed
from tests.bench.burst import p95
from tests.bench.figure import Figure
from tests.bench.fleet import a_repo

from orch.api.v1alpha1 import OrchestratedRepo
from orch.kube.client import connect
from orch.kube.lease import Lease
from orch.kube.resource import Resource
from orch.reconcilers.projections import project_repo
from orch.runtime.audit import setup_logging
from orch.runtime.controller import Controller
from orch.runtime.manager import Manager, exit_at_once
from orch.runtime.reconcile import Key, Result
from orch.runtime.source import Source

_GOALS = {signal.SIGKILL: ("kill", "<= 20"), signal.SIGTERM: ("term", "<= 3")}


def measure(kills: int = 30, pairs: int = 5, *, beds: Beds = bed) -> Iterator[Figure]:
    """So many ends of either kind, shared out among the pairs."""
    with beds() as place, ThreadPoolExecutor(pairs) as pool:
        spaces = [place.beside(f"{place.namespace}-pair-{number}") for number in range(pairs)]
        for space in spaces:
            space.create([a_repo(0)])
        for number, (name, goal) in _GOALS.items():
            each = -(-kills // pairs)
            found = pool.map(_pair, *zip(*[(space, number, each) for space in spaces], strict=True))
            gaps = [gap for of_pair in found for gap in of_pair]
            yield Figure(f"failover-{name}-p95", round(p95(gaps), 2), "s", goal)
            yield Figure(f"failover-{name}-most", round(max(gaps), 2), "s")
            yield Figure(f"failover-{name}-count", len(gaps), "kills", f">= {kills}")


def _pair(place: Bed, number: signal.Signals, times: int) -> list[float]:
    """End the leader again and again; each time the standby becomes the leader and gets a new standby."""
    leader, gaps = _Operator(place), []
    try:
        leader.until_working()
        for _ in range(times):
            standby = _Operator(place)
            try:
                standby.until_warm()
                leader.process.kill(number)
                began = standby.until_working()
                leader.process.stop()
                gaps.append(began - leader.last())
            finally:
                leader.process.stop()
                leader = standby
    finally:
        leader.process.stop()
    return gaps


class _Operator:
    """One of a pair, seen from outside."""

    def __init__(self, place: Bed) -> None:
        name = f"operator-{time.monotonic_ns()}"
        self._trace = place.folder / f"{name}.trace"
        self._warm = self._trace.with_suffix(".warm")
        arguments = (str(place.kubeconfig), place.namespace, str(self._trace))
        self.process = place.run(name, "tests.bench.failover", *arguments)

    def until_working(self) -> float:
        """The time of its first reconcile."""
        return self._until(self._trace)

    def until_warm(self) -> None:
        """It has listed everything and only waits for the lease."""
        self._until(self._warm)

    def last(self) -> float:
        """The time of its last reconcile."""
        return float(self._trace.read_text().split()[-1])

    def _until(self, file: Path) -> float:
        deadline = time.monotonic() + 120
        while not (file.exists() and file.read_text().endswith("\n")):
            self.process.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{file.name} did not appear:\n{self.process.tail()}")
            time.sleep(0.05)
        return float(file.read_text().split()[0])


class _Teller:
    """A reconciler that tells the time."""

    plural = OrchestratedRepo.PLURAL

    def __init__(self, trace: Path) -> None:
        self._trace = trace.open("a", buffering=1)

    async def reconcile(self, key: Key) -> Result:
        self._trace.write(f"{time.monotonic():.3f}\n")
        return Result(timedelta(seconds=0.1))


async def main(kubeconfig: str, namespace: str, trace: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with await connect(kubeconfig) as kube, asyncio.TaskGroup() as group:
        lease = Lease(kube, namespace, "orch", on_lost=exit_at_once)
        controller = Controller(_Teller(Path(trace)), Source(Resource.of(OrchestratedRepo), project_repo))
        manager = Manager(kube, [controller], lease=lease, namespaces=[namespace])
        telling = group.create_task(_tell_warm(manager, Path(trace).with_suffix(".warm")))
        await manager.run(stop)
        telling.cancel()


async def _tell_warm(manager: Manager, file: Path) -> None:
    while manager.ready_problems():  # noqa: ASYNC110 - the manager has no event for it
        await asyncio.sleep(0.05)
    await asyncio.to_thread(file.write_text, f"{time.monotonic():.3f}\n")


if __name__ == "__main__":
    setup_logging("warning")
    asyncio.run(main(*sys.argv[1:]))
