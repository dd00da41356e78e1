"""Stage Plan: a model plans the change; people approve the plan where a gate asks. The plan's digest is its identity."""

from __future__ import annotations

import json
from typing import Final

import msgspec

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import Gate, PlanStatus
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason
from orch.api.work import Feedback, Plan, StepOutcome, StepStage
from orch.errors import Terminal
from orch.policy.fitting import shortened
from orch.policy.guards.sizes import SHOWN
from orch.policy.risk import assess
from orch.policy.text import cut, one_line, plain
from orch.stages.base import learnt, pin_base, replans
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.documents import keep
from orch.stages.gates import Question, ask
from orch.stages.inputs import INPUT_LIMIT, Order
from orch.stages.reports import refuse
from orch.stages.work import perform, read_report, steps_of

_MOST_FILES: Final = 50


async def plan(ctx: RunContext) -> Outcome:
    """Run the step, keep the plan as an artifact, and wait for its approval."""
    if ctx.run.status.plan is None:
        base = await pin_base(ctx)
        analysis = ctx.run.status.analysis
        order = Order(
            stage=StepStage.PLAN,
            head_sha=base,
            base_sha=base,
            timeout=ctx.repo.spec.pipeline.timeouts.plan,
            analysis=analysis.model_dump_json(exclude_none=True) if analysis else "",
            feedback=(*learnt(ctx), *await _refuted(ctx)),
        )
        report = await perform(ctx, order)
        if isinstance(report, Waiting):
            return report
        if report.outcome is not StepOutcome.DONE or report.plan is None:
            raise refuse(report)
        await _record(ctx, report.plan)
    answer = await ask(ctx, _question(ctx))
    if isinstance(answer, Done):
        set_condition(ctx.run, IssueRunCondition.PLANNED, True, IssueRunReason.PLANNED, "the plan stands", ctx.clock())
    return answer


async def plan_text(ctx: RunContext) -> str:
    """The plan as the model gave it, for the next step's prompt."""
    digest = ctx.run.status.plan.digest if ctx.run.status.plan else None
    return (await ctx.artifacts.get(digest, limit=INPUT_LIMIT)).decode(errors="replace") if digest else ""


def plan_document(ctx: RunContext) -> str:
    """`plan-<n>`: what the n-th plan step gave back. Documents are immutable, so a new plan needs a new name."""
    return f"plan-{steps_of(ctx.run, StepStage.PLAN)[-1].attempt}"


async def _refuted(ctx: RunContext) -> tuple[Feedback, ...]:
    """Why the plan before this one proved wrong."""
    return tuple(
        [
            Feedback(source=step.name, text=cut(plain((await read_report(ctx, step)).message), 8_000))
            for step in replans(ctx)
        ]
    )


async def _record(ctx: RunContext, made: Plan) -> None:
    issue = ctx.run.status.issue
    # the snapshot is part of it: an answer given for the old text of an issue never stands for the new one
    told = {"issue": issue.content_digest if issue else None, **msgspec.to_builtins(made)}
    document = json.dumps(told, indent=2, ensure_ascii=False)
    if (size := len(document.encode())) > SHOWN:
        raise Terminal("ChangeTooLarge", f"the plan is {size} bytes, people can be shown {SHOWN}: split the issue")
    kept = await keep(ctx, plan_document(ctx), "plan.json", document)
    ctx.run.status.plan = PlanStatus(
        digest=await ctx.artifacts.put(document.encode()),
        summary=one_line(made.summary, limit=1024),
        files=shortened([one_line(path, limit=256) for path in made.files], _MOST_FILES),
        confidence_percent=made.confidence_percent,
        artifact=kept,
    )


def _question(ctx: RunContext) -> Question:
    stated, analysis = ctx.run.status.plan, ctx.run.status.analysis
    risk = assess(None, analysis=analysis)
    return Question(
        gate=Gate.PLAN,
        title=f"Plan for issue #{ctx.run.spec.issue_number}",
        facts={"plan_digest": stated.digest if stated else None},
        paths=lambda: _named(stated),
        risk=risk.risk,
        risk_reasons=risk.reasons,
        artifact=stated.artifact.name if stated and stated.artifact else None,
    )


async def _named(stated: PlanStatus | None) -> list[str] | None:
    """The paths that the plan names; None where the list leaves some out, which its last entry then says."""
    whole = stated is not None and not any(path.startswith("… and ") for path in stated.files)
    return stated.files if stated is not None and whole else None
