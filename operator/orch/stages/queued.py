"""Stage Queued: the run waits for its repository and for a free slot. The object's name is the idempotency key."""

from __future__ import annotations

from datetime import timedelta

from orch.api.conditions import is_true, set_condition
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, OrchestratedRepoCondition, WaitingReason
from orch.policy.identity import run_identity
from orch.stages.contract import Done, Outcome, RunContext, Waiting


async def queued(ctx: RunContext) -> Outcome:
    """Admit the run. An admitted run keeps its slot until it has a pull request or has ended."""
    status = ctx.run.status
    if status.start_time is not None:
        return Done()
    if not is_true(ctx.repo, OrchestratedRepoCondition.READY) or ctx.repo.status.repository is None:
        why = f"OrchestratedRepo {ctx.repo.metadata.name} is not Ready: kubectl describe orepo {ctx.repo.metadata.name}"
        return Waiting(None, why, timedelta(seconds=30))
    full = ctx.slots.admit(ctx.run, ctx.repo)
    if full is not None:
        return Waiting(WaitingReason.QUEUE_FULL, full, timedelta(seconds=60))
    status.identity = run_identity(
        installation=ctx.installation,
        host=ctx.repo.spec.host,
        repository_id=ctx.repo.status.repository.id,
        issue=ctx.run.spec.issue_number,
        attempt=ctx.run.spec.attempt,
    )
    status.start_time = ctx.clock()
    set_condition(ctx.run, IssueRunCondition.ACCEPTED, True, IssueRunReason.ADMITTED, "the run has a slot", ctx.clock())
    return Done()
