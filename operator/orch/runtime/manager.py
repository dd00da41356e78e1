"""The control loop as a whole: watches, caches, queues, workers, the lease, the probes; from start to a clean stop.

Built and run by main. It knows no kind and reads no setting. What it guarantees to a reconciler: only the holder of
the lease reconciles, never before all kinds are known, never twice at once for one key, and on SIGTERM what is in
flight may end.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.events import Recorder
from orch.kube.lease import Lease
from orch.runtime.cache import Change
from orch.runtime.controller import Controller, Workers
from orch.runtime.health import HealthServer
from orch.runtime.metrics import Metrics
from orch.runtime.pulse import DEAD_AFTER, Pulse
from orch.runtime.reconcile import Key
from orch.runtime.resync import PERIOD, Resync
from orch.runtime.source import Source
from orch.runtime.watch import Seen, Watch, WatchTimes

log = structlog.get_logger(__name__)

Preflight = Callable[[], Awaitable[Sequence[str]]]
"""What forbids reconciling, a sentence each: CRDs that are missing or of another release."""


@dataclass(frozen=True)
class Times:
    """Seconds. `drain`, `end`, the release of the lease (2) and the probes (1) together stay under 25: the kubelet kills
    at 30."""

    resync: float = PERIOD
    preflight: float = PERIOD
    preflight_retry: float = 5.0
    drain: float = 19.0
    end: float = 2.0
    dead_after: float = DEAD_AFTER
    watch: WatchTimes = field(default_factory=WatchTimes)


class Manager:
    """Runs controllers against one API server."""

    def __init__(
        self,
        kube: Kube,
        controllers: Sequence[Controller],
        *,
        also_watch: Sequence[Source[Any]] = (),
        lease: Lease | None = None,
        namespaces: Sequence[str] | None = None,
        recorder: Recorder | None = None,
        preflight: Preflight | None = None,
        metrics: Metrics | None = None,
        times: Times | None = None,
        probes: tuple[str, int] | None = None,
    ) -> None:
        """
        Args:
            also_watch: kinds that only fill a cache.
            lease: None means that nobody else can be there (tests, a single host).
            namespaces: to watch; None means all.
            preflight: asked before the start, and with each resync.
            probes: address of health and metrics; port 0 takes a free one, see `probe_port`; None opens none.
        """
        self._kube, self._lease, self._probes = kube, lease, probes
        self._times, self._preflight = times or Times(), preflight
        self.metrics = metrics or Metrics()
        self.sources = _sources(controllers, also_watch)
        self._workers = [
            Workers(controller, metrics=self.metrics, recorder=recorder, may_work=self._may_work)
            for controller in controllers
        ]
        self._pulse = Pulse(dead_after=self._times.dead_after)
        self._resync = Resync(
            kube, self.sources, namespaces=namespaces, on_change=self._resynced, period=self._times.resync
        )
        self._watch = Watch(
            kube,
            self.sources,
            namespaces=namespaces,
            pulse=self._pulse,
            on_seen=self._seen,
            on_listed=self._resync.take,
            times=self._times.watch,
        )
        self._problems: tuple[str, ...] = ("still starting",)
        self._leading = False
        self._stopping = False
        self.probe_port: int | None = None
        """Where health and metrics are served, once `run` has begun."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, then drain, give the lease back and return. Raises what broke the loop itself."""
        health = HealthServer(
            live=self.live_problems,
            ready=self.ready_problems,
            registry=self.metrics.registry,
            before_metrics=self._before_metrics,
        )
        if self._probes is not None:
            self.probe_port = await health.start(*self._probes)
            log.info("probes.listening", port=self.probe_port)
        background = _Background()
        try:
            background.start(self._loop(background), "manager")
            await background.until(stop)
            await self._drain()
        finally:
            self._stopping = True
            all_ended = await background.end(self._times.end)
            if self._lease is not None and all_ended:  # else it runs out by itself, for somebody may still act on it
                await self._lease.release()
            await health.stop()
            log.info("manager.stopped", cleanly=all_ended)

    def poke(self, controller: str, namespace: str, name: str) -> None:
        """Make a key due now: a webhook, a timer. Unknown controllers are an error of the caller (KeyError)."""
        {workers.controller.name: workers for workers in self._workers}[controller].queue.add(Key(namespace, name))

    def live_problems(self) -> list[str]:
        """Why the process should be killed: watches that see nothing and cannot be opened anew."""
        return [] if self._stopping else self._pulse.problems()

    def ready_problems(self) -> list[str]:
        """Why it does not do its work (yet). A standby that could take over at once is ready."""
        if self._stopping:
            return ["stopping"]
        return [*self._problems, *(f"{name} is not listed yet" for name in self._resync.unsynced())]

    async def _loop(self, background: _Background) -> None:
        """Start everything in its order, then wait for ever."""
        await self._wait_for_preflight()
        background.start(self._watch.run(), "watch")
        background.start(self._resync.run(), "resync")
        await self._resync.wait_synced()
        log.info("manager.synced", objects={source.resource.plural: len(source.cache) for source in self.sources})
        if self._lease is not None:
            await self._lease.acquire()
            background.start(_hold(self._lease), "lease")
        self._lead()
        for workers in self._workers:
            background.start(workers.run(), workers.controller.name)
        while True:
            await asyncio.sleep(self._times.preflight)
            await self._check()

    def _lead(self) -> None:
        """A new leader owes a look at everything: whatever its predecessor knew or had scheduled is gone."""
        self._leading = True
        self.metrics.leader.set(1)
        for source in self.sources:
            for entry in source.cache:
                self._enqueue(source, Change(entry.key, None, entry.value))

    async def _wait_for_preflight(self) -> None:
        while True:
            await self._check()
            if not self._problems:
                return
            await asyncio.sleep(self._times.preflight_retry)

    async def _check(self) -> None:
        if self._preflight is None:
            self._problems = ()
            return
        try:
            problems = tuple(await self._preflight())
        except OrchError as error:
            # Unknown is not wrong: what was found the last time holds, and at the start that is "still starting".
            log.warning("preflight.failed", why=error.message)
            return
        if problems != self._problems:
            for problem in problems:
                log.error("preflight.refused", why=problem)
        self._problems = problems

    def _may_work(self) -> bool:
        return not self._problems and (self._lease is None or self._lease.remaining() > 0)

    def _seen(self, seen: Seen) -> None:
        source = seen.source
        change = source.gone(seen.key, seen.version) if seen.entry is None else source.seen(seen.entry)
        if change is not None:
            self._enqueue(seen.source, change)

    def _resynced(self, source: Source[Any], change: Change[Any]) -> None:
        self.metrics.resyncs.labels(source.resource.name).inc()
        self._enqueue(source, change)

    def _enqueue(self, source: Source[Any], change: Change[Any]) -> None:
        if not self._leading:
            return  # a standby keeps its caches warm and no queue
        for workers in self._workers:
            for key, seconds in workers.controller.concerned(source, change).items():
                workers.queue.add_after(key, seconds) if seconds else workers.queue.add(key)

    def _before_metrics(self) -> None:
        self.metrics.observe_watches(self._pulse)
        for source in self.sources:
            self.metrics.objects.labels(source.resource.name).set(len(source.cache))

    async def _drain(self) -> None:
        """Take nothing new and give what is in flight time to end; the lease is held and renewed meanwhile."""
        self._stopping = True
        log.info("manager.draining")
        for workers in self._workers:
            workers.queue.close()
        try:
            async with asyncio.timeout(self._times.drain):
                for workers in self._workers:
                    await workers.queue.drained()
        except TimeoutError:
            log.warning("manager.not_drained", seconds=self._times.drain)
        self._leading = False
        self.metrics.leader.set(0)


