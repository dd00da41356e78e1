"""One namespace with an OrchestratedRepo, a run, its question, and people with and without the verb. Holds no test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from hack.world.server import Server
from tests.builders import a_repo, a_run, an_approval, digest, sha
from tests.fakes.acts import Crash
from tests.fakes.cluster import Enforced

from orch.api.audit import AuditEvent
from orch.api.effective import policy_digest
from orch.api.v1alpha1 import (
    Approval,
    ApprovalOutcome,
    ApprovalStatus,
    BranchStatus,
    ChangeStatus,
    Gate,
    GateApproval,
    IssueRun,
    OrchestratedRepo,
    Requester,
    Risk,
)
from orch.kube.client import Kube
from orch.kube.store import Store
from orch.policy.approvals import Situation, applied, approval_name, subject
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.counting import LOGINS, Counting
from orch.reconcilers.trail import Span, Trail
from orch.runtime.reconcile import Key, Result

RBAC = "rbac.authorization.k8s.io"


class Court:
    """The objects on the real server, and the reconciler around them."""

    def __init__(self, kube: Kube, server: Server, namespace: str, began: datetime) -> None:
        self.server, self.namespace, self.now = server, namespace, began
        self.approvals, self.runs = Store(kube, Approval), Store(kube, IssueRun)
        self.repos, self.admission = Store(kube, OrchestratedRepo), Enforced()
        self.counting = Counting(
            kube, self.repos, enforcement=self.admission, operator_namespace=namespace, clock=lambda: self.now
        )
        self.lines: list[dict[str, Any]] = []
        self.name, self.dies_before_it_tells = "", False
        self.start()

    def start(self, unsure: Span | None = None) -> None:
        """A new process; `unsure`: the span in which the one before it died."""
        self._reconciler = ApprovalReconciler(
            approvals=self.approvals,
            runs=self.runs,
            counting=self.counting,
            clock=lambda: self.now,
            trail=Trail(self._tell, lambda: unsure),
        )

    def _tell(self, event: AuditEvent, fields: Mapping[str, object]) -> None:
        if self.dies_before_it_tells:
            raise Crash
        self.lines.append({"event": event.value, **fields})

    def told(self) -> list[str]:
        """The names of the audit lines so far."""
        return [line["event"] for line in self.lines]

    async def open(self, *, by: Requester | None = None, **approvals: Any) -> None:
        """A repository with this policy, a run, and the question whether it may be merged. It has no owner, so that nobody
        collects it while a test looks."""
        repo = a_repo(approvals=approvals)
        repo.metadata.namespace, repo.metadata.resource_version = self.namespace, None
        self.repo = await self.repos.create(repo)
        run = a_run()
        run.metadata.namespace, run.metadata.resource_version = self.namespace, None
        self.run = await self.runs.create(run)
        asked = subject(
            repository="acme/web",
            issue_number=7,
            head_sha=sha("head"),
            change_digest=digest("change"),
            policy_digest=policy_digest(self.repo.spec),
        )
        question = an_approval(
            subject=asked,
            policy=applied(self.repo.spec.approvals, Situation(gate=Gate.MERGE, risk=Risk.LOW)),
            target={"kind": "IssueRun", "name": self.run.metadata.name, "uid": self.run.metadata.uid},
            expire_time=self.now + timedelta(hours=24),
            **({"requester": by} if by else {}),
        )
        question.metadata.namespace, question.status = self.namespace, ApprovalStatus()
        question.metadata.name = self.name = approval_name(self.run.metadata.name, Gate.MERGE, asked)
        await self.approvals.create(question)

    def let_approve(self, *, users: Sequence[str] = (), groups: Sequence[str] = ()) -> None:
        """Bind the verb `approve` to these, and to nobody else."""
        subjects = [
            {"apiGroup": RBAC, "kind": kind, "name": name}
            for kind, names in (("User", users), ("Group", groups))
            for name in names
        ]
        role = {"apiGroup": RBAC, "kind": "Role", "name": "may-approve"}
        rules = [{"apiGroups": ["orch.dev"], "resources": ["approvals"], "verbs": ["approve"]}]
        self._apply("Role", "may-approve", {"rules": rules})
        self._apply("RoleBinding", "may-approve", {"roleRef": role, "subjects": subjects})

    def map_logins(self, **names: str) -> None:
        """Who is who on the code host: login to user names, one a line."""
        self._apply("ConfigMap", LOGINS, {"data": names}, version="v1")

    def decide(self, user: str, verdict: str = "Approve", *groups: str) -> None:
        """Somebody's answer, as it is stored once admission has let it pass."""
        decision = {"verdict": verdict, "groups": list(groups)} if groups else {"verdict": verdict}
        self._patch("approvals", self.name, {"spec": {"decisions": {user: decision}}})

    def withdraw(self, user: str) -> None:
        self._patch("approvals", self.name, {"spec": {"decisions": {user: None}}})

    async def set_policy(self, **approvals: Any) -> None:
        self._patch("orchestratedrepos", "web", {"spec": {"approvals": approvals}})

    async def run_goes_on(self, **status: Any) -> None:
        """The run writes its status."""
        read = await self.runs.get(self.namespace, self.run.metadata.name)
        changed = read.deep_copy()
        changed.status.identity = "0123456789abcdef"
        for name, value in status.items():
            setattr(changed.status, name, value)
        await self.runs.write_status(changed, read)

    async def note(self, head: str, **branch: Any) -> None:
        """The run has written that it asked this question, and where its branch is."""
        note = GateApproval(gate=Gate.MERGE, name=self.name, outcome=ApprovalOutcome.PENDING)
        await self.run_goes_on(
            approvals=[note],
            change=ChangeStatus(digest=digest("change"), head_sha=head, risk=Risk.LOW),
            branch=BranchStatus(head_sha=head, **branch),
        )

    async def reconcile(self) -> Result:
        """The reconciler looks once."""
        return await self._reconciler.reconcile(Key(self.namespace, self.name))

    async def status(self) -> ApprovalStatus:
        """What it says after a look."""
        await self.reconcile()
        return (await self.approvals.get(self.namespace, self.name)).status

    async def outcome(self) -> ApprovalOutcome | None:
        return (await self.status()).outcome

    def forward(self, **span: int) -> None:
        self.now += timedelta(**span)

    def _patch(self, plural: str, name: str, change: dict[str, Any]) -> None:
        self.server.patch(plural, name, self.namespace, change)

    def _apply(self, kind: str, name: str, body: dict[str, Any], *, version: str = f"{RBAC}/v1") -> None:
        document = {
            "apiVersion": version,
            "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace},
            **body,
        }
        self.server.apply(document)
