"""What the tests of the loop share: a reconciler that tells, a manager that is always stopped, waiting by event."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.integration.kube.widgets import Widget

from orch.kube.client import Kube
from orch.kube.resource import Resource
from orch.runtime.backoff import Backoff
from orch.runtime.controller import Controller
from orch.runtime.manager import Manager
from orch.runtime.reconcile import Key, Result
from orch.runtime.source import Source

WIDGETS = Resource.of(Widget)

Step = Callable[[Key], Awaitable[Result | None]]


def a_source(**options: Any) -> Source[Mapping[str, Any]]:
    """Widgets, of which the spec is remembered."""
    return Source(WIDGETS, lambda document: dict(document.get("spec") or {}), **options)


async def nothing(_: Key) -> Result | None:
    return None


@dataclass
class Telling:
    """A reconciler that counts its calls and does what the test gave it to do."""

    step: Step = nothing
    plural: str = "widgets"
    calls: list[Key] = field(default_factory=list)
    busy: Counter[Key] = field(default_factory=Counter)
    overlaps: int = 0
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def reconcile(self, key: Key) -> Result:
        self.busy[key] += 1
        self.overlaps += self.busy[key] > 1
        try:
            self.calls.append(key)
            async with self.moved:
                self.moved.notify_all()
            return await self.step(key) or Result()
        finally:
            self.busy[key] -= 1

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for a call after which `fact` holds."""
        async with asyncio.timeout(60), self.moved:
            await self.moved.wait_for(fact)

    async def called(self, *names: str) -> None:
        """Wait until each has been reconciled at least once."""
        await self.until(lambda: set(names) <= {key.name for key in self.calls})

    def times(self, name: str) -> int:
        return sum(key.name == name for key in self.calls)


def a_controller(telling: Telling, source: Source[Any] | None = None, **options: Any) -> Controller:
    backoff: Backoff[Key] = Backoff(first=0.05, limit=0.2)
    return Controller(telling, source or a_source(), **({"backoff": backoff} | options))


@asynccontextmanager
async def running(manager: Manager) -> AsyncIterator[asyncio.Event]:
    """Run it inside the block; yields its stop event. It is stopped and awaited at the end, and must end cleanly."""
    stop = asyncio.Event()
    task = asyncio.create_task(manager.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(40):
            await task


def a_manager(kube: Kube, namespace: str, *controllers: Controller, **options: Any) -> Manager:
    return Manager(kube, controllers, namespaces=[namespace], **options)


async def eventually(fact: Callable[[], bool | Awaitable[bool]], *, seconds: float = 60) -> None:
    """For facts that announce themselves by no event: look again and again, and fail when time is over."""
    async with asyncio.timeout(seconds):
        while True:
            found = fact()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.05)
