"""Events a second through `orch.runtime`, and through kopf alone on the same server, side by side in one run.

Live: both watch while objects are created as fast as the server takes them. Listed: the objects are there before either
starts, in turns. The clock of each runs from the first object that its handler or reconciler sees to the last.
`python -m tests.bench.events runtime|bare KUBECONFIG COUNT` is one watcher in a process of its own.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import kopf
from hack.tether import tethered
from tests.bench.bed import ROOT, Bed, bed
from tests.bench.figure import Figure
from tests.bench.fleet import NAMESPACE, a_run

from orch.api.v1alpha1 import IssueRun
from orch.kube.client import connect
from orch.kube.resource import Resource
from orch.reconcilers.projections import project_run
from orch.runtime.audit import setup_logging
from orch.runtime.controller import Controller
from orch.runtime.manager import Manager
from orch.runtime.reconcile import Key, Result
from orch.runtime.source import Source
from orch.runtime.streams import open_session

_KINDS = ("bare", "runtime")


def measure(objects: int = 3_000, rounds: int = 3) -> Iterator[Figure]:
    """First live, then with the same objects listed."""
    with bed() as place:
        marker, *runs = [a_run(number, repos=50) for number in range(1, objects + 2)]
        place.create([marker])
        both = {kind: _watch(place, kind, objects + 1) for kind in _KINDS}
        for watcher in both.values():
            _line(watcher)  # it has seen the marker
        place.create(runs)
        yield from _figures("live", {kind: [objects / float(_line(watcher))] for kind, watcher in both.items()})
        listed: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        for _ in range(rounds):
            for kind in _KINDS:
                watcher = _watch(place, kind, objects + 1)
                _line(watcher)
                listed[kind].append(objects / float(_line(watcher)))
        yield from _figures("listed", listed)


def _figures(how: str, rates: dict[str, list[float]]) -> Iterator[Figure]:
    for kind in _KINDS:
        yield Figure(f"events-{how}-{kind}", round(median(rates[kind])), "events/s")
    yield Figure(f"events-{how}-ratio", round(median(rates["runtime"]) / median(rates["bare"]), 2), "", ">= 0.8")


def _watch(place: Bed, kind: str, objects: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.bench.events", kind, str(place.kubeconfig), str(objects)]
    env = {"PATH": os.environ["PATH"], "HOME": str(place.folder), "PYTHONPATH": str(ROOT)}
    with (place.folder / f"{kind}.log").open("a") as log:
        return subprocess.Popen(tethered(command), env=env, stdout=subprocess.PIPE, stderr=log, text=True)


def _line(watcher: subprocess.Popen[str]) -> str:
    """The next line that it says. Raises RuntimeError if it ends instead."""
    assert watcher.stdout is not None
    if not (line := watcher.stdout.readline()):
        raise RuntimeError(f"a watcher ended with status {watcher.wait()}")
    return line


class Count:
    """Which objects were seen, and when the first and the last of them."""

    def __init__(self, wanted: int, stop: asyncio.Event) -> None:
        self._wanted, self._stop = wanted, stop
        self._seen: set[str] = set()
        self._began = 0.0

    def see(self, name: str) -> None:
        if not self._seen:
            print("ready", flush=True)
        if len(self._seen) == 1:
            self._began = time.monotonic()
        self._seen.add(name)
        if len(self._seen) == self._wanted:
            print(time.monotonic() - self._began, flush=True)
            self._stop.set()


class Nothing:
    """A reconciler that does nothing."""

    plural = IssueRun.PLURAL

    def __init__(self, count: Count) -> None:
        self._count = count

    async def reconcile(self, key: Key) -> Result:
        self._count.see(key.name)
        return Result()


async def through_runtime(kubeconfig: str, count: Count, stop: asyncio.Event) -> None:
    """A manager with one controller, as main makes it."""
    async with await connect(kubeconfig) as kube:
        source = Source(Resource.of(IssueRun), project_run)
        await Manager(kube, [Controller(Nothing(count), source, workers=16)], namespaces=[NAMESPACE]).run(stop)


async def bare(kubeconfig: str, count: Count, stop: asyncio.Event) -> None:
    """kopf with one handler, on the same HTTP client."""
    async with await connect(kubeconfig) as kube:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.watching.chunk_size = 500
        registry = kopf.OperatorRegistry()

        async def login(**_: object) -> kopf.AiohttpSession:
            session = open_session(kube, opened=lambda _: None, listed=lambda *_: None, heard=lambda _: None)
            return kopf.AiohttpSession(server=kube.server, aiohttp_session=session)

        async def event(name: str, **_: Any) -> None:
            count.see(name)

        kopf.on.login(registry=registry, id="login")(login)
        kopf.on.event(IssueRun.GROUP, IssueRun.VERSION, IssueRun.PLURAL, registry=registry, id="event")(event)
        await kopf.operator(
            registry=registry, settings=settings, standalone=True, namespaces=[NAMESPACE], stop_flag=stop
        )


async def main(kind: str, kubeconfig: str, objects: str) -> None:
    stop = asyncio.Event()
    await {"runtime": through_runtime, "bare": bare}[kind](kubeconfig, Count(int(objects), stop), stop)


if __name__ == "__main__":
    setup_logging("warning")  # what is on the standard output is for `_line`
    asyncio.run(main(*sys.argv[1:]))
