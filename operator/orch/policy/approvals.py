"""When people are asked, what exactly they are asked about, and what their answers amount to.

Called by the gates of the stages and by the Approval reconciler. Pure: `now` is a value, decisions come from the
object, first sightings from its status. That an answer is nobody's forgery is admission's business, not this file's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from orch.api.v1alpha1.approval import ApprovalPolicy, ApprovalSpec, ApprovalStatus, CountedDecision, Decision, Subject
from orch.api.v1alpha1.orchestratedrepo_policy import ApprovalsSpec, AutoApprove
from orch.api.v1alpha1.vocabulary import ApprovalOutcome, Gate, GuardAction, OnExpiry, Risk, Verdict, When
from orch.policy.guards import Finding
from orch.policy.risk import level

_UP_TO: Final = {AutoApprove.NONE: -1, AutoApprove.LOW: level(Risk.LOW), AutoApprove.MEDIUM: level(Risk.MEDIUM)}

MACHINES: Final = "system:"
"""User names of the API server's own accounts and of service accounts begin so. They never decide."""


@dataclass(frozen=True)
class Required:
    """The gate asks; why."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class NotRequired:
    """The gate is open by policy; why."""

    reason: str


def needed(
    gate: Gate,
    when: When,
    *,
    risk: Risk,
    auto_approve_up_to: AutoApprove,
    findings: Sequence[Finding] = (),
    author_trusted: bool = True,
) -> Required | NotRequired:
    """Whether a gate asks people.

    `Always` asks. `ByRisk` asks above `autoApproveUpTo`, for findings that want approval, and, before the first push,
    for an issue by somebody below the trusted permission. `Never` does not, but for one thing that no setting turns
    off: a finding that wants approval is asked about before the push, since a push is already code execution."""
    wanting = [f for f in findings if f.action is GuardAction.APPROVE]
    asked = [f"guard {f.guard} asks for {f.path or 'the change as a whole'}: {f.message}" for f in wanting]
    if when is When.NEVER:
        if gate is Gate.PUBLISH and asked:
            return Required(tuple(asked))
        return NotRequired(f"gate {gate} is set to Never")
    reasons = list(asked)
    if when is When.ALWAYS:
        reasons.insert(0, f"gate {gate} is set to Always")
    elif level(risk) > _UP_TO[auto_approve_up_to]:
        reasons.insert(0, f"the risk is {risk}, approved without people is {auto_approve_up_to}")
    if gate is Gate.PUBLISH and not author_trusted:
        reasons.append("the issue is by somebody below the trusted permission, and a push runs code")
    if reasons:
        return Required(tuple(reasons))
    return NotRequired(f"the risk is {risk}, and up to {auto_approve_up_to} no person is asked")


def subject(**facts: Any) -> Subject:
    """The exact content that is asked about, with the digest over all of it. Facts: the other fields of `Subject`."""
    bare = Subject(digest="sha256:" + "0" * 64, **facts)
    return bare.model_copy(update={"digest": subject_digest(bare)})


def subject_digest(asked: Subject) -> str:
    """`sha256:…` over the canonical JSON (sorted keys, no blanks) of a subject's wire form without `digest`."""
    wire = {key: value for key, value in asked.dump().items() if key != "digest"}
    text = json.dumps(wire, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def approval_name(target: str, gate: Gate, asked: Subject) -> str:
    """`<target>-<gate>-<first 10 digits of the subject's digest>`: asking twice finds the first question."""
    return f"{target}-{gate.value.lower()}-{asked.digest.removeprefix('sha256:')[:10]}"


def stricter(asked: ApprovalPolicy, current: ApprovalsSpec) -> ApprovalPolicy:
    """The policy that counts: the question's own, but no looser than the rule is now."""
    return asked.model_copy(
        update={
            "quorum": max(asked.quorum, current.quorum),
            "valid_for": min(asked.valid_for, current.valid_for),
            "on_expiry": OnExpiry.DENY if OnExpiry.DENY in (asked.on_expiry, current.on_expiry) else OnExpiry.HOLD,
        }
    )


@dataclass(frozen=True)
class Count:
    """How a question stands. `missing`: approvals still lacking. `valid_until` is set when approved."""

    outcome: ApprovalOutcome
    decisions: tuple[CountedDecision, ...]
    missing: int
    decide_time: datetime | None = None
    valid_until: datetime | None = None


def count(spec: ApprovalSpec, status: ApprovalStatus, *, policy: ApprovalPolicy, now: datetime) -> Count:
    """Count the answers. `policy`: `stricter(spec.policy, …)`. What is decided stays as it was decided.

    One counted denial denies, also beside enough approvals. An answer first seen at or after `expireTime` does not
    count: the operator may have been down, and a late answer must not slip in under an old clock."""
    if status.outcome not in (None, ApprovalOutcome.PENDING):
        return _as_recorded(status)
    decisions = tuple(
        _counted(name, decision, spec, _seen(status, name, decision, now))
        for name, decision in sorted(spec.decisions.items())
    )
    approvals = sum(d.counted and d.verdict is Verdict.APPROVE for d in decisions)
    missing = max(policy.quorum - approvals, 0)
    if any(d.counted and d.verdict is Verdict.DENY for d in decisions):
        return Count(ApprovalOutcome.DENIED, decisions, missing, now)
    if missing == 0:
        return Count(ApprovalOutcome.APPROVED, decisions, 0, now, now + policy.valid_for)
    if now >= spec.expire_time:
        return Count(ApprovalOutcome.EXPIRED, decisions, missing, now)
    return Count(ApprovalOutcome.PENDING, decisions, missing)


def is_usable(status: ApprovalStatus, *, now: datetime) -> bool:
    """Whether an approval opens its gate: approved, not used yet, still valid."""
    approved = status.outcome is ApprovalOutcome.APPROVED and status.consumed_time is None
    return approved and status.valid_until is not None and now < status.valid_until


def _as_recorded(status: ApprovalStatus) -> Count:
    outcome = status.outcome or ApprovalOutcome.PENDING
    missing = status.missing.approvals if status.missing else 0
    return Count(outcome, tuple(status.decisions), missing, status.decide_time, status.valid_until)


def _seen(status: ApprovalStatus, name: str, decision: Decision, now: datetime) -> datetime:
    """When this answer was first seen; a changed verdict is a new answer."""
    known: Mapping[str, CountedDecision] = {d.username: d for d in status.decisions}
    old = known.get(name)
    same = old is not None and old.verdict is decision.verdict
    return old.observed_time if old is not None and same and old.observed_time is not None else now


def _counted(name: str, decision: Decision, spec: ApprovalSpec, seen: datetime) -> CountedDecision:
    reason = None
    if name.startswith(MACHINES):
        reason = "machines do not decide"
    elif decision.digest is not None and decision.digest != spec.subject.digest:
        reason = "given for another subject"
    elif seen >= spec.expire_time:
        reason = "first seen after expireTime"
    return CountedDecision(
        username=name, verdict=decision.verdict, counted=reason is None, reason=reason, observed_time=seen
    )
