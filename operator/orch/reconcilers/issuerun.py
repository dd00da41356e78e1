"""IssueRun: one attempt to bring one issue to a merged pull request. A pipeline of stages, looked at from the start each time.

Called by the manager's queue with a key; why it was woken is unknown and does not matter. It never calls a model and
never waits for one.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from orch.api.conditions import find_condition, set_condition
from orch.api.v1alpha1 import FailureClass, IssueRun, OrchestratedRepo, RunStage, StepState
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason
from orch.errors import (
    BudgetExhausted,
    CredentialsRefused,
    HeadMoved,
    LeaseEnding,
    Lost,
    NotFound,
    OrchError,
    RateLimited,
    Terminal,
    Transient,
    WrongRepository,
)
from orch.failpoints import occasion
from orch.kube.errors import KubeError
from orch.kube.store import Store
from orch.policy.retries import delay
from orch.reconcilers.context import Contexts, RunWriter
from orch.reconcilers.ending import end, tidy
from orch.reconcilers.occasions import tell_occasion
from orch.reconcilers.projections import FINALIZER, ISSUE_LABEL, REPO_LABEL
from orch.reconcilers.unreadable import find_readable
from orch.runtime.reconcile import Key, Result
from orch.stages import PIPELINE, Again, Done, RunContext, Waiting, interference
from orch.stages.interference import is_merged, must_see_repository
from orch.stages.merge_queue import leave
from orch.stages.pacing import SOONEST
from orch.stages.signs import show
from orch.stages.work import STEP_FAILED

_ROUNDS: Final = 4
"""How often one reconcile goes through the pipeline anew because a fact moved. More would starve others."""
_LOOK_AGAIN: Final = timedelta(minutes=5)


class IssueRunReconciler:
    """Brings one IssueRun nearer to done."""

    plural = IssueRun.PLURAL

    def __init__(self, *, runs: Store[IssueRun], repos: Store[OrchestratedRepo], contexts: Contexts) -> None:
        self._runs = runs
        self._repos = repos
        self._contexts = contexts

    async def reconcile(self, key: Key) -> Result:
        """Observe, act, write status at most once more than effects need. Raises KubeError: the queue backs off."""
        run = await find_readable(
            self._runs,
            key.namespace,
            key.name,
            kind=IssueRunCondition.SUCCEEDED,
            status="Unknown",
            now=self._contexts.clock(),
        )
        if run is None:
            return Result()
        repo = await self._repos.find(key.namespace, run.spec.repository_ref.name)
        is_over = run.status.completion_time is not None or run.metadata.deletion_timestamp is not None
        if not is_over:
            self._contexts.trail.saw_run(run)
            run = await self._adopt(run, repo)
        with occasion(partial(tell_occasion, run)):
            return await (tidy(self._runs, self._contexts, run, repo) if is_over else self._bring_nearer(run, repo))

    async def _bring_nearer(self, run: IssueRun, repo: OrchestratedRepo | None) -> Result:
        writer = RunWriter(self._runs, run, self._contexts.recorder, self._contexts.trail)
        outcome = await self._observe(run, repo, writer)
        run.status.observed_generation = run.metadata.generation or 0
        run.status.last_handled_reconcile_at = run.metadata.annotations.get("orch.dev/requestedAt")
        await writer.save()
        if run.status.completion_time is not None:
            return await tidy(self._runs, self._contexts, run, repo)
        return Result(requeue_after=outcome)

    async def _adopt(self, run: IssueRun, repo: OrchestratedRepo | None) -> IssueRun:
        """The finalizer and the labels that people select by; a run that a person created has neither."""
        labels = {REPO_LABEL: run.spec.repository_ref.name, ISSUE_LABEL: str(run.spec.issue_number)}
        if FINALIZER in run.metadata.finalizers and labels.items() <= run.metadata.labels.items():
            return run
        finalizers = [*run.metadata.finalizers, FINALIZER] if FINALIZER not in run.metadata.finalizers else None
        return await self._runs.patch_metadata(run, labels=labels, finalizers=finalizers)

    async def _observe(self, run: IssueRun, repo: OrchestratedRepo | None, writer: RunWriter) -> timedelta | None:
        now = self._contexts.clock()
        if repo is None:
            text = f"OrchestratedRepo {run.spec.repository_ref.name} does not exist in this namespace"
            return _show(run, Waiting(WaitingReason.AWAITING_HUMAN, text, _LOOK_AGAIN), self._contexts.clock())
        ctx: RunContext | None = None
        try:
            ctx = await self._contexts.open(run, repo, writer)
            if run.status.failure is not None:
                return await end(ctx, None)
            _check_time(ctx)
            outcome = await interference(ctx) or await _walk(ctx)
            outcome = await leave(ctx) or outcome
            _recovered(run)
            if isinstance(outcome, Done):
                return await end(ctx, None)
            rest = _show(run, outcome, now)
            return _sooner(rest, await show(ctx, outcome))
        except KubeError:
            raise
        except OrchError as err:
            return await self._fail(run, ctx, err)

    async def _fail(self, run: IssueRun, ctx: RunContext | None, err: OrchError) -> timedelta | None:
        """What the loop does with a failure: wait, try again, or end the run with its reason."""
        waiting = _pause(run, err, self._contexts.clock())
        if waiting is not None:
            return _show(run, waiting, self._contexts.clock())
        if ctx is None:
            text = f"{err.message}: correct the OrchestratedRepo, or cancel the run"
            return _show(run, Waiting(WaitingReason.AWAITING_HUMAN, text, _LOOK_AGAIN), self._contexts.clock())
        try:
            if isinstance(err, NotFound):
                await must_see_repository(ctx)
            return await end(ctx, _final(err))
        except KubeError:
            raise
        except OrchError as late:  # the end itself meets a limit: the failure is recorded, the rest follows
            rest = _pause(run, late, self._contexts.clock()) or Waiting(None, late.message, _LOOK_AGAIN)
            return _show(run, rest, self._contexts.clock())


def _sooner(one: timedelta | None, other: timedelta | None) -> timedelta | None:
    return min((rest for rest in (one, other) if rest is not None), default=None)


def _pause(run: IssueRun, err: OrchError, now: datetime) -> Waiting | None:
    """How long a failure that passes is waited for; None: this one ends the run."""
    match err:
        case RateLimited():
            return Waiting(WaitingReason.RATE_LIMITED, err.message, max(err.retry_at - now, timedelta(seconds=1)))
        case CredentialsRefused() | HeadMoved() | WrongRepository():
            return Waiting(WaitingReason.AWAITING_HUMAN, err.message, _LOOK_AGAIN)
        case BudgetExhausted():
            return Waiting(WaitingReason.BUDGET_EXHAUSTED, err.message, _LOOK_AGAIN)
        case Lost():
            return Waiting(None, err.message, timedelta(seconds=1))
        case LeaseEnding():
            return Waiting(None, err.message, SOONEST)
        case Transient() if _is_early(run, err, now):
            # An event woke it before the next attempt was due, and what failed has not passed yet: the same attempt still.
            rest = (run.status.next_attempt_time or now) - now
            return Waiting(None, f"trying again: {err.message}", min(rest, _LOOK_AGAIN))
        case Transient():
            attempt = run.status.attempts.transient + 1
            pause = delay(FailureClass.TRANSIENT, attempt, key=f"{run.metadata.namespace}/{run.metadata.name}")
            if pause is None and is_merged(run):  # what is merged has not failed, however long the rest takes
                return Waiting(None, f"trying again: {err.message}", _LOOK_AGAIN)
            if pause is None:
                return None
            run.status.attempts.transient = attempt
            run.status.next_attempt_time = now + pause
            return Waiting(None, f"trying again: {err.message}", pause)
        case _:
            return None


def _is_early(run: IssueRun, err: Transient, now: datetime) -> bool:
    """Whether a failure is only seen once more. A step that failed was an attempt of its own, and may have cost money."""
    due = run.status.next_attempt_time
    return due is not None and now < due and err.reason != STEP_FAILED


def _recovered(run: IssueRun) -> None:
    """Failures count in a row. A step that was only started anew is no success yet: it may fail as the one before."""
    if not any(step.state in (StepState.INTENDED, StepState.RUNNING) for step in run.status.steps):
        run.status.attempts.transient, run.status.next_attempt_time = 0, None


def _final(err: OrchError) -> OrchError:
    if isinstance(err, Transient):
        return Terminal("AttemptsExhausted", f"it kept failing for a reason that should pass: {err.message}")
    return err


async def _walk(ctx: RunContext) -> Done | Waiting:
    """Go through the pipeline until a stage waits; start anew when a stage says that an earlier fact has moved."""
    for _ in range(_ROUNDS):
        outcome = await _first_unfinished(ctx)
        if isinstance(outcome, Waiting) and outcome.reason is None and outcome.retry_after == timedelta(0):
            continue
        if not isinstance(outcome, Again):
            return outcome
    return Waiting(None, "going on", timedelta(0))


async def _first_unfinished(ctx: RunContext) -> Done | Again | Waiting:
    for stage in PIPELINE:
        ctx.run.status.stage = RunStage(stage.__name__.title())
        outcome = await stage(ctx)
        if not isinstance(outcome, Done):
            return outcome
    return Done()


def _check_time(ctx: RunContext) -> None:
    started, limit = ctx.run.status.start_time, ctx.repo.spec.pipeline.timeouts.run
    if started is not None and ctx.clock() - started > limit:
        raise Terminal("TimedOut", "the run took longer than spec.pipeline.timeouts.run")


def _show(run: IssueRun, outcome: Waiting, now: datetime) -> timedelta | None:
    """Conditions for people: what it waits for. The texts are stable, so that waiting writes nothing."""
    set_condition(run, IssueRunCondition.SUCCEEDED, None, IssueRunReason.PROGRESSING, outcome.message, now)
    if outcome.reason is not None:
        set_condition(run, IssueRunCondition.WAITING, True, outcome.reason, outcome.message, now)
    elif find_condition(run, IssueRunCondition.WAITING) is not None:
        set_condition(run, IssueRunCondition.WAITING, False, IssueRunReason.NOT_WAITING, "orch is at work", now)
    return outcome.retry_after
