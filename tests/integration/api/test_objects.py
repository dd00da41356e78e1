"""Objects of the models on the real server: what is written is read back, and what a person sees of it."""

from datetime import UTC, datetime
from decimal import Decimal

from kubernetes.aio.client import ApiClient, CustomObjectsApi
from tests.cluster import Kubectl
from tests.integration.api.documents import SAMPLES, sample
from tests.integration.api.server import Server

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import (
    GROUP,
    VERSION,
    AnalysisStatus,
    Approval,
    ApprovalOutcome,
    Artifact,
    ArtifactKind,
    ArtifactRef,
    BranchStatus,
    ChangeStatus,
    ChecksState,
    ChecksStatus,
    Effect,
    EffectState,
    FailureClass,
    FailureStatus,
    Finding,
    Gate,
    GateApproval,
    Guard,
    GuardAction,
    IssueRun,
    IssueStatus,
    IssueType,
    LocalRef,
    OrchestratedRepo,
    PlanStatus,
    PullRequestState,
    PullRequestStatus,
    Risk,
    RollbackPoint,
    Runner,
    RunStage,
    Step,
    StepState,
)
from orch.api.v1alpha1.reasons import IssueRunCondition, WaitingReason

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
SHA, DIGEST = "1" * 40, "sha256:" + "2" * 64


async def test_the_server_fills_in_the_defaults_of_the_models(api: ApiClient, namespace: str) -> None:
    repo = OrchestratedRepo.model_validate(await Server(api, namespace).create(sample("minimal")))
    assert repo.dump()["spec"] == OrchestratedRepo.model_validate(sample("minimal")).dump()["spec"]
    assert repo.status.observed_generation == -1
    assert repo.metadata.uid
    assert repo.metadata.generation == 1


async def test_what_the_models_write_is_accepted_as_it_is(api: ApiClient, namespace: str) -> None:
    server = Server(api, namespace)
    for kind, name in (
        (OrchestratedRepo, "full"),
        (IssueRun, "issuerun"),
        (Approval, "approval"),
        (RollbackPoint, "rollbackpoint"),
    ):
        written = kind.model_validate(sample(name))
        stored = kind.model_validate(await server.create(written.dump()))
        assert stored.dump()["spec"] == written.dump()["spec"]


async def test_a_full_status_survives(api: ApiClient, namespace: str) -> None:
    run = IssueRun.model_validate(await Server(api, namespace).create(sample("issuerun")))
    _fill(run)
    objects = CustomObjectsApi(api)
    written = await objects.replace_namespaced_custom_object_status(
        GROUP, VERSION, namespace, IssueRun.PLURAL, run.metadata.name, run.dump(), field_validation="Strict"
    )
    stored = IssueRun.model_validate(written)
    assert stored.status == run.status
    assert stored.dump()["status"] == written["status"] == run.dump()["status"]


