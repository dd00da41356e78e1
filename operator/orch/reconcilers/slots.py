"""Admission of runs to slots. The watch lags behind our own writes, so what was just admitted is assumed until it is seen."""

from __future__ import annotations

from collections import Counter
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


Repo = tuple[str, str]
"""Namespace and name of an OrchestratedRepo."""


class AssumedSlots:
    """Counts active runs (admitted, no pull request yet) and open pull requests, of a repository and of the operator.

    Where the operator is full, a free slot is for the repository that holds the fewest (max-min fairness): one with hundreds of
    issues does not keep another with a single one waiting."""

    def __init__(self, runs: RunIndex, most: int) -> None:
        """`most`: active runs of all repositories together."""
        self._runs, self._most = runs, most
        self._assumed: set[Key] = set()
        self._refused: set[Key] = set()
        """Runs that wait for the operator alone: their repository has room. Forgotten by a restart, after which all ask again."""

    def admit(self, run: IssueRun, repo: OrchestratedRepo) -> str | None:
        """None: the run has a slot. Else which limit is reached. Synchronous on purpose: no other admission comes between."""
        key = Key(repo.metadata.namespace or "", run.metadata.name)
        known = {_key(found): found for found in self._runs.all() if not found.finished}
        self._assumed = {other for other in self._assumed if other in known and not known[other].started}
        self._refused = {other for other in self._refused if _may_wait(known.get(other))} - {key}
        active = self._assumed | {other for other, found in known.items() if found.started and not found.has_pull}
        active.discard(key)
        mine = {_key(found) for found in self._runs.of_repo(repo)}
        pulls = sum(known[other].has_pull for other in mine if other in known)
        reached = full(repo.spec.concurrency, Load(active=len(active & mine), open_pulls=pulls))
        if reached is not None:
            return reached
        held = Counter(_repo(known[other]) for other in active if other in known)
        before = sum(held[_repo(known[other])] < len(active & mine) for other in self._refused)
        reached = process_full(len(active), self._most, before=before)
        (self._assumed if reached is None else self._refused).add(key)
        return reached


def next_in_line(runs: RunIndex, change: Change[RunProjection]) -> list[Key]:
    """The runs that a change gives a chance: it ended a run or gave it a pull request, so a slot is free. The oldest of its
    own repository, and one of each repository that waits, of those first that hold the fewest slots."""
    run = change.new or change.old
    if run is None or (change.new is not None and not (change.new.finished or change.new.has_pull)):
        return []
    everything = runs.all()
    waiting = sorted((found for found in everything if found.waiting == "QueueFull"), key=lambda found: found.created)
    siblings = [found for found in waiting if _repo(found) == _repo(run)]
    held = Counter(_repo(found) for found in everything if found.started and not found.has_pull and not found.finished)
    oldest = {_repo(found): found for found in reversed(waiting)}
    fair = sorted(oldest.values(), key=lambda found: (held[_repo(found)], found.created))
    return list(dict.fromkeys(_key(found) for found in [*siblings[:_WOKEN], *fair[:_WOKEN]]))


def _may_wait(run: RunProjection | None) -> bool:
    """Not for a person who suspended it, say. The watch may not have shown yet that it waits at all."""
    return run is not None and not run.started and run.waiting in ("", "QueueFull")


def _repo(run: RunProjection) -> Repo:
    return run.namespace, run.repo


def _key(run: RunProjection) -> Key:
    return Key(run.namespace, run.name)
