"""How a run ends: what it holds is let go, people are told on the issue, then the outcome is written, once and for good.

Used by the IssueRun reconciler alone. The failure is recorded first, so that a crash in the middle goes on ending.
"""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.conditions import remove_condition, set_condition
from orch.api.v1alpha1 import (
    FailureClass,
    FailureStatus,
    IssueRun,
    OrchestratedRepo,
    RunStage,
    StepState,
)
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason
from orch.errors import Cancelled, OrchError, Terminal
from orch.kube.store import Store
from orch.policy.render import one_line
from orch.ports import WorkRunner
from orch.reconcilers.context import Contexts, RunWriter
from orch.reconcilers.projections import FINALIZER, TERMINAL_LABEL
from orch.reconcilers.totals import ending
from orch.runtime.reconcile import Result
from orch.stages.contract import RunContext
from orch.stages.gates import withdraw
from orch.stages.merge_queue import leave
from orch.stages.publish import find_lost_pull
from orch.stages.signs import show_end
from orch.stages.sticky import refresh_sticky
from orch.stages.work import place, record_usage

_BOUND: Final = timedelta(minutes=5)
"""A deletion waits at most this long for GitHub, then lets go."""
_SETTLED: Final = timedelta(seconds=45)
"""The gateway learns within 30 s what a call has cost that nobody waits for, or charges its reserve."""
_LOOK_AGAIN: Final = timedelta(seconds=2)


async def end(ctx: RunContext, err: OrchError | None) -> timedelta | None:
    """Let go, tell, and write the outcome; when to look again if that is not all yet. May raise RateLimited or Transient:
    the next reconcile goes on here."""
    status = ctx.run.status
    if err is not None and status.failure is None:
        status.failure = FailureStatus(
            class_=FailureClass(err.failure_class),
            reason=err.reason[:128],
            message=one_line(err.message, limit=1024),
            stage=status.stage,
        )
        await ctx.save()
    if status.identity is not None:
        rest = await _leave_queue(ctx)
        if rest is not None:
            return rest
        await _let_go(ctx)
        await withdraw(ctx)
        rest = await show_end(ctx, by_us=_is_by_us(ctx))
        if rest is not None:
            return rest
        await _if_allowed(ctx, "comment", refresh_sticky(ctx))
    if _is_money_open(ctx):
        return _LOOK_AGAIN
    _conclude(ctx)
    return None


def _is_money_open(ctx: RunContext) -> bool:
    """Whether a call of a step that was cut short is still in the gateway's hands: a run that has ended is not written again,
    so its figures have to be whole before."""
    ends = [step.completion_time for step in ctx.run.status.steps if step.completion_time is not None]
    if ctx.run.status.usage.reserved_usd == 0 or not ends:
        return False
    return ctx.clock() - max(ends) < _SETTLED


async def tidy(runs: Store[IssueRun], contexts: Contexts, run: IssueRun, repo: OrchestratedRepo | None) -> Result:
    """A run that has ended, or is being deleted: label it as terminal, release the finalizer."""
    deleted = run.metadata.deletion_timestamp
    contexts.trail.saw_run(run)
    if deleted is not None and run.status.completion_time is None:
        late = contexts.clock() - deleted > _BOUND
        ended = await _end_deleted(runs, contexts, run, repo)
        if not (ended or late):
            return Result(requeue_after=timedelta(seconds=10))
    finalizers = [name for name in run.metadata.finalizers if name != FINALIZER]
    outcome = ending(run)
    if run.metadata.labels.get(TERMINAL_LABEL) == outcome and finalizers == run.metadata.finalizers:
        return Result()
    await runs.patch_metadata(run, labels={TERMINAL_LABEL: outcome}, finalizers=finalizers)
    return Result()


async def _end_deleted(runs: Store[IssueRun], contexts: Contexts, run: IssueRun, repo: OrchestratedRepo | None) -> bool:
    """End a run that is being deleted as a cancelled one; False when GitHub did not let us yet."""
    writer = RunWriter(runs, run, contexts.recorder, contexts.trail)
    await _stop(contexts.runner, run, contexts.clock())  # whatever GitHub says, nothing of it goes on
    if repo is None:
        return True
    try:
        ctx = await contexts.open(run, repo, writer)
        rest = await end(ctx, Cancelled("Deleted", "the IssueRun was deleted"))
    except OrchError:
        return False
    await writer.save()
    return rest is None


async def _let_go(ctx: RunContext) -> None:
    """Stop what runs, book what it cost, and remove a branch that never became a pull request."""
    await _stop(ctx.runner, ctx.run, ctx.clock())
    await record_usage(ctx)
    if ctx.run.status.failure is None:
        return
    await find_lost_pull(ctx)
    branch, pull = ctx.run.status.branch, ctx.run.status.pull_request
    # a push that was only intended may have happened
    pushed = any(effect.key.startswith("push/") for effect in ctx.run.status.effects)
    is_ours = branch is not None and not branch.taken_over and branch.adopted is None
    if branch is not None and is_ours and pushed and pull is None:
        await _if_allowed(ctx, "delete-branch", ctx.forge.delete_branch(branch.name or ""))


async def _leave_queue(ctx: RunContext) -> timedelta | None:
    """GitHub must not merge what has ended otherwise. When to look again; None: it is out, or there is nothing to take out of."""
    try:
        left = await leave(ctx)
    except Terminal as err:
        ctx.lines(AuditEvent.FAREWELL_REFUSED, {"act": "dequeue", "why": err.message})
        return None
    return left.retry_after if left is not None else None


async def _stop(runner: WorkRunner, run: IssueRun, now: datetime) -> None:
    for step in run.status.steps:
        if step.state in (StepState.INTENDED, StepState.RUNNING):
            if step.runner_uid is not None:
                await runner.cancel(place(run, step), step.runner_uid)
            step.state, step.completion_time = StepState.CANCELLED, now
        await runner.forget(place(run, step))


async def _if_allowed(ctx: RunContext, what: str, act: Awaitable[None]) -> None:
    """A last act that the host refuses for good (the issue is gone, the branch is protected) does not keep a run from ending."""
    try:
        await act
    except Terminal as err:
        ctx.lines(AuditEvent.FAREWELL_REFUSED, {"act": what, "why": err.message})


def _is_by_us(ctx: RunContext) -> bool:
    """Whether a merge that happened was ours."""
    return any(effect.key.startswith("merge/") for effect in ctx.run.status.effects)


def _conclude(ctx: RunContext) -> None:
    status, now = ctx.run.status, ctx.clock()
    if status.failure is None:
        reason = IssueRunReason.MERGED if _is_by_us(ctx) else IssueRunReason.MERGED_EXTERNALLY
        pull = status.pull_request
        text = f"#{pull.number} is merged" if pull else "the pull request is merged"
        set_condition(ctx.run, IssueRunCondition.SUCCEEDED, True, reason, text, now)
        status.stage = RunStage.DONE
    else:
        set_condition(ctx.run, IssueRunCondition.SUCCEEDED, False, status.failure.reason, status.failure.message, now)
    remove_condition(ctx.run, IssueRunCondition.WAITING)
    status.next_attempt_time = None
    status.completion_time = now
