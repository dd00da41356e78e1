"""Kubernetes Events on an object, for `kubectl describe`: said once, not at each reconcile.

Called by reconcilers and by the manager when a reconcile raises. It never raises and never waits on anything but its
own request: an Event is a courtesy, and status is the record.
"""

from __future__ import annotations

import hashlib
import socket
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import structlog

from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists
from orch.kube.objects import Objects
from orch.kube.resource import EVENTS, Resource

NOTE_LIMIT: Final = 1024
"""Characters; the limit of `note` in events.k8s.io/v1."""

REMEMBERED: Final = 4096
"""Events that are known to be said already. The name is a digest, so a forgotten one is refused by the server."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Regarding:
    """The object that an Event is about."""

    resource: Resource
    namespace: str
    name: str
    uid: str = ""

    def __str__(self) -> str:
        return f"{self.resource.name} {self.namespace}/{self.name}"


class Recorder:
    """Writes Events under one component name."""

    def __init__(self, kube: Kube, component: str = "orch", *, clock: Callable[[], datetime] | None = None) -> None:
        self._objects = Objects(kube, EVENTS)
        self._component = component
        self._instance = socket.gethostname()[:128] or component
        self._clock = clock or (lambda: datetime.now(UTC))
        self._said: OrderedDict[str, None] = OrderedDict()

    async def normal(self, about: Regarding, reason: str, note: str, *, action: str = "Reconcile") -> None:
        """Something worth knowing happened."""
        await self._record("Normal", about, reason, note, action)

    async def warning(self, about: Regarding, reason: str, note: str, *, action: str = "Reconcile") -> None:
        """Something is wrong that a person may want to look at."""
        await self._record("Warning", about, reason, note, action)

    async def _record(self, kind: str, about: Regarding, reason: str, note: str, action: str) -> None:
        name = _event_name(kind, about, reason, note)
        if name in self._said:
            self._said.move_to_end(name)
            return
        self._said[name] = None
        while len(self._said) > REMEMBERED:
            self._said.popitem(last=False)
        try:
            await self._objects.create(about.namespace, self._document(name, kind, about, reason, note, action))
        except AlreadyExists:
            return  # said before a restart; the server keeps Events for an hour and then it may be said again
        except OrchError as error:
            self._said.pop(name, None)
            log.warning("event.not_recorded", reason=reason, on=str(about), why=error.message)
        except Exception:  # a closed connection during the stop, say: the caller is in the middle of something else
            self._said.pop(name, None)
            log.exception("event.not_recorded", reason=reason, on=str(about))

    def _document(
        self, name: str, kind: str, about: Regarding, reason: str, note: str, action: str
    ) -> dict[str, object]:
        regarding = {
            "apiVersion": about.resource.api_version,
            "kind": about.resource.kind,
            "namespace": about.namespace,
            "name": about.name,
        }
        if about.uid:
            regarding["uid"] = about.uid
        return {
            "metadata": {"name": name},
            "eventTime": self._clock().strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": f"orch.dev/{self._component}",
            "reportingInstance": self._instance,
            "action": action,
            "reason": reason,
            "regarding": regarding,
            "note": note[:NOTE_LIMIT],
            "type": kind,
        }


def _event_name(kind: str, about: Regarding, reason: str, note: str) -> str:
    text = "\0".join((kind, about.resource.name, about.uid, about.name, reason, note))
    return f"{about.name[:200]}.{hashlib.sha256(text.encode()).hexdigest()[:16]}"
