"""How much goes on at once in one repository.

Called by the queue stage and the repository's reconciler. Counts come from an assumed state: what was just started
counts, though no watch has told of it, so that a cap holds when many runs become ready at once.
"""

from __future__ import annotations

from dataclasses import dataclass

from orch.api.v1alpha1.orchestratedrepo_intake import ConcurrencySpec


@dataclass(frozen=True)
class Load:
    """What is going on in a repository."""

    active: int = 0
    """Runs between their start and their pull request."""
    open_pulls: int = 0
    """Open pull requests of ours."""


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
    return None


def process_full(active: int, most: int, *, before: int = 0) -> str | None:
    """Whether the operator as a whole has no slot for one more run. `active` as in `Load`, over all repositories; `before`:
    how many wait whose repositories hold fewer slots."""
    if active >= most:
        return f"{active} runs are active in all repositories, the operator takes {most}"
    if active + before >= most:
        return f"the operator takes {most} runs, and the free slots are for repositories with fewer active ones"
    return None


def issue_is_exhausted(spec: ConcurrencySpec, *, runs_of_issue: int) -> bool:
    """Whether orch may not start another run for an issue by itself. A person may ask for more."""
    return runs_of_issue >= spec.max_runs_per_issue
