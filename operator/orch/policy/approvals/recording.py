"""A count, written into an Approval's status with the sentence that people read. Called by whoever counted."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from orch.api.conditions import set_condition
from orch.api.v1alpha1.approval import Approval, Missing
from orch.api.v1alpha1.reasons import ApprovalCondition, ApprovalReason
from orch.api.v1alpha1.vocabulary import ApprovalOutcome
from orch.policy.approvals.counting import NOT_ENFORCED, Count, is_decided

_REASONS: Final = {reason.value: reason for reason in ApprovalReason}


def record(approval: Approval, tally: Count, now: datetime) -> None:
    """Bring the status to what was counted. A question that is open again has not been used."""
    status = approval.status
    status.outcome, status.decisions, status.missing = tally.outcome, list(tally.decisions), tally.missing
    status.decisions_omitted = 0
    status.decide_time, status.valid_until = tally.decide_time, tally.valid_until
    status.observed_generation = approval.metadata.generation or 0
    if not is_decided(status):
        status.consumed_time = None
    reason, message = _words(tally)
    set_condition(approval, ApprovalCondition.DECIDED, is_decided(status), reason, message, now)


def supersede(approval: Approval, why: str, now: datetime) -> None:
    """Close a question whose subject is not what it was."""
    approval.status.outcome, approval.status.decide_time = ApprovalOutcome.SUPERSEDED, now
    set_condition(approval, ApprovalCondition.DECIDED, True, ApprovalReason.SUPERSEDED, why, now)


def lacks(missing: Missing) -> str:
    """What still has to come, for people: `2 approvals, one of them of group security`."""
    number = f"{missing.approvals} approval{'' if missing.approvals == 1 else 's'}"
    if not missing.groups:
        return number
    groups = ", ".join(missing.groups)
    return f"{number}, of group{'' if len(missing.groups) == 1 else 's'} {groups}"


def _words(tally: Count) -> tuple[ApprovalReason, str]:
    if tally.outcome is not ApprovalOutcome.PENDING:
        reason = _REASONS[tally.outcome]
        return reason, reason.meaning
    if any(decision.reason == NOT_ENFORCED for decision in tally.decisions):
        return ApprovalReason.NOT_ENFORCED, ApprovalReason.NOT_ENFORCED.meaning
    return ApprovalReason.PENDING, f"lacks {lacks(tally.missing)}"
