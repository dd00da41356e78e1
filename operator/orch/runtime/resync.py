"""Compare what is remembered with a LIST: every ten minutes, and whenever a watch had a gap.

Run by the manager. A watch that begins anew after a gap tells what is there, never what has been deleted meanwhile;
and a handler that fails drops its event. It finds differences and reports each as a change; it never wakes who is up
to date.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.objects import Objects
from orch.runtime.backoff import Backoff
from orch.runtime.cache import Change, Entry
from orch.runtime.reconcile import Key
from orch.runtime.source import Source, key_of

log = structlog.get_logger(__name__)

PERIOD = 600.0
"""Seconds between two lists of a kind; up to a tenth more, so that kinds and replicas do not list together."""


class Resync:
    """Lists each source when it was asked to, and when it is due."""

    def __init__(
        self,
        kube: Kube,
        sources: Sequence[Source[Any]],
        *,
        namespaces: Sequence[str] | None,
        on_change: Callable[[Source[Any], Change[Any]], None],
        period: float = PERIOD,
    ) -> None:
        self._kube, self._namespaces, self._on_change, self._period = kube, namespaces, on_change, period
        self._asked = {source: asyncio.Event() for source in sources}
        self._synced = {source: asyncio.Event() for source in sources}

    def ask(self, source: Source[Any]) -> None:
        """List that source soon."""
        self._asked[source].set()

    def unsynced(self) -> list[str]:
        """Names of the kinds that have not been listed once since the start."""
        return [source.resource.name for source, done in self._synced.items() if not done.is_set()]

    async def wait_synced(self) -> None:
        """Until every kind has been listed once after its watch had begun."""
        for done in self._synced.values():
            await done.wait()

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for source in self._asked:
                group.create_task(self._serve(source), name=f"resync {source.resource.name}")

    async def _serve(self, source: Source[Any]) -> None:
        asked, backoff = self._asked[source], Backoff[str](limit=60)
        await asked.wait()  # the first list follows the watch, or what happens in between would be missed
        while True:
            asked.clear()
            try:
                await self.compare(source)
            except OrchError as error:
                log.warning("resync.failed", resource=source.resource.name, why=error.message)
                await asyncio.sleep(backoff.next("list"))
                asked.set()
                continue
            backoff.forget("list")
            self._synced[source].set()
            await self._due(asked)

    async def _due(self, asked: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(self._period * random.uniform(1, 1.1)):  # noqa: S311 -- no secret
                await asked.wait()
        except TimeoutError:
            pass

    async def compare(self, source: Source[Any]) -> None:
        """List the source now and report what differs. Raises the errors of `orch.kube.errors`."""
        for namespace in self._namespaces or (None,):
            listed = await self._list(source, namespace)
            for change in source.cache.replace(
                listed.entries, listed.version, namespace=namespace, keep=listed.unreadable
            ):
                self._on_change(source, change)

    async def _list(self, source: Source[Any], namespace: str | None) -> _Listed:
        """Page by page: whole objects would cost a hundred times what is kept of them."""
        listed = _Listed()
        async for page in Objects(self._kube, source.resource).pages(namespace, labels=source.labels):
            listed.version = int(page["metadata"]["resourceVersion"])
            for document in page.get("items") or []:
                try:
                    listed.entries.append(source.entry(document))
                except Exception:
                    key = key_of(document)
                    listed.unreadable.add(key)
                    log.exception("watch.unreadable", resource=source.resource.name, key=str(key))
        return listed


@dataclass
class _Listed:
    version: int = 0
    entries: list[Entry[Any]] = field(default_factory=list)
    unreadable: set[Key] = field(default_factory=set)
