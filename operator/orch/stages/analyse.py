"""Stage Analyse: a model says what the issue asks for and whether it can be done; policy decides whether it is taken."""

from __future__ import annotations

from orch.api.v1alpha1 import AnalysisStatus, IssuesSpec, Risk
from orch.api.work import Analysis, StepOutcome, StepStage
from orch.errors import PolicyDenied
from orch.policy.text import one_line
from orch.stages.base import learnt, pin_base
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.inputs import Order
from orch.stages.reports import refuse
from orch.stages.work import perform


async def analyse(ctx: RunContext) -> Outcome:
    """Pin the base commit, run the step, hold its answer against `spec.issues`, record it."""
    if ctx.run.status.analysis is not None:
        return Done()
    base = await pin_base(ctx)
    timeout = ctx.repo.spec.pipeline.timeouts.analyse
    order = Order(stage=StepStage.ANALYSE, head_sha=base, base_sha=base, timeout=timeout, feedback=learnt(ctx))
    report = await perform(ctx, order)
    if isinstance(report, Waiting):
        return report
    if report.outcome is not StepOutcome.DONE or report.analysis is None:
        raise refuse(report)
    ctx.run.status.analysis = AnalysisStatus(
        type=report.analysis.type.value,
        complexity=report.analysis.complexity,
        confidence_percent=report.analysis.confidence_percent,
        actionable=report.analysis.actionable,
        reason=one_line(report.analysis.reason, limit=1024),
        risk=Risk(report.analysis.risk) if report.analysis.risk else None,
    )
    refused = objection(report.analysis, ctx.repo.spec.issues)
    if refused is not None:
        raise refused
    return Done()


def objection(analysis: Analysis, spec: IssuesSpec) -> PolicyDenied | None:
    """Why policy does not take an issue with this analysis; None if it does."""
    why = one_line(analysis.reason, limit=400)
    if not analysis.actionable:
        return PolicyDenied("NotActionable", f"the issue does not say what to change: {why}")
    if spec.require_acceptance_criteria and not analysis.has_acceptance_criteria:
        return PolicyDenied("NoCriteria", f"the issue has no acceptance criteria, which this repository demands: {why}")
    if analysis.complexity > spec.max_complexity:
        return PolicyDenied(
            "TooComplex", f"complexity {analysis.complexity} is above the limit {spec.max_complexity}: {why}"
        )
    if analysis.confidence_percent < spec.min_confidence_percent:
        confidence = f"{analysis.confidence_percent} % is below the limit {spec.min_confidence_percent} %"
        return PolicyDenied("LowConfidence", f"confidence {confidence}: {why}")
    return None
