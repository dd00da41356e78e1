"""How much goes on at once in one repository, and who is next.

Called by the queue stage and the repository's reconciler. Counts come from an assumed state: what was just started
counts, though no watch has told of it, so that a cap holds when many runs become ready at once. Fairness across
repositories is the work queue's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from orch.api.v1alpha1.orchestratedrepo_intake import ConcurrencySpec


@dataclass(frozen=True)
class Load:
    """What is going on in a repository."""

    active: int = 0
    """Runs between their start and their pull request."""
    open_pulls: int = 0
    """Open pull requests of ours."""
    started_last_day: int = 0
    """Runs that started within the last 24 hours."""


@dataclass(frozen=True)
class Queued:
    """A run that waits for a slot. `by_person`: asked for by a person, not by a label."""

    name: str
    created: datetime
    by_person: bool = False


def full(spec: ConcurrencySpec, load: Load) -> str | None:
    """Which cap leaves no slot for one more run; None if there is a slot."""
    if load.active >= spec.max_active_runs:
        return f"{load.active} runs are active, concurrency.maxActiveRuns is {spec.max_active_runs}"
    if load.active + load.open_pulls >= spec.max_open_pull_requests:
        # an active run becomes a pull request: it takes its place already
        return (
            f"{load.open_pulls} pull requests are open and {load.active} runs on their way, "
            f"concurrency.maxOpenPullRequests is {spec.max_open_pull_requests}"
        )
    if load.started_last_day >= spec.max_runs_per_day:
        return f"{load.started_last_day} runs started within 24 hours, maxRunsPerDay is {spec.max_runs_per_day}"
    return None


def issue_is_exhausted(spec: ConcurrencySpec, *, runs_of_issue: int) -> bool:
    """Whether orch may not start another run for an issue by itself. A person may ask for more."""
    return runs_of_issue >= spec.max_runs_per_issue


def order(queue: Iterable[Queued]) -> list[Queued]:
    """People's requests first, then the oldest."""
    return sorted(queue, key=lambda run: (not run.by_person, run.created, run.name))


def admitted(queue: Iterable[Queued], spec: ConcurrencySpec, load: Load) -> Sequence[str]:
    """The names that may start now, in order, as many as the caps leave room for."""
    names: list[str] = []
    for run in order(queue):
        if full(spec, load) is not None:
            break
        names.append(run.name)
        load = replace(load, active=load.active + 1, started_last_day=load.started_last_day + 1)
    return names
