"""What stages keep in the cluster beside the run: Approvals, documents for people, RollbackPoints. Creates adopt what is ours."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Final

from orch.api.v1alpha1 import Approval, IssueRun, OwnerReference, RollbackPoint
from orch.errors import Terminal
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists
from orch.kube.owners import controller_reference
from orch.kube.resource import Resource
from orch.kube.secrets import create_immutable
from orch.kube.store import Store
from orch.policy.approvals import Count
from orch.policy.fitting import fit
from orch.policy.guards.sizes import SHOWN
from orch.reconcilers.counting import Counting
from orch.reconcilers.projections import REPO_LABEL, RUN_LABEL
from orch.reconcilers.trail import Trail

_DOCUMENT_LIMIT: Final = SHOWN
"""What is longer is cut, and says so: a plan's or a report's words; a diff that long is refused, see the guard of sizes."""


class ClusterRecords:
    """Implements the stages' Records for one namespace."""

    def __init__(self, kube: Kube, namespace: str, counting: Counting, trail: Trail) -> None:
        self._kube = kube
        self._counting = counting
        self._trail = trail
        self._namespace = namespace
        self._approvals = Store(kube, Approval)
        self._points = Store(kube, RollbackPoint)

    async def find_approval(self, name: str) -> Approval | None:
        return await self._approvals.find(self._namespace, name)

    async def approvals(self, run: IssueRun, gate: str) -> list[Approval]:
        labels = f"{RUN_LABEL}={run.metadata.name},orch.dev/gate={gate}"
        found = await self._approvals.list(self._namespace, labels=labels)
        return [approval for approval in found if approval.spec.target.uid == run.metadata.uid]

    async def ask(self, approval: Approval, run: IssueRun) -> Approval:
        approval.metadata.owner_references = [OwnerReference.model_validate(_owner(run))]
        try:
            return await self._approvals.create(approval)
        except AlreadyExists:
            found = await self._approvals.get(self._namespace, approval.metadata.name)
            if found.spec.target.uid == run.metadata.uid:
                return found
        # of an earlier run of this name, which is gone: its answers are no answers to this one
        await self._approvals.delete(found)
        return await self._approvals.create(approval)

    async def count(self, approval: Approval) -> Count:
        return await self._counting.count(approval)

    async def write_outcome(self, approval: Approval, previous: Approval) -> None:
        fit(approval)
        await self._approvals.write_status(approval, previous)
        self._trail.wrote_approval(previous, approval)

    async def keep_document(self, run: IssueRun, name: str, texts: Mapping[str, str]) -> str:
        full = f"{run.metadata.name}-{name}"
        labels = {RUN_LABEL: run.metadata.name, REPO_LABEL: run.spec.repository_ref.name}
        cut = {key: _cut(text).encode() for key, text in texts.items()}
        keep = partial(create_immutable, self._kube, self._namespace, labels=labels, owner=_owner(run))
        try:
            await keep(full, cut)
        except AlreadyExists:
            # Of an earlier run of this name, until it is collected; or of a look that was cut short before the base moved.
            full = f"{full}-{_digest(run, cut)}"
            await keep(full, cut)
        return full

    async def record_rollback_point(self, point: RollbackPoint) -> None:
        try:
            await self._points.create(point)
        except AlreadyExists:
            found = await self._points.get(self._namespace, point.metadata.name)
            if found.spec.merge.sha != point.spec.merge.sha:
                text = f"RollbackPoint {point.metadata.name} records another merge: rename or delete it"
                raise Terminal("NameTaken", text) from None


def _owner(run: IssueRun) -> dict[str, object]:
    return controller_reference(Resource.of(IssueRun), run.metadata.name, run.metadata.uid or "")


def _digest(run: IssueRun, texts: Mapping[str, bytes]) -> str:
    parts = [part for key in sorted(texts) for part in (key.encode(), texts[key])]
    return hashlib.sha256(b"\0".join([(run.metadata.uid or "").encode(), *parts])).hexdigest()[:8]


def _cut(text: str) -> str:
    data = text.encode()
    if len(data) <= _DOCUMENT_LIMIT:
        return text
    return data[:_DOCUMENT_LIMIT].decode(errors="ignore") + "\n… cut here\n"
