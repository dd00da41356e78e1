"""Approval: count people's decisions, say what is lacking, close a question that nobody needs an answer to any more."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orch.api.v1alpha1 import Approval, Gate, IssueRun
from orch.api.v1alpha1.reasons import ApprovalCondition
from orch.kube.store import Store
from orch.policy.approvals import LOOK_AGAIN, is_decided, record, supersede
from orch.policy.fitting import fit
from orch.ports import Clock
from orch.reconcilers.counting import Counting
from orch.reconcilers.trail import Trail
from orch.reconcilers.unreadable import find_readable
from orch.runtime.reconcile import Key, Result

_OF_A_CHANGE: Final = (Gate.PUBLISH, Gate.MERGE)


class ApprovalReconciler:
    """Settles one question as soon as enough people have answered, its time is over, or its subject has moved."""

    plural = Approval.PLURAL

    def __init__(
        self, *, approvals: Store[Approval], runs: Store[IssueRun], counting: Counting, clock: Clock, trail: Trail
    ) -> None:
        self._approvals = approvals
        self._runs = runs
        self._counting = counting
        self._clock = clock
        self._trail = trail

    async def reconcile(self, key: Key) -> Result:
        """Observe, count, write status if it changed. What is settled is never counted again here. Raises KubeError."""
        approval = await find_readable(
            self._approvals, key.namespace, key.name, kind=ApprovalCondition.DECIDED, status="False", now=self._clock()
        )
        if approval is None:
            return Result()
        self._trail.saw_approval(approval)
        if approval.metadata.deletion_timestamp is not None or is_decided(approval.status):
            return Result()
        read = approval.deep_copy()
        why = await self._moved(approval)
        if why is not None:
            supersede(approval, why, self._clock())
            await self._write(approval, read)
            return Result()
        tally = await self._counting.count(approval)
        now = self._clock()
        record(approval, tally, now)
        await self._write(approval, read)
        if is_decided(approval.status):
            return Result()
        rest = max(approval.spec.expire_time - now, timedelta(seconds=1))
        return Result(requeue_after=min(rest, LOOK_AGAIN) if tally.may_change else rest)

    async def _write(self, approval: Approval, read: Approval) -> None:
        fit(approval)
        await self._approvals.write_status(approval, read)
        self._trail.wrote_approval(read, approval)

    async def _moved(self, approval: Approval) -> str | None:
        """Why nobody needs the answer any more. Only what the run has written after it asked says so: a question that was
        just asked is ahead of the run's status."""
        target = approval.spec.target
        run = await self._runs.find(approval.metadata.namespace or "", target.name)
        if run is None or run.metadata.uid != target.uid:
            return f"IssueRun {target.name} is gone"
        if run.status.completion_time is not None:
            return f"IssueRun {target.name} is over"
        branch, change = run.status.branch, run.status.change
        if branch is None or change is None or approval.spec.gate not in _OF_A_CHANGE:
            return None
        if branch.taken_over:
            return "somebody else has pushed to the branch"
        noted = any(entry.name == approval.metadata.name for entry in run.status.approvals)
        if noted and change.head_sha not in (None, approval.spec.subject.head_sha):
            return "what was asked about has moved"
        return None
