"""Approval: one question to people, bound to exact content. Created by the operator; people add `spec.decisions`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import KubeObject, Model, ObjectStatus, RepositoryRef, StatusModel
from orch.api.v1alpha1.issuerun_work import ArtifactRef
from orch.api.v1alpha1.markers import ATOMIC, SET, immutable, keyed_by
from orch.api.v1alpha1.orchestratedrepo_approvals import Electorate
from orch.api.v1alpha1.types import (
    Count,
    Digest,
    DnsLabel,
    Duration,
    GitHubLogin,
    GroupName,
    Number,
    Sha,
    Time,
    Username,
    line,
    text,
)
from orch.api.v1alpha1.vocabulary import ApprovalOutcome, Gate, OnExpiry, RequesterRule, Risk, Verdict


class TargetKind(StrEnum):
    """What can ask."""

    ISSUE_RUN = "IssueRun"


class Target(Model):
    """The object that waits for the answer."""

    kind: TargetKind
    """Its kind."""
    name: Annotated[str, text(253, 1)]
    """Its name."""
    uid: Annotated[str, text(36, 1)]
    """Its uid: a new object under the same name has no claim on the answer."""


class Subject(Model):
    """What is asked about, exactly. When a part of it moves, the question is superseded."""

    digest: Digest
    """Digest of all the other fields of the subject."""
    repository: Annotated[str, text(140, 3)]
    """`owner/name`."""
    issue_number: Number | None = None
    """The issue."""
    pull_request_number: Number | None = None
    """The pull request, once there is one."""
    base_branch: Annotated[str, text(255)] | None = None
    """The branch that is merged into."""
    head_sha: Sha | None = None
    """The commit that is merged."""
    change_digest: Digest | None = None
    """Digest of the diff against the merge base."""
    plan_digest: Digest | None = None
    """Digest of the plan."""
    policy_digest: Digest
    """Digest of the effective policy."""


class AppliedRule(Electorate):
    """A rule of the repository's policy that matched."""

    name: DnsLabel
    """Its name."""


class ApprovalPolicy(Electorate):
    """What counts as an answer, as policy was when it was asked. The repository's own quorum and people, and each rule,
    have to be met."""

    rules: Annotated[list[AppliedRule], Field(max_length=16), keyed_by("name")] = Field(default=[])
    """The rules that matched."""
    requester: RequesterRule = RequesterRule.MAY_APPROVE
    """Whether whoever set the run off may approve."""
    on_expiry: OnExpiry
    """What happens when nobody decides before `expireTime`."""
    valid_for: Duration
    """How long an approval may wait for its use."""


class Requester(Model):
    """Who set off what is asked about."""

    username: Username | None = None
    """A Kubernetes user."""
    github_login: GitHubLogin | None = None
    """An account on the code host."""


class Review(Model):
    """What people need to decide: facts from code, and the model's words apart from them."""

    title: Annotated[str, line(256, least=0)] | None = None
    """What is asked, on one line."""
    url: Annotated[str, text(512)] | None = None
    """Where to look."""
    reasons: Annotated[list[Annotated[str, text(512)]], Field(max_length=10), ATOMIC] = Field(default=[])
    """Why it is asked."""
    risk_reasons: Annotated[list[Annotated[str, text(256)]], Field(max_length=20), ATOMIC] = Field(default=[])
    """All that contributes to the risk, highest first."""
    findings: Annotated[list[Annotated[str, text(512)]], Field(max_length=20), ATOMIC] = Field(default=[])
    """What the guards found."""
    changed_files: Count | None = None
    """Files that are added, changed or deleted."""
    additions: Count | None = None
    """Lines added."""
    deletions: Count | None = None
    """Lines deleted."""
    tests_passed: Count | None = None
    """Tests that passed, as the sandbox reports them: a claim, not a proof."""
    tests_failed: Count | None = None
    """Tests that failed, as the sandbox reports them."""
    artifact: ArtifactRef | None = None
    """The plan or the diff."""
    model_assessment: Annotated[str, text(4096)] | None = None
    """The model's words; untrusted."""


class Decision(Model):
    """One person's answer."""

    verdict: Verdict
    """Approve or Deny."""
    comment: Annotated[str, text(1000)] | None = None
    """Why."""
    groups: Annotated[list[GroupName], Field(max_length=16), SET] = Field(default=[])
    """Groups of yours that count here: one that a rule names, or that gives you the verb `approve`."""
    digest: Digest | None = None
    """The subject's digest that the person saw; a decision with another one does not count."""


class ApprovalSpec(Model):
    """The question, and people's answers. Immutable but for `decisions`."""

    target: Annotated[Target, immutable("target")]
    """The object that waits for the answer."""
    repository_ref: RepositoryRef
    """The OrchestratedRepo in the same namespace."""
    gate: Annotated[Gate, immutable("gate")]
    """The gate that asks."""
    subject: Annotated[Subject, immutable("subject")]
    """What is asked about, exactly."""
    policy: Annotated[ApprovalPolicy, immutable("policy")]
    """What counts as an answer."""
    expire_time: Annotated[Time, immutable("expireTime")]
    """Until when answers count."""
    risk: Annotated[Risk, immutable("risk")]
    """How much harm it can do."""
    requester: Annotated[Requester, immutable("requester")]
    """Who set it off."""
    review: Annotated[Review, immutable("review")]
    """What people need to decide."""
    decisions: Annotated[dict[str, Decision], Field(max_length=32)] = Field(default={})
    """Answers by Kubernetes user name. A map, not a list: one person's merge patch cannot drop another's answer."""


class Missing(StatusModel):
    """What the answer still lacks."""

    approvals: Count = 0
    """How many people, at least, must still approve."""
    groups: Annotated[list[GroupName], Field(max_length=32), SET] = Field(default_factory=list)
    """Groups of which nobody has approved yet, and somebody must."""


class CountedDecision(StatusModel):
    """What became of one person's answer."""

    username: Username
    """Who."""
    verdict: Verdict
    """What."""
    counted: bool
    """Whether it counts."""
    reason: Annotated[str, text(128)] | None = None
    """Why it does not count."""
    digest: Digest | None = None
    """Digest of the answer. One that was changed is another answer, seen anew."""
    observed_time: Time | None = None
    """When the operator first saw it."""


class ApprovalStatus(ObjectStatus):
    """How the question stands."""

    outcome: ApprovalOutcome | None = None
    """How it stands. Once it is not `Pending` it is final, but for an approval that no longer stands when it is to be
    used, because somebody has lost the verb or the rule has become stricter: that question is open again."""
    decide_time: Time | None = None
    """When it was decided."""
    valid_until: Time | None = None
    """Until when an approval may be used."""
    consumed_time: Time | None = None
    """When it was used; an approval is used once."""
    missing: Missing | None = None
    """What it still lacks."""
    decisions: Annotated[list[CountedDecision], Field(max_length=32), keyed_by("username")] = Field(
        default_factory=list
    )
    """What became of each answer."""
    decisions_omitted: Count = 0
    """How many more there are, which never count, than are listed."""


class Approval(KubeObject):
    """One question to people, bound to exact content."""

    KIND = "Approval"
    PLURAL = "approvals"
    SHORT = "appr"

    spec: ApprovalSpec
    """The question, and people's answers."""
    status: ApprovalStatus = Field(default_factory=ApprovalStatus)
    """How it stands."""
