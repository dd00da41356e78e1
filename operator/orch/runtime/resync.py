"""Compare what is remembered with a list: with each that a watch begins behind, and with one of our own every ten minutes.

Run by the manager. A watch that begins anew after a gap tells what is there, never what has been deleted meanwhile;
and a handler that fails drops its event. It finds differences and reports each as a change; it never wakes who is up
to date.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.objects import Objects
from orch.runtime.backoff import Backoff
from orch.runtime.cache import Change
from orch.runtime.listing import Listing
from orch.runtime.source import Source

log = structlog.get_logger(__name__)

PERIOD = 600.0
"""Seconds between two lists of a kind; up to a tenth more, so that kinds and replicas do not list together."""


class Resync:
    """Takes over the watches' lists, and lists each source when it is due."""

    def __init__(
        self,
        kube: Kube,
        sources: Sequence[Source[Any]],
        *,
        namespaces: Sequence[str] | None,
        on_change: Callable[[Source[Any], Change[Any]], None],
        period: float = PERIOD,
    ) -> None:
        self._kube, self._on_change, self._period = kube, on_change, period
        self._namespaces: Sequence[str | None] = namespaces or (None,)
        self._missing = {source: set(self._namespaces) for source in sources}
        self._synced = asyncio.Event()

    def take(self, listing: Listing) -> None:
        """A watch has begun behind this list: report what differs."""
        self._compare(listing)
        self._missing[listing.source].discard(listing.namespace)
        if not any(self._missing.values()):
            self._synced.set()

    def unsynced(self) -> list[str]:
        """Names of the kinds that have not been listed once since the start."""
        return [source.resource.name for source, missing in self._missing.items() if missing]

    async def wait_synced(self) -> None:
        """Until every kind has been listed once and its watch has begun."""
        await self._synced.wait()

    async def run(self) -> None:
        """List what is due, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for source in self._missing:
                group.create_task(self._serve(source), name=f"resync {source.resource.name}")

    async def _serve(self, source: Source[Any]) -> None:
        backoff, wait = Backoff[str](limit=60), self._pause()
        while True:
            await asyncio.sleep(wait)
            if await self._listed(source):
                backoff.forget("list")
                wait = self._pause()
            else:
                wait = backoff.next("list")

    def _pause(self) -> float:
        return self._period * random.uniform(1, 1.1)  # noqa: S311 -- no secret

    async def _listed(self, source: Source[Any]) -> bool:
        """Whether it could be listed in all namespaces."""
        try:
            for namespace in self._namespaces:
                listing = Listing(source, namespace)
                async for page in Objects(self._kube, source.resource).pages(namespace, labels=source.labels):
                    listing.add(page)
                self._compare(listing)
        except OrchError as error:
            log.warning("resync.failed", resource=source.resource.name, why=error.message)
            return False
        return True

    def _compare(self, listing: Listing) -> None:
        for change in listing.source.cache.replace(
            listing.entries, listing.version, namespace=listing.namespace, keep=listing.unreadable
        ):
            self._on_change(listing.source, change)
