"""IssueRun, what is known: the issue, the plan, the change, the pull request and its checks. Status only."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import StatusModel
from orch.api.v1alpha1.issuerun_adoption import AdoptRequest, TheirHead
from orch.api.v1alpha1.issuerun_work import ArtifactRef
from orch.api.v1alpha1.markers import ATOMIC
from orch.api.v1alpha1.types import (
    Complexity,
    Count,
    Digest,
    GitHubLogin,
    Number,
    Percent,
    Sha,
    Time,
    count,
    text,
)
from orch.api.v1alpha1.vocabulary import (
    ApprovalOutcome,
    Gate,
    Guard,
    GuardAction,
    Risk,
)


class IssueStatus(StatusModel):
    """The issue as it was when it was claimed; later text counts only as `onContentChange` says."""

    title: Annotated[str, text(256)]
    """Title, on one line."""
    url: Annotated[str, text(512)]
    """Web page of the issue."""
    author: GitHubLogin
    """Who opened it."""
    author_permission: Annotated[str, text(32)] | None = None
    """The author's role on the repository at that time."""
    content_digest: Digest
    """Digest of title, text and trusted comments."""
    content_time: Time | None = None
    """When the snapshot was taken."""


class IssueType(StrEnum):
    """What kind of work the issue asks for."""

    BUG = "Bug"
    FEATURE = "Feature"
    REFACTOR = "Refactor"
    DOCUMENTATION = "Documentation"
    TEST = "Test"
    CHORE = "Chore"
    UNKNOWN = "Unknown"


class AnalysisStatus(StatusModel):
    """What the model made of the issue."""

    type: IssueType
    """What kind of work it asks for."""
    complexity: Complexity
    """How hard it is."""
    confidence_percent: Percent
    """How sure the model is that it can be done."""
    actionable: bool
    """Whether it says enough to start."""
    reason: Annotated[str, text(1024)] | None = None
    """The model's words for it."""
    risk: Risk | None = None
    """How much harm the model thinks that the change could do. It can raise the risk of the change, never lower it."""


class PlanStatus(StatusModel):
    """What is going to be done."""

    digest: Digest
    """Digest of the plan; the subject of its approval."""
    summary: Annotated[str, text(1024)] | None = None
    """The plan in short, in the model's words."""
    files: Annotated[list[Annotated[str, text(256)]], Field(max_length=50), ATOMIC] = Field(default_factory=list)
    """Files that the plan names."""
    confidence_percent: Percent | None = None
    """How sure the model is of its plan."""
    artifact: ArtifactRef | None = None
    """The whole plan."""


class BranchStatus(StatusModel):
    """The run's branch."""

    name: Annotated[str, text(255)] | None = None
    """The branch; deterministic, so that a lost push is found again."""
    base_branch: Annotated[str, text(255)] | None = None
    """The branch that the change is made for."""
    base_sha: Sha | None = None
    """The base commit that the work started from."""
    head_sha: Sha | None = None
    """The commit that is to be on the branch."""
    expected_sha: Sha | None = None
    """The commit that orch last put there, or that a person had it adopt; another one there means that a person has taken
    over."""
    taken_over: bool = False
    """A person has pushed: orch does not push to this branch any more, until somebody has it adopt what is there."""
    theirs: TheirHead | None = None
    """What is there, while it is taken over."""
    adopted: AdoptRequest | None = None
    """The request by which orch last went on with somebody else's commits."""


class Finding(StatusModel):
    """What a guard has found."""

    guard: Guard
    """The guard."""
    action: GuardAction
    """What it does."""
    path: Annotated[str, text(256)] | None = None
    """Where; absent when it is the change as a whole."""
    line: Annotated[int, count(1, 10_000_000)] | None = None
    """Line of the file after the change, or before it for what is gone; absent when it is the whole file."""
    rule: Annotated[str, text(200)] | None = None
    """What of the guard was hit: a glob, a limit, the kind of a credential."""
    message: Annotated[str, text(512)]
    """What, and what to do."""


