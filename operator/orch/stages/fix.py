"""Fixes of a published branch: a red check, a review that asks for changes, a conflict with the base branch.

All three are a work step on our head; its change goes through Guard and Publish like the first one, because the facts
of those stages are keyed by the head. Out of attempts, a person is asked.
"""

from __future__ import annotations

from datetime import timedelta

from orch.api.v1alpha1 import Step, StepState
from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import Feedback, StepOutcome, StepStage
from orch.errors import OrchError
from orch.policy.text import one_line
from orch.stages.base import branch
from orch.stages.contract import Again, Outcome, RunContext, Waiting
from orch.stages.implement import is_change
from orch.stages.inputs import Order, read_input
from orch.stages.plan import plan_text
from orch.stages.reports import is_parked
from orch.stages.work import perform, steps_of

_OUTDATED = "Outdated"
_COUNTERS = {StepStage.CHECKS: "checks_fix", StepStage.REVIEW: "review_fix", StepStage.CONFLICT: "conflict_fix"}


def starts(ctx: RunContext, stage: StepStage) -> bool:
    """Whether `fix` would start a step now: only then is its feedback read, so only then is it worth a request."""
    used = getattr(ctx.run.status.attempts, _COUNTERS[stage]) or 0
    allowed = getattr(ctx.repo.spec.pipeline.attempts, _COUNTERS[stage])
    return not _is_running(ctx, stage) and (_goes_on(ctx, stage) or used < allowed)


def _newest(ctx: RunContext, stage: StepStage) -> Step | None:
    steps = steps_of(ctx.run, stage)
    return steps[-1] if steps else None


def _is_running(ctx: RunContext, stage: StepStage) -> bool:
    step = _newest(ctx, stage)
    return step is not None and step.state in (StepState.INTENDED, StepState.RUNNING)


def _goes_on(ctx: RunContext, stage: StepStage) -> bool:
    """Whether the next step only replaces one that was lost, cut short by money or overtaken: that is the same attempt."""
    step = _newest(ctx, stage)
    return step is not None and (step.state is StepState.LOST or step.reason == _OUTDATED or is_parked(step))


async def fix(
    ctx: RunContext, stage: StepStage, feedback: tuple[Feedback, ...], *, merge_sha: str | None = None
) -> Outcome:
    """Run one fix step; Again when it made a change. The attempt counts when the step starts, so a crash gives no free one."""
    counter = _COUNTERS[stage]
    used = getattr(ctx.run.status.attempts, counter) or 0
    allowed = getattr(ctx.repo.spec.pipeline.attempts, counter)
    counts = not _is_running(ctx, stage) and not _goes_on(ctx, stage)
    if counts and used >= allowed:
        what = "; ".join(one_line(item.source, limit=100) for item in feedback[:5])
        ways = f"push a fix and kubectl orch resume {ctx.run.metadata.name} --adopt, close the PR, or cancel"
        message = f"{used} of {allowed} {stage.value.lower()} fixes are used up ({what}): {ways}"
        return Waiting(WaitingReason.AWAITING_HUMAN, message, timedelta(minutes=1))
    record = branch(ctx)
    order = Order(
        stage=stage,
        head_sha=record.head_sha or "",
        base_sha=record.base_sha or "",
        merge_sha=merge_sha,
        timeout=ctx.repo.spec.pipeline.timeouts.implement,
        plan=await plan_text(ctx),
        feedback=feedback,
    )
    before = _newest(ctx, stage)
    if counts:
        setattr(ctx.run.status.attempts, counter, used + 1)  # saved together with the step that it counts
    try:
        report = await perform(ctx, order)
    except OrchError:
        if _newest(ctx, stage) is before:  # nothing was started
            setattr(ctx.run.status.attempts, counter, used)
        raise
    if isinstance(report, Waiting):
        return report
    step = _newest(ctx, stage)
    if step is not None and (await read_input(ctx, step)).head_sha != record.head_sha:
        step.reason = _OUTDATED  # its tree lacks what our branch has gained since, and would take that back
        return Waiting(None, f"our branch moved while step {step.name} ran: looking again", timedelta(seconds=1))
    if is_change(report):
        return Again()
    why = one_line(report.message, limit=300) or report.outcome.value
    if report.outcome in (StepOutcome.TESTS_RED, StepOutcome.NOTHING_TO_DO, StepOutcome.LIMIT, StepOutcome.BAD_ANSWER):
        return Waiting(None, f"a {stage.value.lower()} fix did not work ({why}): looking again", timedelta(seconds=1))
    return Waiting(WaitingReason.AWAITING_HUMAN, f"a {stage.value.lower()} fix ended: {why}", timedelta(minutes=5))
