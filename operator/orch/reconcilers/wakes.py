"""Which objects a change of another kind concerns. Values and caches only; `main` hangs these between the watches and the queues."""

from __future__ import annotations

from typing import Any

from orch.reconcilers.index import RunIndex
from orch.reconcilers.projections import BY_RUN, ApprovalProjection, RepoProjection, RunProjection
from orch.runtime.cache import Cache, Change
from orch.runtime.reconcile import Key


def repo_of_run(change: Change[RunProjection]) -> list[Key]:
    """A repository counts its runs, so it is woken when a figure of one changes, not at every write."""
    old, new = change.old, change.new
    run = new or old
    if run is None or (old is not None and new is not None and _figures(old) == _figures(new)):
        return []
    return [Key(run.namespace, run.repo)]


def _figures(run: RunProjection) -> tuple[Any, ...]:
    return run.started, run.has_pull, run.finished, run.waiting


def run_of_approval(change: Change[ApprovalProjection]) -> list[Key]:
    """The run that a question is about, once its answers are counted: an answer alone tells it nothing, and a look at GitHub
    for its sake would be under way when the count comes."""
    old, new = change.old, change.new
    approval = new or old
    if approval is None or (old is not None and new is not None and _standing(old) == _standing(new)):
        return []
    return [Key(change.key.namespace, approval.run)]


def _standing(approval: ApprovalProjection) -> tuple[str, ...]:
    return approval.run, approval.outcome, approval.lacks


def questions_of_run(approvals: Cache[ApprovalProjection], change: Change[RunProjection]) -> list[Key]:
    """A run went on, or ended: its open questions may be about something that has moved."""
    found = approvals.indexed(BY_RUN, f"{change.key.namespace}/{change.key.name}")
    return [Key(approval.namespace, approval.name) for approval in found if approval.is_open]


def runs_of_repo(index: RunIndex, change: Change[RepoProjection]) -> list[Key]:
    """A changed policy, a suspension, a credential that works again: every run looks again. Not when the repository has only
    counted them, which it does each time that one goes on."""
    if change.old == change.new:
        return []
    return [Key(run.namespace, run.name) for run in index.named(change.key.namespace, change.key.name)]