def _fill(run: IssueRun) -> None:
    """Every field of the status."""
    status = run.status
    set_condition(run, IssueRunCondition.WAITING, True, WaitingReason.AWAITING_APPROVAL, "lacks 2 approvals", NOW)
    status.observed_generation, status.last_handled_reconcile_at = 1, "2026-11-22T10:00:00Z"
    status.identity, status.stage, status.worker_version = "5d0c1f6a9b3e4c27", RunStage.MERGE, "0.1.0"
    status.start_time = status.completion_time = status.next_attempt_time = NOW
    status.issue = IssueStatus(
        title="t", url="u", author="octocat", author_permission="Write", content_digest=DIGEST, content_time=NOW
    )
    status.analysis = AnalysisStatus(
        type=IssueType.BUG, complexity=4, confidence_percent=86, actionable=True, reason="clear"
    )
    artifact = ArtifactRef(kind=ArtifactKind.CONFIG_MAP, name="plan", key="plan.md", digest=DIGEST, size_bytes=2913)
    status.plan = PlanStatus(digest=DIGEST, summary="s", files=["a.py"], confidence_percent=80, artifact=artifact)
    status.branch = BranchStatus(
        name="orch/7-5d0c1f6a", base_branch="main", base_sha=SHA, head_sha=SHA, expected_sha=SHA, taken_over=True
    )
    finding = Finding(
        guard=Guard.WORKFLOWS, action=GuardAction.APPROVE, path="AGENTS.md", message="an instruction file"
    )
    status.change = ChangeStatus(
        step="s", digest=DIGEST, files=1, additions=2, deletions=3, risk=Risk.HIGH, findings=[finding]
    )
    status.pull_request = PullRequestStatus(
        number=456, url="u", state=PullRequestState.MERGED, head_sha=SHA, merge_sha=SHA
    )
    status.checks = ChecksStatus(
        head_sha=SHA, state=ChecksState.FAILED, passed=1, pending=2, failed=1, failing=["build"]
    )
    status.approvals = [GateApproval(gate=Gate.MERGE, name="a", outcome=ApprovalOutcome.PENDING)]
    status.attempts.implement = 1
    status.steps = [
        Step(
            name="s",
            state=StepState.SUCCEEDED,
            stage=RunStage.IMPLEMENT,
            attempt=1,
            runner=Runner.SUBPROCESS,
            runner_uid="41",
            input_digest=DIGEST,
            output_digest=DIGEST,
            start_time=NOW,
            completion_time=NOW,
            reason="Done",
            cost_usd=Decimal("0.84"),
        )
    ]
    status.effects = [Effect(key="pull-request", state=EffectState.DONE, digest=DIGEST, observed="456", time=NOW)]
    status.usage.model_calls, status.usage.cost_usd = 31, Decimal("1.27")
    status.artifacts = [Artifact(name="plan", ref=artifact)]
    status.failure = FailureStatus(
        class_=FailureClass.NEEDS_HUMAN, reason="NotMergeable", message="m", stage=RunStage.MERGE
    )
    status.rollback_point_ref = LocalRef(name="payments-456")


def test_what_a_person_sees(kubectl: Kubectl, namespace: str) -> None:
    for name in ("minimal", "issuerun", "approval", "rollbackpoint"):
        kubectl("create", "-n", namespace, "-f", str(SAMPLES / f"{name}.yaml"))
    columns = {
        short: kubectl("get", short, "-n", namespace, "-o", "wide").stdout.splitlines()[0].split()
        for short in ("orepo", "irun", "appr", "rbp")
    }
    assert columns == {
        "orepo": ["NAME", "REPOSITORY", "MODE", "READY", "ACTIVE", "APPROVALS", "SUSPENDED", "STATUS", "AGE"],
        "irun": ["NAME", "REPO", "ISSUE", "STAGE", "SUCCEEDED", "WAITING", "PR", "COST", "RISK", "MESSAGE", "AGE"],
        "appr": ["NAME", "REPO", "GATE", "PR", "RISK", "OUTCOME", "MISSING", "EXPIRES", "TITLE", "AGE"],
        "rbp": ["NAME", "REPO", "PR", "COMMIT", "DESCRIPTION", "MERGED", "AGE"],
    }
    assert kubectl("get", "orch", "-n", namespace, "-o", "name").stdout.split() == [
        "approval.orch.dev/payments-123-1-merge-1f2e3d4c5b",
        "issuerun.orch.dev/payments-123-1",
        "orchestratedrepo.orch.dev/web",
        "rollbackpoint.orch.dev/payments-456",
    ]
    assert "payments-123-1" in kubectl("get", "irun", "-n", namespace, "--field-selector=spec.issueNumber=123").stdout


def test_explain_says_what_a_field_means(kubectl: Kubectl, namespace: str) -> None:
    said = " ".join(kubectl("explain", "orepo.spec.budget.perRunUSD").stdout.split())
    assert "US dollars for one run." in said


def test_an_unknown_field_is_refused_by_kubectl(kubectl: Kubectl, namespace: str) -> None:
    text = (SAMPLES / "minimal.yaml").read_text("utf-8") + "  guards: {protectedPath: [x]}\n"
    refused = kubectl("apply", "-n", namespace, "--validate=strict", "-f", "-", stdin=text, check=False)
    assert refused.returncode == 1
    assert 'unknown field "spec.guards.protectedPath"' in refused.stderr