def exit_at_once(reason: str) -> None:
    """For `Lease(on_lost=…)`: another may act from now on, so nothing of this process may, not even its clean-up."""
    log.critical("operator.exits", why=reason)
    os._exit(1)


async def _hold(lease: Lease) -> None:
    await lease.hold()
    raise LeaseLost(lease.name)


class LeaseLost(Exception):
    """Another process may act now. Raised by `Manager.run` when `on_lost` did not end the process."""


def _sources(controllers: Sequence[Controller], also: Sequence[Source[Any]]) -> tuple[Source[Any], ...]:
    found = [source for controller in controllers for source in (controller.source, *controller.wakes)]
    sources = tuple(dict.fromkeys([*found, *also]))
    for twice, times in Counter(source.resource.name for source in sources).items():
        if times > 1:
            raise ValueError(f"{twice} is watched twice: share one Source between its controllers")
    return sources


class _Background:
    """Tasks that are cancelled on the way out. One that fails ends the whole."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    async def until(self, stop: asyncio.Event) -> None:
        """Wait for `stop`; raise what a task has raised before."""
        waiter = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait((waiter, self._failed), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if self._failed.done():
            self._failed.result()

    async def end(self, seconds: float) -> bool:
        """Cancel all; return whether all have ended in time."""
        for task in self._tasks:
            task.cancel()
        _, stuck = await asyncio.wait(self._tasks, timeout=seconds)
        for task in stuck:
            log.error("manager.stuck", task=task.get_name())
        self._failed.cancel()
        return not stuck

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None and not self._failed.done():
            self._failed.set_exception(error)
