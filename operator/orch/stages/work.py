"""Work steps: started once by name, observed, their reports read as data. Used by the stages that ask a model for work.

`status.steps[]` is the memory: intended before the start, with the runner's uid after it. A step that was started and
is gone is `Lost`: the next number, no attempt consumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final

from orch.api.v1alpha1 import IssueRun, Step, StepState
from orch.api.work import BadDocument, StepInput, StepReport, StepStage, decode, encode
from orch.errors import NotFound, Terminal, Transient
from orch.policy.identity import step_place
from orch.policy.text import one_line
from orch.ports import StepState as RunnerState
from orch.ports import StepStatus
from orch.stages.contract import RunContext, Waiting
from orch.stages.inputs import Order, make_input, read_input
from orch.stages.limits import budget_limit
from orch.stages.reports import interrupted, parked

REPORT_LIMIT: Final = 4_000_000
STEP_FAILED: Final = "StepFailed"
_KEPT: Final = 20
_MOST_LOST: Final = 5
_MARGIN: Final = timedelta(minutes=2)
"""A ticket and a kill outlive the step's own limit by this much, so that it can still hand in its report."""


def steps_of(run: IssueRun, stage: StepStage) -> list[Step]:
    """The run's steps of one kind, oldest first."""
    return [step for step in run.status.steps if f"-{stage.lower()}-" in step.name]


def place(run: IssueRun, step: Step) -> str:
    """What the runner knows the step by."""
    return step_place(run.status.identity or "", step.name)


async def perform(ctx: RunContext, order: Order) -> StepReport | Waiting:
    """Start the next step of this kind, or go on with the running one; return its report when it has one."""
    steps = steps_of(ctx.run, order.stage)
    last = steps[-1] if steps else None
    if (wait := parked(ctx, last)) is not None:
        return wait
    if last is None or last.state not in (StepState.INTENDED, StepState.RUNNING):
        return await _start(ctx, order, number=_number(last) + 1)
    if last.runner_uid is None:
        return await _start(ctx, order, number=_number(last), known=last)
    status = await ctx.runner.observe(place(ctx.run, last), last.runner_uid)
    if status.state is RunnerState.RUNNING:
        return Waiting(None, f"step {last.name} runs", timedelta(seconds=30))
    return await _finish(ctx, last, status)


async def read_report(ctx: RunContext, step: Step) -> StepReport:
    """The report of a step that has succeeded. Raises Terminal if the artifact is gone or no report."""
    if step.output_digest is None:
        raise Terminal("ReportMissing", f"step {step.name} has no report")
    data = await ctx.artifacts.get(step.output_digest, limit=REPORT_LIMIT)
    try:
        return decode(data, StepReport)
    except BadDocument as err:
        raise Terminal("ReportUnreadable", f"step {step.name} gave back a report that breaks the contract") from err


def _number(step: Step | None) -> int:
    return int(step.name.rsplit("-", 1)[1]) if step else 0


async def _start(ctx: RunContext, order: Order, *, number: int, known: Step | None = None) -> Waiting:
    try:
        work = await read_input(ctx, known) if known is not None else await make_input(ctx, order, number)
    except NotFound:
        if known is None:
            raise
        return _lost(ctx, known)
    step = known or Step(
        name=work.name,
        state=StepState.INTENDED,
        stage=_printed(order.stage),
        attempt=number,
        runner=ctx.runner.kind,
        input_digest=await _keep(ctx, work),
        start_time=ctx.clock(),
    )
    if known is None:
        earlier = ctx.run.status.steps
        ctx.run.status.steps = [*earlier[-(_KEPT - 1) :], step]
        await ctx.save()
        await _forget_finished(ctx, earlier)
    deadline = timedelta(seconds=work.limits.seconds) + _MARGIN
    digest = step.input_digest or ""
    limit = budget_limit(ctx)
    ticket = ctx.meter.ticket(work, input_digest=digest, limit_usd=limit, expires=ctx.clock() + deadline)
    step.runner_uid = await ctx.runner.start(work, input_digest=digest, ticket=ticket, seconds=deadline.total_seconds())
    step.state = StepState.RUNNING
    return Waiting(None, f"step {step.name} runs", timedelta(seconds=30))


async def _keep(ctx: RunContext, work: StepInput) -> str:
    try:
        return await ctx.artifacts.put(encode(work))
    except BadDocument as err:
        raise Terminal("StepTooLarge", f"step {work.name} cannot be told all of it ({err}): split the issue") from err


async def _forget_finished(ctx: RunContext, steps: Sequence[Step]) -> None:
    """Only now, with their ends written: a write that meets a conflict has to find the report again, or it is paid twice."""
    for step in steps:
        if step.state not in (StepState.INTENDED, StepState.RUNNING):
            await ctx.runner.forget(place(ctx.run, step))


async def _finish(ctx: RunContext, step: Step, status: StepStatus) -> StepReport | Waiting:
    step.completion_time = ctx.clock()
    await record_usage(ctx, step)
    if status.state is RunnerState.GONE:
        return _lost(ctx, step)
    if status.state is RunnerState.FAILED or status.report is None:
        step.state, step.reason = StepState.FAILED, one_line(status.message or "NoReport", limit=128)
        raise Transient(STEP_FAILED, f"step {step.name} failed: {one_line(status.message, limit=400)}")
    step.output_digest = status.report
    try:
        report = await read_report(ctx, step)
    except Terminal as err:
        step.state, step.reason = StepState.FAILED, err.reason
        raise
    step.state, step.reason = StepState.SUCCEEDED, report.outcome.value
    return interrupted(ctx, step, report) or report


def _lost(ctx: RunContext, step: Step) -> Waiting:
    step.state, step.reason = StepState.LOST, "Lost"
    lost = sum(other.state is StepState.LOST for other in ctx.run.status.steps)
    if lost > _MOST_LOST:
        raise Terminal("StepsKeepVanishing", f"{lost} work steps vanished: check the node and the runner, then retry")
    return Waiting(None, f"step {step.name} has vanished: starting another", timedelta(seconds=1))


async def forsake(ctx: RunContext) -> None:
    """Give up the steps of an operator that is too old for us: their contract is not ours. The next number takes over."""
    for step in ctx.run.status.steps:
        if step.state in (StepState.INTENDED, StepState.RUNNING):
            if step.runner_uid is not None:
                await ctx.runner.cancel(place(ctx.run, step), step.runner_uid)
            step.state, step.reason, step.completion_time = StepState.LOST, "OtherVersion", ctx.clock()


async def record_usage(ctx: RunContext, step: Step | None = None) -> None:
    """Bring the gateway's figures into the run's status."""
    usage = await ctx.meter.usage(ctx.run.status.identity or "")
    into = ctx.run.status.usage
    into.model_calls, into.input_tokens, into.output_tokens = usage.model_calls, usage.input_tokens, usage.output_tokens
    into.cache_read_tokens, into.cache_write_tokens = usage.cache_read_tokens, usage.cache_write_tokens
    into.cost_usd, into.reserved_usd = usage.cost_usd, usage.reserved_usd
    if step is not None:
        step.cost_usd = usage.steps.get(step.name, Decimal(0))


def _printed(stage: StepStage) -> str:
    return {"Checks": "Checks", "Review": "Review", "Conflict": "Merge"}.get(stage.value, stage.value)
