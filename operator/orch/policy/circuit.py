"""The circuit breaker: after so many failed runs in a row a repository starts nothing new until a person says so.

Called by the OrchestratedRepo reconciler. A run that failed counts (attempts used up, tests red, set-up broken, a step lost);
one that was merged begins the row anew. What policy or people ended says nothing about whether runs can succeed: it neither
counts nor interrupts. Runs stand in the order in which they were created.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from orch.api.v1alpha1.orchestratedrepo import CircuitState, CircuitStatus


@dataclass(frozen=True)
class Ended:
    """A run that failed, or was merged."""

    created: datetime
    name: str
    failed: bool


def consecutive(ended: Iterable[Ended], since: datetime | None) -> int:
    """Failures since the newest merge, of runs that were created after `since`."""
    failures = 0
    for run in sorted(ended, key=lambda r: (r.created, r.name), reverse=True):
        if not run.failed or (since is not None and run.created <= since):
            break
        failures += 1
    return failures


def counted(circuit: CircuitStatus, ended: Iterable[Ended], *, limit: int, now: datetime) -> CircuitStatus:
    """The circuit after a count: it opens at the limit. An open one stays open, whoever deletes runs or raises the limit."""
    failures = consecutive(ended, circuit.reset_time)
    if circuit.state is CircuitState.OPEN:
        return circuit.model_copy(update={"consecutive_failures": max(failures, circuit.consecutive_failures)})
    opened = {"state": CircuitState.OPEN, "opened_time": now} if failures >= limit else {}
    return circuit.model_copy(update={"consecutive_failures": failures, **opened})


def resumed(circuit: CircuitStatus, asked: str | None, *, now: datetime) -> CircuitStatus:
    """The circuit after a look at what people ask: a value that was not seen before closes it and counts from now."""
    if asked is None or asked == circuit.last_handled_reset_at:
        return circuit
    return CircuitStatus(reset_time=now, last_handled_reset_at=asked)
