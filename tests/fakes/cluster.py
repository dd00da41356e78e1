"""What stages keep in the cluster, in memory: `orch.stages.contract` Records and Slots."""

from __future__ import annotations

from collections.abc import Mapping

from tests.fakes.acts import Acts

from orch.api.v1alpha1 import Approval, ApprovalOutcome, IssueRun, Missing, OrchestratedRepo, RollbackPoint
from orch.policy.approvals import Count


class FakeRecords:
    """The cluster's objects beside the run."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self.asked: dict[str, Approval] = {}
        self.documents: dict[str, dict[str, str]] = {}
        self.points: dict[str, RollbackPoint] = {}
        self.lapsed: set[str] = set()
        """Approvals whose people have lost the verb."""

    async def find_approval(self, name: str) -> Approval | None:
        found = self.asked.get(name)
        return found.deep_copy() if found is not None else None

    async def approvals(self, run: IssueRun, gate: str) -> list[Approval]:
        return [found.deep_copy() for found in self.asked.values() if found.spec.gate.value == gate]

    async def ask(self, approval: Approval, run: IssueRun) -> Approval:
        def act() -> Approval:
            found = self.asked.get(approval.metadata.name)
            if found is None or found.spec.target.uid != run.metadata.uid:
                self.asked[approval.metadata.name] = approval.deep_copy()
            return self.asked[approval.metadata.name].deep_copy()

        return self._acts.do("ask", act)

    async def count(self, approval: Approval) -> Count:
        status = approval.status
        if approval.metadata.name in self.lapsed:
            return Count(ApprovalOutcome.PENDING, missing=Missing(approvals=1))
        outcome = status.outcome or ApprovalOutcome.PENDING
        return Count(outcome, tuple(status.decisions), Missing(), status.decide_time, status.valid_until)

    async def write_outcome(self, approval: Approval, previous: Approval) -> None:
        self.asked[approval.metadata.name] = approval.deep_copy()

    async def keep_document(self, run: IssueRun, name: str, texts: Mapping[str, str]) -> str:
        full = f"{run.metadata.name}-{name}"
        while self.documents.setdefault(full, dict(texts)) != dict(texts):  # documents are immutable
            full += "-anew"
        return full

    async def record_rollback_point(self, point: RollbackPoint) -> None:
        self._acts.do("record_rollback_point", lambda: self.points.setdefault(point.metadata.name, point))


class FakeSlots:
    """Admits everybody while `full` is None."""

    full: str | None = None

    def admit(self, run: IssueRun, repo: OrchestratedRepo) -> str | None:
        return self.full


class Enforced:
    """Whether admission protects decisions, as a test says: `orch.reconcilers.counting.Enforcement`."""

    is_on = True

    async def enforced(self, namespace: str) -> bool:
        return self.is_on
