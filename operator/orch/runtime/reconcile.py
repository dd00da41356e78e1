"""What the loop and a reconciler say to each other. Values and one Protocol.

Implemented in `orch.reconcilers`, called by the manager's workers only.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Protocol


class Key(NamedTuple):
    """Which object. Why it is due is unknown and does not matter. `namespace` is empty for a cluster-wide kind."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


@dataclass(frozen=True)
class Result:
    """What a reconcile leaves behind. Waiting is a value: None means until something happens."""

    requeue_after: timedelta | None = None
    """Look again after so long; zero or less means at once, behind what else is due."""


class Reconciler(Protocol):
    """Brings one object nearer to what its spec says. May be called at any time, twice, or after a crash anywhere;
    never twice at once for one key, and only by the operator that holds the lease."""

    @property
    def plural(self) -> str:
        """The name in logs and metrics."""
        ...

    async def reconcile(self, key: Key) -> Result:
        """Read the object afresh, observe, decide, act, write status once. Whatever it raises is tried again later."""
        ...
