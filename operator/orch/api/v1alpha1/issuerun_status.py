"""IssueRun, how far it is: the facts, the work and the outcome together. Written by the operator only."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import LocalRef, ReconciledStatus
from orch.api.v1alpha1.issuerun_facts import (
    AnalysisStatus,
    BranchStatus,
    ChangeStatus,
    ChecksStatus,
    GateApproval,
    IssueStatus,
    MergeGate,
    PlanStatus,
    PullRequestStatus,
)
from orch.api.v1alpha1.issuerun_work import Artifact, AttemptsStatus, Effect, FailureStatus, Step, UsageStatus
from orch.api.v1alpha1.markers import keyed_by
from orch.api.v1alpha1.types import (
    Time,
    text,
)
from orch.api.v1alpha1.vocabulary import (
    RunStage,
)


class IssueRunStatus(ReconciledStatus):
    """How far the run is."""

    identity: Annotated[str, text(32, 8, r"^[0-9a-f]+$")] | None = None
    """Names what the run makes outside the cluster: 16 digits of a sha256 of installation, host, repository, issue and
    attempt."""
    stage: RunStage | None = None
    """For reading only: the first stage that is not done."""
    start_time: Time | None = None
    """When it left the queue."""
    completion_time: Time | None = None
    """When it ended."""
    next_attempt_time: Time | None = None
    """When something that failed is tried again."""
    held_time: Time | None = None
    """Since when the merge is held because the issue was closed, removed or unlabelled. After 24 h the run ends."""
    worker_version: Annotated[str, text(64)] | None = None
    """Version of orch that worked on it last."""
    issue: IssueStatus | None = None
    """The issue as it was when it was claimed."""
    analysis: AnalysisStatus | None = None
    """What the model made of the issue."""
    plan: PlanStatus | None = None
    """What is going to be done."""
    branch: BranchStatus | None = None
    """The run's branch."""
    change: ChangeStatus | None = None
    """The change, as facts from orch's own mirror."""
    pull_request: PullRequestStatus | None = None
    """The run's pull request."""
    checks: ChecksStatus | None = None
    """The checks of its head commit."""
    approvals: Annotated[list[GateApproval], Field(max_length=3), keyed_by("gate")] = Field(default_factory=list)
    """The newest question at each gate."""
    merge_gates: Annotated[list[MergeGate], Field(max_length=12), keyed_by("name")] = Field(default_factory=list)
    """The gates before the merge in their order, as they were found when the run last stood there with its approval."""
    attempts: AttemptsStatus = Field(default_factory=AttemptsStatus)
    """How many attempts are used up."""
    steps: Annotated[list[Step], Field(max_length=20), keyed_by("name")] = Field(default_factory=list)
    """The newest work steps, oldest first."""
    effects: Annotated[list[Effect], Field(max_length=30), keyed_by("key")] = Field(default_factory=list)
    """What orch has done in the outside world."""
    usage: UsageStatus = Field(default_factory=UsageStatus)
    """What it has used of models."""
    artifacts: Annotated[list[Artifact], Field(max_length=20), keyed_by("name")] = Field(default_factory=list)
    """What it has left for people."""
    failure: FailureStatus | None = None
    """Why it ended without a merge, or what holds it up."""
    rollback_point_ref: LocalRef | None = None
    """The RollbackPoint of its merge."""
