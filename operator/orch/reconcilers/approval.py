"""Approval: count people's decisions by quorum and expiry, and say what is lacking. Observe, decide (pure), write status."""

from __future__ import annotations

from datetime import timedelta

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import Approval, ApprovalOutcome, Missing
from orch.api.v1alpha1.reasons import ApprovalCondition, ApprovalReason
from orch.kube.store import Store
from orch.policy.approvals import count
from orch.ports import Clock
from orch.reconcilers.unreadable import find_readable
from orch.runtime.reconcile import Key, Result

_REASONS = {reason.value: reason for reason in ApprovalReason}


class ApprovalReconciler:
    """Settles one question as soon as enough people have answered, or its time is over."""

    plural = Approval.PLURAL

    def __init__(self, *, approvals: Store[Approval], clock: Clock) -> None:
        self._approvals = approvals
        self._clock = clock

    async def reconcile(self, key: Key) -> Result:
        """Count once; a settled Approval is never counted again."""
        approval = await find_readable(
            self._approvals, key.namespace, key.name, kind=ApprovalCondition.DECIDED, status="False", now=self._clock()
        )
        if approval is None or approval.metadata.deletion_timestamp is not None:
            return Result()
        if approval.status.outcome not in (None, ApprovalOutcome.PENDING):
            return Result()
        now, read = self._clock(), approval.deep_copy()
        tally = count(approval.spec, approval.status, policy=approval.spec.policy, now=now)
        approval.status.outcome = tally.outcome
        approval.status.decisions = list(tally.decisions)
        approval.status.missing = Missing(approvals=tally.missing)
        approval.status.decide_time, approval.status.valid_until = tally.decide_time, tally.valid_until
        approval.status.observed_generation = approval.metadata.generation or 0
        decided = tally.outcome is not ApprovalOutcome.PENDING
        reason = _REASONS[tally.outcome]
        set_condition(approval, ApprovalCondition.DECIDED, decided, reason, reason.meaning, now)
        await self._approvals.write_status(approval, read)
        return Result() if decided else Result(requeue_after=max(approval.spec.expire_time - now, timedelta(seconds=1)))
