"""Admission of runs to slots. The watch lags behind our own writes, so what was just admitted is assumed until it is seen."""

from __future__ import annotations

from typing import Final

from orch.api.v1alpha1 import IssueRun, OrchestratedRepo
from orch.policy.capacity import Load, full, process_full
from orch.reconcilers.index import RunIndex
from orch.reconcilers.projections import RunProjection
from orch.runtime.cache import Change
from orch.runtime.reconcile import Key

_WOKEN: Final = 4
"""Waiting runs that look again when a slot becomes free. One would do if it took the slot for certain; all of them, in a
queue of hundreds, would ask hundreds of times for one slot."""


class AssumedSlots:
    """Counts active runs (admitted, no pull request yet) and open pull requests, of a repository and of the operator."""

    def __init__(self, runs: RunIndex, most: int) -> None:
        """`most`: active runs of all repositories together."""
        self._runs, self._most = runs, most
        self._assumed: set[Key] = set()

    def admit(self, run: IssueRun, repo: OrchestratedRepo) -> str | None:
        """None: the run has a slot. Else which limit is reached. Synchronous on purpose: no other admission comes between."""
        key = Key(repo.metadata.namespace or "", run.metadata.name)
        known = {_key(found): found for found in self._runs.all() if not found.finished}
        self._assumed = {other for other in self._assumed if other in known and not known[other].started}
        active = self._assumed | {other for other, found in known.items() if found.started and not found.has_pull}
        active.discard(key)
        mine = {_key(found) for found in self._runs.of_repo(repo)}
        pulls = sum(known[other].has_pull for other in mine if other in known)
        reached = full(repo.spec.concurrency, Load(active=len(active & mine), open_pulls=pulls))
        reached = reached or process_full(len(active), self._most)
        if reached is None:
            self._assumed.add(key)
        return reached


def next_in_line(runs: RunIndex, change: Change[RunProjection]) -> list[Key]:
    """The runs that a change gives a chance: it ended a run or gave it a pull request, so a slot is free. Oldest first, of
    its own repository and of all."""
    run = change.new or change.old
    if run is None or (change.new is not None and not (change.new.finished or change.new.has_pull)):
        return []
    waiting = sorted((found for found in runs.all() if found.waiting == "QueueFull"), key=lambda found: found.created)
    siblings = [found for found in waiting if (found.namespace, found.repo) == (run.namespace, run.repo)]
    return list(dict.fromkeys(_key(found) for found in [*siblings[:_WOKEN], *waiting[:_WOKEN]]))


def _key(run: RunProjection) -> Key:
    return Key(run.namespace, run.name)