class ChangeStatus(StatusModel):
    """The change against its merge base, as facts from orch's own mirror."""

    step: Annotated[str, text(80)] | None = None
    """The work step whose result this is. A newer change is judged anew."""
    head_sha: Sha | None = None
    """The commit that was judged, and that people are asked about. A merge of the base branch that leaves the change as it
    is does not move it: what was approved stays approved."""
    digest: Digest
    """Digest of the tree diff: equal content, equal digest, whatever the commits are."""
    files: Count = 0
    """Files that are added, changed or deleted."""
    additions: Count = 0
    """Lines added."""
    deletions: Count = 0
    """Lines deleted."""
    risk: Risk
    """How much harm it can do."""
    findings: Annotated[list[Finding], Field(max_length=20), ATOMIC] = Field(default_factory=list)
    """What the guards found, gravest first; of every guard that objects at least one."""
    findings_omitted: Count = 0
    """How many more findings there were than are listed."""
    risk_reasons: Annotated[list[Annotated[str, text(256)]], Field(max_length=20), ATOMIC] = Field(default_factory=list)
    """All that contributes to the risk, highest first."""
    tests_passed: Count | None = None
    """Tests that passed on it in the sandbox, by the step's own report: a claim. Absent when none was counted."""
    tests_failed: Count | None = None
    """Tests that failed there."""
    flaky_tests: Annotated[list[Annotated[str, text(256)]], Field(max_length=10), ATOMIC] = Field(default_factory=list)
    """Tests that failed there in one of two runs on the same tree: no fix was spent on them. Their command, where its runner
    names none."""


class PullRequestState(StrEnum):
    """Where the pull request is."""

    OPEN = "Open"
    MERGED = "Merged"
    CLOSED = "Closed"


class QueueStatus(StatusModel):
    """How the pull request stands to the merge queue of its base branch."""

    position: Count | None = None
    """Its place; 1 is the next. Absent while it is not in the queue."""
    removals: Count = 0
    """How often the queue has given it back unmerged, in the life of the run."""
    reason: Annotated[str, text(64)] | None = None
    """Why it did the last time, in GitHub's word."""
    failing: Annotated[list[Annotated[str, text(255)]], Field(max_length=10), ATOMIC] = Field(default_factory=list)
    """Names of the checks that failed there the last time, on the merge that the queue had made."""
    head_sha: Sha | None = None
    """The head that it gave back the last time."""
    removal_id: Annotated[str, text(128)] | None = None
    """GitHub's name of the last removal that was looked at."""


class PullRequestStatus(StatusModel):
    """The run's pull request."""

    number: Number
    """Its number."""
    url: Annotated[str, text(512)] | None = None
    """Its web page."""
    state: PullRequestState = PullRequestState.OPEN
    """Where it is."""
    head_sha: Sha | None = None
    """The head commit that was last seen."""
    merge_sha: Sha | None = None
    """The commit that the merge made."""
    queue: QueueStatus | None = None
    """Its way through the merge queue. Absent where there is none."""


class ChecksState(StrEnum):
    """All checks of one commit taken together."""

    NONE = "None"
    PENDING = "Pending"
    PASSED = "Passed"
    FAILED = "Failed"


class ChecksStatus(StatusModel):
    """The checks of one head commit."""

    head_sha: Sha
    """The commit."""
    state: ChecksState
    """All of them taken together; `None` while there is none."""
    passed: Count = 0
    """How many have passed, were skipped or were neutral."""
    pending: Count = 0
    """How many have not ended."""
    failed: Count = 0
    """How many have failed."""
    interrupted: Count = 0
    """How many have ended without a verdict, e.g. because they were cancelled."""
    failing: Annotated[list[Annotated[str, text(255)]], Field(max_length=10), ATOMIC] = Field(default_factory=list)
    """Names of failed checks."""


class MergeGate(StatusModel):
    """What was last found at one of the gates before the merge."""

    name: Annotated[str, text(32, 1)]
    """The gate."""
    passed: bool
    """Whether it is open."""
    reason: Annotated[str, text(64)]
    """For machines."""
    message: Annotated[str, text(256)]
    """What was found."""
    since: Time
    """Since when it is open, or closed for this reason."""


class GateApproval(StatusModel):
    """The newest question at one gate."""

    gate: Gate
    """The gate."""
    name: Annotated[str, text(253)]
    """The Approval in this namespace; empty when nobody was asked."""
    outcome: ApprovalOutcome
    """How it stands."""
    reason: Annotated[str, text(256)] | None = None
    """Why policy asked nobody, where the outcome is `NotRequired`."""
