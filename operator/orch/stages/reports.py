"""What a step's outcome means for the run: wait, try again, or end with a reason that a person can act on."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orch.api.v1alpha1 import Step
from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import StepOutcome, StepReport
from orch.errors import NeedsHuman, OrchError, Terminal, Transient
from orch.policy.text import one_line
from orch.stages.contract import RunContext, Waiting
from orch.stages.limits import budget_limit

_PARKED: Final = "BudgetExhausted/"

_ENDS: Final[dict[StepOutcome, tuple[type[OrchError], str, str]]] = {
    StepOutcome.NOTHING_TO_DO: (
        Terminal,
        "NothingChanged",
        "the model changed nothing: say in the issue what is to change",
    ),
    StepOutcome.REPLAN: (Terminal, "PlanWrong", "the plan proved wrong: retry, or say more in the issue"),
    StepOutcome.LIMIT: (
        Terminal,
        "LimitReached",
        "turns, time or output were used up: split the issue, or raise pipeline.timeouts",
    ),
    StepOutcome.SETUP_FAILED: (NeedsHuman, "SetupFailed", "a command of pipeline.setup failed: mend it, then retry"),
    StepOutcome.BAD_ANSWER: (Terminal, "BadAnswer", "the model gave no usable answer: retry, or choose another model"),
    StepOutcome.MODEL_REFUSED: (
        NeedsHuman,
        "ModelRefused",
        "the gateway refuses the call: check spec.model.name and the prices",
    ),
    StepOutcome.TESTS_RED: (Terminal, "TestsRed", "lint or tests were still red at the end"),
}


def refuse(report: StepReport) -> OrchError:
    """The failure that ends the run after a report without a result."""
    kind, reason, advice = _ENDS.get(report.outcome, (Terminal, "NoResult", "the step gave back no result"))
    detail = one_line(report.message, limit=400)
    return kind(reason, f"{advice} ({detail})" if detail else advice)


def interrupted(ctx: RunContext, step: Step, report: StepReport) -> Waiting | None:
    """Waiting when the step was cut short by money; raises Transient when by the model service. None: it ended by itself."""
    if report.outcome is StepOutcome.BUDGET:
        step.reason = f"{_PARKED}{budget_limit(ctx)}"
        return parked(ctx, step)
    if report.outcome is StepOutcome.MODEL_UNAVAILABLE:
        raise Transient("ModelUnavailable", f"the model service did not answer: {one_line(report.message, limit=400)}")
    return None


def is_parked(step: Step) -> bool:
    """Whether the step was cut short by money."""
    return (step.reason or "").startswith(_PARKED)


def parked(ctx: RunContext, step: Step | None) -> Waiting | None:
    """Waiting while the run's budget is the one that was already too small for its last step."""
    if step is None or not is_parked(step):
        return None
    limit = budget_limit(ctx)
    if str(limit) != (step.reason or "").removeprefix(_PARKED):
        return None
    spent = ctx.run.status.usage.cost_usd
    message = (
        f"{spent} of {limit} USD are spent and the next call may cost more: raise spec.budget.perRunUSD, or cancel"
    )
    return Waiting(WaitingReason.BUDGET_EXHAUSTED, message, timedelta(minutes=5))
