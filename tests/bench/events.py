"""Events a second through `orch.runtime`, and through kopf alone on the same server, side by side in one run.

Live: both watch while objects are created as fast as the server takes them. Listed: the objects are there before either
starts, in turns. The clock of each runs from the first object that its handler or reconciler sees to the last.
`python -m tests.bench.events runtime|bare KUBECONFIG NAMESPACE COUNT SAID` is one watcher in a process of its own. It writes a
line to SAID when it has seen its first object, and its seconds when it has seen the last.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import kopf
from tests.bench.bed import Bed, Beds, bed
from tests.bench.figure import Figure
from tests.bench.fleet import a_run

from orch.api.v1alpha1 import IssueRun
from orch.kube.client import connect
from orch.kube.resource import Resource
from orch.reconcilers.projections import project_run
from orch.runtime.audit import setup_logging
from orch.runtime.controller import Controller
from orch.runtime.manager import Manager
from orch.runtime.pulse import Pulse
from orch.runtime.reconcile import Key, Result
from orch.runtime.source import Source
from orch.runtime.streams import open_session

_KINDS = ("bare", "runtime")
_PROOF = 60
"""Seconds after which the server ends a watch that has brought nothing yet."""


def measure(objects: int = 3_000, rounds: int = 3, *, beds: Beds = bed) -> Iterator[Figure]:
    """First live, then with the same objects listed."""
    with beds() as place:
        marker, *runs = [a_run(number, repos=50) for number in range(1, objects + 2)]
        place.create([marker])
        both = {kind: _Watcher(place, kind, objects + 1) for kind in _KINDS}
        for watcher in both.values():
            watcher.until_marker()
        place.create(runs)
        yield from _figures("live", {kind: [objects / watcher.seconds()] for kind, watcher in both.items()})
        listed: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        for _ in range(rounds):
            for kind in _KINDS:
                listed[kind].append(objects / _Watcher(place, kind, objects + 1).seconds())
        yield from _figures("listed", listed)


def _figures(how: str, rates: dict[str, list[float]]) -> Iterator[Figure]:
    for kind in _KINDS:
        yield Figure(f"events-{how}-{kind}", round(median(rates[kind])), "events/s")
    yield Figure(f"events-{how}-ratio", round(median(rates["runtime"]) / median(rates["bare"]), 2), "", ">= 0.8")


class _Watcher:
    """One of a kind, seen from outside."""

    def __init__(self, place: Bed, kind: str, objects: int) -> None:
        name = f"{kind}-{time.monotonic_ns()}"
        self._said = place.folder / f"{name}.said"
        arguments = (kind, str(place.kubeconfig), place.namespace, str(objects), str(self._said))
        self._process = place.run(name, "tests.bench.events", *arguments)

    def until_marker(self) -> None:
        """It has seen its first object."""
        self._until(1)

    def seconds(self) -> float:
        """From the first object that it sees to the last; then it is stopped."""
        said = self._until(2)[1]
        self._process.stop()
        return float(said)

    def _until(self, lines: int) -> list[str]:
        deadline = time.monotonic() + 300
        while (said := self._said.read_text() if self._said.exists() else "").count("\n") < lines:
            self._process.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"a watcher has not seen everything:\n{self._process.tail()}")
            time.sleep(0.02)
        return said.splitlines()


class Count:
    """Which objects were seen, and when the first and the last of them."""

    def __init__(self, wanted: int, said: Path) -> None:
        self._wanted, self._said = wanted, said.open("w", buffering=1)
        self._seen: set[str] = set()
        self._began = 0.0

    def see(self, name: str) -> None:
        if not self._seen:
            self._said.write("ready\n")
        if len(self._seen) == 1:
            self._began = time.monotonic()
        self._seen.add(name)
        if len(self._seen) == self._wanted:
            self._said.write(f"{time.monotonic() - self._began}\n")


class Nothing:
    """A reconciler that does nothing."""

    plural = IssueRun.PLURAL

    def __init__(self, count: Count) -> None:
        self._count = count

    async def reconcile(self, key: Key) -> Result:
        self._count.see(key.name)
        return Result()


async def through_runtime(kubeconfig: str, namespace: str, count: Count, stop: asyncio.Event) -> None:
    """A manager with one controller, as main makes it."""
    async with await connect(kubeconfig) as kube:
        source = Source(Resource.of(IssueRun), project_run)
        await Manager(kube, [Controller(Nothing(count), source, workers=16)], namespaces=[namespace]).run(stop)


async def bare(kubeconfig: str, namespace: str, count: Count, stop: asyncio.Event) -> None:
    """kopf with one handler, on the same HTTP client."""
    async with await connect(kubeconfig) as kube:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.chunk_size = 500
        registry = kopf.OperatorRegistry()

        async def login(**_: object) -> kopf.AiohttpSession:
            session = open_session(kube, Pulse(), proof=_PROOF, opened=lambda _: None, listed=lambda *_: None)
            return kopf.AiohttpSession(server=kube.server, aiohttp_session=session)

        async def event(name: str, **_: Any) -> None:
            count.see(name)

        kopf.on.login(registry=registry, id="login")(login)
        kopf.on.event(IssueRun.GROUP, IssueRun.VERSION, IssueRun.PLURAL, registry=registry, id="event")(event)
        await kopf.operator(
            registry=registry, settings=settings, standalone=True, namespaces=[namespace], stop_flag=stop
        )


async def main(kind: str, kubeconfig: str, namespace: str, objects: str, said: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    watch = {"runtime": through_runtime, "bare": bare}[kind]
    await watch(kubeconfig, namespace, Count(int(objects), Path(said)), stop)


if __name__ == "__main__":
    setup_logging("warning")
    asyncio.run(main(*sys.argv[1:]))
