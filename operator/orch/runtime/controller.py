"""A reconciler with what wakes it and how many workers it gets: main's side of the manager, and the workers' loop.

The workers never die of what a reconciler raises, and never decide anything about an object.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from orch.errors import OrchError, RateLimited
from orch.kube.errors import Conflict, KubeError, Unreadable
from orch.kube.events import Recorder, Regarding
from orch.runtime.backoff import Backoff
from orch.runtime.cache import Change
from orch.runtime.metrics import Metrics
from orch.runtime.queue import QueueClosed, WorkQueue, by_namespace
from orch.runtime.reconcile import Key, Reconciler, Result
from orch.runtime.source import Source

log = structlog.get_logger(__name__)

Wake = Callable[[Change[Any]], Iterable[Key]]
"""Which keys of a controller a change of some object concerns."""

RECONCILE_SECONDS = 300.0
"""After so long a reconcile is cancelled and tried again; waiting is a Result, never a long call."""


@dataclass
class Controller:
    """One reconciler.

    Args:
        reconciler: what runs.
        source: the kind that it reconciles; each change wakes its own key.
        wakes: other kinds whose changes wake it, e.g. Approval → the IssueRun it is about.
        workers: reconciles at once.
        own: what of the projection wakes the own key when it changes; None: every event does. For a reconciler that writes
            its own status: its writes come back as events and tell it nothing, and a look for each is as dear as the first.
        gather: seconds that a wake by another object waits for more of them, so that a hundred cost one reconcile.
        group: key → who takes turns (a repository, a tenant).
        backoff: after a reconcile that raised.
        seconds: limit of one reconcile.
    """

    reconciler: Reconciler
    source: Source[Any]
    wakes: Mapping[Source[Any], Wake] = field(default_factory=dict)
    workers: int = 4
    own: Callable[[Any], object] | None = None
    gather: float = 0.0
    group: Callable[[Key], str] = by_namespace
    backoff: Backoff[Key] = field(default_factory=Backoff)
    seconds: float = RECONCILE_SECONDS

    @property
    def name(self) -> str:
        return self.reconciler.plural

    def concerned(self, source: Source[Any], change: Change[Any]) -> dict[Key, float]:
        """The keys that a change wakes, with the seconds until they are due. A mapping that raises wakes nobody and is logged."""
        due: dict[Key, float] = {}
        if (wake := self.wakes.get(source)) is not None:
            try:
                due = dict.fromkeys(wake(change), self.gather)
            except Exception:
                log.exception("wake.failed", controller=self.name, key=str(change.key))
        if source is self.source and self._is_news(change):
            due[change.key] = 0.0
        return due

    def _is_news(self, change: Change[Any]) -> bool:
        """Whether an event of the own kind tells the reconciler what it has not done itself."""
        if self.own is None or change.old is None or change.new is None:
            return True
        return self.own(change.old) != self.own(change.new)


class Workers:
    """The workers of one controller around its queue."""

    def __init__(
        self, controller: Controller, *, metrics: Metrics, recorder: Recorder | None, may_work: Callable[[], bool]
    ) -> None:
        """`may_work` is asked before each reconcile: False (lease lost, CRDs replaced) puts the key back for later."""
        self.controller = controller
        self.queue = WorkQueue(self._group)
        self._metrics, self._recorder, self._may_work = metrics, recorder, may_work
        metrics.queue_depth.labels(controller.name).set_function(lambda: len(self.queue))

    def _group(self, key: Key) -> str:
        """A grouping that raises must not lose the key."""
        try:
            return self.controller.group(key)
        except Exception:
            log.exception("group.failed", controller=self.controller.name, key=str(key))
            return by_namespace(key)

    async def run(self) -> None:
        """Until the queue is closed and the reconciles in flight are done."""
        async with asyncio.TaskGroup() as group:
            for number in range(self.controller.workers):
                group.create_task(self._work(), name=f"{self.controller.name} {number}")

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except QueueClosed:
                return
            try:
                if self._may_work():
                    await self._reconcile(key)
                else:
                    self.queue.add_after(key, 1.0)
            finally:
                self.queue.done(key)

    async def _reconcile(self, key: Key) -> None:
        name = self.controller.name
        began = time.monotonic()
        with structlog.contextvars.bound_contextvars(controller=name, key=str(key)):
            outcome = await self._guarded(key)
        self._metrics.reconciles.labels(name, outcome).inc()
        self._metrics.reconcile_seconds.labels(name).observe(time.monotonic() - began)

    async def _guarded(self, key: Key) -> str:
        """Reconcile, and turn whatever comes out into a time to look again. Returns the outcome for the metric."""
        limit = asyncio.timeout(self.controller.seconds)
        try:
            async with limit:
                result = await self.controller.reconciler.reconcile(key)
            return self._settle(key, result)
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            return await self._failed(key, error)  # something that the reconciler awaited was cancelled, not we
        except Exception as error:
            if isinstance(error, TimeoutError) and limit.expired():
                self._again(key, "ReconcileTimeout", f"gave up after {self.controller.seconds:.0f} s")
                return "timeout"
            return await self._failed(key, error)

    async def _failed(self, key: Key, error: BaseException) -> str:
        match error:
            case Conflict():  # somebody wrote in between: normal, and the next GET sees it
                self.queue.add_after(key, self.controller.backoff.next(key) / 10)
                return "conflict"
            case RateLimited():
                self.queue.add_after(key, max(1.0, _seconds_until(error.retry_at)))
                return "requeued"
            case Unreadable():
                self._again(key, error.reason, error.message)
                await self._warn(key, error.reason, error.message)
            case KubeError():  # no Event: it would go to the server that has just refused
                self._again(key, error.reason, error.message)
            case OrchError():
                self._again(key, error.reason, error.message)
                await self._warn(key, error.reason, error.message)
            case _:
                log.error("reconcile.crashed", exc_info=error)
                self._again(key, "InternalError", type(error).__name__)
                # The text of an unknown exception may quote anything, a credential too: only its kind is published.
                note = f"{type(error).__name__} in the operator, tried again; see its log"
                await self._warn(key, "InternalError", note)
        return "error"

    def _settle(self, key: Key, result: Result) -> str:
        self.controller.backoff.forget(key)
        if result.requeue_after is None:
            return "ok"
        self.queue.add_after(key, result.requeue_after.total_seconds())
        return "requeued"

    def _again(self, key: Key, reason: str, why: str) -> None:
        wait = self.controller.backoff.next(key)
        log.warning("reconcile.failed", reason=reason, why=why, retry_in=round(wait, 1))
        self.queue.add_after(key, wait)

    async def _warn(self, key: Key, reason: str, note: str) -> None:
        if self._recorder is not None:
            source = self.controller.source
            entry = source.cache.entry(key)
            about = Regarding(source.resource, key.namespace, key.name, entry.uid if entry else "")
            await self._recorder.warning(about, reason, note)


def _seconds_until(moment: datetime) -> float:
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - datetime.now(UTC)).total_seconds()
