"""Stage Implement: an agent changes the code in a sandbox until lint and tests are green. What it gives back is data."""

from __future__ import annotations

from orch.api.v1alpha1 import Step, StepState
from orch.api.work import Feedback, StepOutcome, StepReport, StepStage
from orch.policy.text import cut, one_line, plain
from orch.stages.base import learnt, pin_base, replans
from orch.stages.contract import NOW, Again, Done, Outcome, RunContext, Waiting
from orch.stages.inputs import Order
from orch.stages.plan import plan_text
from orch.stages.reports import refuse
from orch.stages.work import perform, read_report, steps_of

CHANGING = (StepStage.IMPLEMENT, StepStage.CHECKS, StepStage.REVIEW, StepStage.CONFLICT)
"""Kinds of steps whose result is a change of the tree."""


async def implement(ctx: RunContext) -> Outcome:
    """Run implement steps until one is green; a red one consumes an attempt and teaches the next."""
    if latest_change(ctx) is not None:
        return Done()
    base = await pin_base(ctx)
    analysis = ctx.run.status.analysis
    order = Order(
        stage=StepStage.IMPLEMENT,
        head_sha=base,
        base_sha=base,
        timeout=ctx.repo.spec.pipeline.timeouts.implement,
        analysis=analysis.model_dump_json(exclude_none=True) if analysis else "",
        plan=await plan_text(ctx),
        feedback=(*learnt(ctx), *await _red(ctx)),
    )
    report = await perform(ctx, order)
    if isinstance(report, Waiting):
        return report
    attempts = ctx.run.status.attempts
    attempts.implement = (attempts.implement or 0) + 1
    attempts.test_fix = (attempts.test_fix or 0) + report.test_fixes
    if is_change(report):
        return Done()
    if report.outcome is StepOutcome.TESTS_RED and attempts.implement < ctx.repo.spec.pipeline.attempts.implement:
        return Waiting(None, "lint or tests are red: another attempt begins", NOW)
    if report.outcome is StepOutcome.REPLAN and len(replans(ctx)) == 1:
        ctx.run.status.plan = None  # once: the stage Plan is unfinished again, and knows why
        return Again()
    raise refuse(report)


def is_change(report: StepReport) -> bool:
    """Whether the step ended well and changed something."""
    return report.outcome is StepOutcome.DONE and report.change is not None


def latest_change(ctx: RunContext) -> Step | None:
    """The newest step that gave back a change."""
    kinds = tuple(f"-{stage.lower()}-" for stage in CHANGING)
    good = [
        step
        for step in ctx.run.status.steps
        if step.state is StepState.SUCCEEDED
        and step.reason == StepOutcome.DONE
        and any(kind in step.name for kind in kinds)
    ]
    return good[-1] if good else None


async def _red(ctx: RunContext) -> tuple[Feedback, ...]:
    """What the attempt before ended with: its failing commands."""
    ended = [step for step in steps_of(ctx.run, StepStage.IMPLEMENT) if step.reason == StepOutcome.TESTS_RED]
    if not ended:
        return ()
    report = await read_report(ctx, ended[-1])
    return tuple(
        Feedback(source=one_line(f"{ended[-1].name}: {test.command}", limit=1_000), text=cut(plain(test.tail), 8_000))
        for test in report.tests
        if test.exit_code
    )
