"""One active operator: a Lease that is held, renewed, watched by a standby, and given back on a clean stop.

Called by the manager, and by whoever is about to do something that cannot be undone (`remaining`). It never decides
what the loss means: `on_lost` does, and it should end the process.

An implementation of our own: `kubernetes.aio.leaderelection` 37 measures by the wall clock, has no deadline on its
requests, dies of a refused connection, and does not give the lease back. The rules are those of client-go's
leaderelection.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists, Conflict, KubeNotFound
from orch.kube.objects import Document, Objects
from orch.kube.resource import LEASES

log = structlog.get_logger(__name__)

_REWOUND: Final = (
    "resource versions went back: etcd was emptied or restored, and what is remembered of it holds no more"
)


@dataclass(frozen=True)
class LeaseTimes:
    """Seconds. A successor waits `duration` after the last renewal that it saw; the holder gives up `renew_deadline`
    after its own last success, so there is a gap in which nobody acts."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0


def boottime() -> float:
    """Seconds that also pass while the machine sleeps, and that nobody can set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def own_identity() -> str:
    """Unique for each process, and readable in `kubectl get lease`."""
    return f"{socket.gethostname()}_{os.getpid()}_{secrets.token_hex(4)}"


class Lease:
    """A claim to act alone, under one name in one namespace."""

    def __init__(
        self,
        kube: Kube,
        namespace: str,
        name: str,
        *,
        identity: str | None = None,
        times: LeaseTimes | None = None,
        on_lost: Callable[[str], None],
        clock: Callable[[], float] = boottime,
    ) -> None:
        """`on_lost` gets the reason, in the event loop, at most once; the default of main ends the process at once."""
        self._objects = Objects(kube, LEASES)
        self.namespace, self.name = namespace, name
        self.identity = identity or own_identity()
        self._times = times or LeaseTimes()
        self._on_lost = on_lost
        self._clock = clock
        self._until: float | None = None
        self._mine: Document | None = None
        self._seen: tuple[str, float] | None = None
        self._newest = 0
        self._is_rewound = False
        self.unsure: tuple[datetime, datetime] | None = None
        """From the last renewal of a holder that did not give it back to our taking over; None: nobody before us died."""

    def remaining(self) -> float:
        """Seconds for which nobody else can hold it; 0 when we do not. Safe from any thread, without a request.

        Counted from before the last successful renewal was *sent*, so an answer that took long does not prolong it.
        """
        until = self._until
        return 0.0 if until is None else max(0.0, until - self._clock())

    async def acquire(self) -> None:
        """Wait until it is ours. Looks every `retry` seconds; an unreachable API server just takes longer.

        Calls `on_lost` when the server's history has begun anew: who waits would take over with a memory of the old one."""
        while True:
            try:
                is_ours = await self._try_acquire()
                if self._is_rewound:
                    await self.release()
                    log.error("lease.lost", lease=self.name, identity=self.identity, why=_REWOUND)
                    self._on_lost(_REWOUND)
                    self._is_rewound = False
                elif is_ours:
                    log.info("lease.acquired", lease=self.name, identity=self.identity)
                    return
            except (Conflict, AlreadyExists):
                pass  # another standby was faster
            except OrchError as error:
                log.warning("lease.unreachable", lease=self.name, why=error.message)
            await asyncio.sleep(self._times.retry)

    async def hold(self) -> None:
        """Renew until cancelled. Returns after calling `on_lost` when it could not be renewed in time."""
        while True:
            await asyncio.sleep(self._times.retry)
            if reason := await self._renew():
                self._until = None
                log.error("lease.lost", lease=self.name, identity=self.identity, why=reason)
                self._on_lost(reason)
                return

    async def release(self) -> None:
        """Give it back, so that a standby need not wait. Does nothing when it is not ours; never raises, at most 2 s."""
        mine, self._mine, self._until = self._mine, None, None
        if mine is None:
            return
        spec = mine["spec"] | {"holderIdentity": "", "leaseDurationSeconds": 1}
        try:
            async with asyncio.timeout(2):
                await self._objects.update(self.namespace, self.name, mine | {"spec": spec})
            log.info("lease.released", lease=self.name, identity=self.identity)
        except (OrchError, TimeoutError) as error:
            log.warning("lease.not_released", lease=self.name, why=str(error) or "no answer in time")

    async def _try_acquire(self) -> bool:
        sent = self._clock()
        current = await self._find()
        if current is None:
            document = {"metadata": {"name": self.name}, "spec": self._spec(transitions=0)}
            self._won(await self._objects.create(self.namespace, document), sent)
            return True
        if not self._is_free(current):
            return False
        old = current.get("spec") or {}
        spec = self._spec(transitions=int(old.get("leaseTransitions") or 0) + 1)
        sent = self._clock()
        self._won(await self._objects.update(self.namespace, self.name, current | {"spec": spec}), sent)
        self.unsure = _unsure(old)
        return True

    def _is_free(self, current: Document) -> bool:
        """Nobody holds it, or its record has not moved for its whole duration by *our* clock: clocks need not agree."""
        spec = current.get("spec") or {}
        if not spec.get("holderIdentity"):
            return True
        version = str(current["metadata"]["resourceVersion"])
        if self._seen is None or self._seen[0] != version:
            self._seen = (version, self._clock())
        duration = float(spec.get("leaseDurationSeconds") or self._times.duration)
        return self._clock() - self._seen[1] > duration

    async def _renew(self) -> str | None:
        """Renew once, trying until the deadline; return why it is lost, or None."""
        while self._mine is not None:
            left = self.remaining() - (self._times.duration - self._times.renew_deadline)
            if left <= 0:
                return f"not renewed for {self._times.renew_deadline:.0f} s"
            sent = self._clock()
            try:
                async with asyncio.timeout(left):
                    return await self._renew_once(sent)
            except (OrchError, TimeoutError) as error:
                log.warning("lease.not_renewed", lease=self.name, why=str(error) or "no answer in time")
            await asyncio.sleep(min(self._times.retry, max(0.0, left)))
        return "given back"

    async def _renew_once(self, sent: float) -> str | None:
        assert self._mine is not None  # noqa: S101 -- for the type checker; `_renew` has looked
        spec = self._mine["spec"] | {"renewTime": micro_time()}
        try:
            self._won(await self._objects.update(self.namespace, self.name, self._mine | {"spec": spec}), sent)
        except (Conflict, KubeNotFound):
            current = await self._find()
            holder = ((current or {}).get("spec") or {}).get("holderIdentity")
            if self._is_rewound:
                return _REWOUND
            if current is None or holder != self.identity:
                return f"held by {holder!r} now" if current else "deleted by somebody"
            self._mine = current  # our own earlier write arrived although its answer did not, or metadata was edited
            raise
        return None

    def _won(self, document: Document, sent: float) -> None:
        self._note(document)
        self._mine = document
        self._until = sent + self._times.duration

    async def _find(self) -> Document | None:
        current = await self._objects.find(self.namespace, self.name)
        if current is not None:
            self._note(current)
        return current

    def _note(self, document: Document) -> None:
        """Versions grow over all that is stored (KEP-5504), and the server answers a GET with the newest."""
        version = int(document["metadata"]["resourceVersion"])
        self._is_rewound = self._is_rewound or version < self._newest
        self._newest = version

    def _spec(self, *, transitions: int) -> dict[str, Any]:
        now = micro_time()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": max(1, round(self._times.duration)),
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": transitions,
        }


def _unsure(left: Document) -> tuple[datetime, datetime] | None:
    """The span in which the last holder may have been cut short."""
    if not left.get("holderIdentity") or not left.get("renewTime"):
        return None
    return datetime.fromisoformat(str(left["renewTime"])), datetime.now(UTC)


def micro_time() -> str:
    """Now, as a Lease writes it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
