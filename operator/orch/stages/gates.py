"""Gates: where policy or risk demands it, a person is asked about exact content, and the answer is awaited.

A subject that moved is a new question (at most five a gate); the old one is superseded. Auto-approval is an outcome of
policy (`NotRequired`), never a decision in somebody's name. What was approved is counted once more just before the act
that it allows: people may have lost their verb since, or the rule may have become stricter.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from orch.api.effective import gate_setting, policy_digest
from orch.api.v1alpha1 import (
    Approval,
    ApprovalOutcome,
    ApprovalPolicy,
    ApprovalSpec,
    ArtifactKind,
    ArtifactRef,
    Finding,
    Gate,
    GateApproval,
    IssueRun,
    Missing,
    ObjectMeta,
    OnExpiry,
    Requester,
    Review,
    Risk,
    Target,
    TargetKind,
    Verdict,
    When,
)
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import NeedsHuman, PolicyDenied, Terminal
from orch.failpoints import Moment, failpoint
from orch.policy.approvals import (
    Required,
    Situation,
    applied,
    approval_name,
    lacks,
    needed,
    record,
    subject,
    supersede,
)
from orch.policy.findings import told
from orch.policy.guards import Finding as FoundByGuard
from orch.policy.text import one_line
from orch.ports import Permission
from orch.stages.base import base_branch, branch
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.effects import Act, Find, once

_MOST_QUESTIONS: Final = 5
_MOST_FINDINGS: Final = 20
_OF_A_CHANGE: Final = (Gate.PUBLISH, Gate.MERGE)
_SOON: Final = timedelta(seconds=1)
_LOOK_AGAIN: Final = timedelta(minutes=5)
"""While people are asked. An answer wakes the run; that its issue was closed or its pull request merged by hand does not."""


@dataclass(frozen=True)
class Question:
    """What people are asked about: the facts that code found, and apart from them the model's words."""

    gate: Gate
    title: str
    facts: dict[str, Any]
    """The fields of the Subject that identify the content: plan_digest, or head_sha, change_digest, pull_request_number."""
    paths: Callable[[], Awaitable[Sequence[str] | None]]
    """The paths that it is about, asked for only where a rule wants to know. None: not all are known."""
    risk: Risk = Risk.LOW
    risk_reasons: Sequence[str] = ()
    findings: Sequence[Finding] = ()
    url: str = ""
    artifact: str | None = None
    """Name of the ConfigMap with the plan or the diff."""


async def ask(ctx: RunContext, question: Question) -> Outcome:
    """Done when the gate is open for exactly this content; Waiting while people are asked. Raises PolicyDenied, NeedsHuman."""
    setting = When.ALWAYS if _plan_always(ctx, question.gate) else gate_setting(ctx.repo.spec, question.gate)
    policy = applied(ctx.repo.spec.approvals, await _situation(ctx, question))
    verdict = needed(
        question.gate,
        setting,
        risk=question.risk,
        findings=[FoundByGuard(f.guard, f.action, f.path or "", "", f.message) for f in question.findings],
        auto_approve_up_to=ctx.repo.spec.approvals.auto_approve_up_to,
        author_trusted=_author_trusted(ctx),
        rules=[rule.name for rule in policy.rules],
    )
    if not isinstance(verdict, Required):
        _note(ctx, question.gate, "", ApprovalOutcome.NOT_REQUIRED, verdict.reason)
        return Done()
    wanted = _approval(ctx, question, policy, verdict.reasons)
    approval = await ctx.records.find_approval(wanted.metadata.name)
    if approval is None or approval.spec.target.uid != wanted.spec.target.uid:
        await _supersede(ctx, question.gate, keep=wanted.metadata.name)
        approval = await ctx.records.ask(wanted, ctx.run)
    if (approval.spec.target, approval.spec.subject) != (wanted.spec.target, wanted.spec.subject):
        text = f"Approval {wanted.metadata.name} is about something else: delete it"
        raise Terminal("NameTaken", text)
    return _answer(ctx, approval)


async def once_open(
    ctx: RunContext, gate: Gate, key: str, *, find: Find, act: Act, look_first: bool = False
) -> str | Waiting:
    """`once`, for an act that stands behind a gate: in the same breath its approval is counted once more and used up. An
    approval is good for one act; a repeated attempt of that act is the same one."""

    async def allowed() -> str:
        await _use(ctx, gate)
        return await act()

    try:
        return await once(ctx, key, find=find, act=allowed, look_first=look_first)
    except _Lapsed as err:
        return Waiting(WaitingReason.AWAITING_APPROVAL, err.message, _SOON)


async def still_open(ctx: RunContext, gate: Gate) -> Waiting | None:
    """None while an act that is under way is still allowed: its approval is counted once more. Else what is waited for."""
    try:
        await _use(ctx, gate)
    except _Lapsed as err:
        return Waiting(WaitingReason.AWAITING_APPROVAL, err.message, _SOON)
    return None


class _Lapsed(NeedsHuman):
    """An approval that was there when the gate was asked does not stand just before the act."""


async def _use(ctx: RunContext, gate: Gate) -> None:
    noted = next((entry for entry in ctx.run.status.approvals if entry.gate is gate), None)
    if noted is None or not noted.name:
        return
    approval = await ctx.records.find_approval(noted.name)
    if approval is None or approval.status.outcome is not ApprovalOutcome.APPROVED:
        raise _Lapsed("ApprovalGone", f"Approval {noted.name} was deleted or closed: people are asked again")
    read, now = approval.deep_copy(), ctx.clock()
    tally = await ctx.records.count(approval)
    if tally.outcome is ApprovalOutcome.APPROVED and tally.valid_until is not None and now < tally.valid_until:
        approval.status.consumed_time = approval.status.consumed_time or now
        failpoint("consume-approval", Moment.BEFORE)
        await ctx.records.write_outcome(approval, read)
        failpoint("consume-approval", Moment.ANSWERED)
        return
    record(approval, tally, now)
    await ctx.records.write_outcome(approval, read)
    raise _Lapsed("ApprovalGone", f"Approval {noted.name} does not stand any more: see its status")


def _answer(ctx: RunContext, approval: Approval) -> Outcome:
    gate, name, status = approval.spec.gate, approval.metadata.name, approval.status
    outcome = status.outcome or ApprovalOutcome.PENDING
    if outcome is ApprovalOutcome.APPROVED and status.valid_until and ctx.clock() >= status.valid_until:
        outcome = ApprovalOutcome.EXPIRED
    _note(ctx, gate, name, outcome)
    if outcome is ApprovalOutcome.APPROVED:
        return Done()
    if outcome is ApprovalOutcome.DENIED:
        raise PolicyDenied("Denied", f"{gate.value} was denied: {_why(approval)}")
    if outcome is ApprovalOutcome.EXPIRED and approval.spec.policy.on_expiry is OnExpiry.DENY:
        raise PolicyDenied("ApprovalExpired", f"nobody decided {name} in time, and onExpiry is Deny")
    missing = status.missing or Missing(approvals=approval.spec.policy.quorum)
    again = f"kubectl orch ask-again {approval.spec.target.name} asks anew"
    message = f"Approval {name} ({gate.value}) lacks {lacks(missing)}: kubectl orch approvals view {name}"
    if outcome is ApprovalOutcome.EXPIRED:
        message = f"Approval {name} has expired and onExpiry is Hold: {again}, or cancel the run"
    if outcome is ApprovalOutcome.SUPERSEDED:  # its name is its content's: it cannot be asked a second time beside it
        message = f"Approval {name} was superseded, and its content is back: {again}"
    return Waiting(WaitingReason.AWAITING_APPROVAL, message, _LOOK_AGAIN)


def _why(approval: Approval) -> str:
    texts = [
        f"{user}: {one_line(decision.comment or 'no comment', limit=200)}"
        for user, decision in sorted((approval.spec.decisions or {}).items())
        if decision.verdict is Verdict.DENY
    ]
    return "; ".join(texts) or approval.metadata.name


def _note(ctx: RunContext, gate: Gate, name: str, outcome: ApprovalOutcome, why: str = "") -> None:
    rest = [entry for entry in ctx.run.status.approvals if entry.gate is not gate]
    noted = GateApproval(gate=gate, name=name, outcome=outcome, reason=one_line(why, limit=256) or None)
    ctx.run.status.approvals = [*rest, noted]


async def _supersede(ctx: RunContext, gate: Gate, *, keep: str) -> None:
    """Close older questions of this gate; too many of them mean that the subject never rests."""
    earlier = [other for other in await ctx.records.approvals(ctx.run, gate.value) if other.metadata.name != keep]
    if len(earlier) >= _MOST_QUESTIONS:
        raise NeedsHuman(
            "SubjectKeepsMoving", f"gate {gate.value} was asked {_MOST_QUESTIONS} times and its content moved each time"
        )
    for approval in earlier:
        if approval.status.outcome in (None, ApprovalOutcome.PENDING, ApprovalOutcome.APPROVED):
            await _close(ctx, approval, "what was asked about has moved")


async def withdraw(ctx: RunContext) -> None:
    """The run is over: what is still asked needs no answer any more."""
    for noted in ctx.run.status.approvals:
        approval = await ctx.records.find_approval(noted.name) if noted.name else None
        if approval is not None and approval.status.outcome in (None, ApprovalOutcome.PENDING):
            await _close(ctx, approval, "the run has ended")
            _note(ctx, noted.gate, noted.name, ApprovalOutcome.SUPERSEDED)


async def take_over(ctx: RunContext) -> None:
    """Record that the branch is somebody else's. What was allowed for its content as we left it is not worth anything any
    more, also where an answer was counted before anybody saw the push."""
    for noted in ctx.run.status.approvals:
        approval = await ctx.records.find_approval(noted.name) if noted.gate in _OF_A_CHANGE and noted.name else None
        if approval is not None and _is_open(approval):
            await _close(ctx, approval, "somebody else has pushed to the branch")
            _note(ctx, noted.gate, noted.name, ApprovalOutcome.SUPERSEDED)
    branch(ctx).taken_over = True


def _is_open(approval: Approval) -> bool:
    """Whether it may still be answered, or used."""
    status = approval.status
    is_unused = status.outcome is ApprovalOutcome.APPROVED and status.consumed_time is None
    return is_unused or status.outcome in (None, ApprovalOutcome.PENDING)


async def _close(ctx: RunContext, approval: Approval, why: str) -> None:
    previous = approval.deep_copy()
    supersede(approval, why, ctx.clock())
    await ctx.records.write_outcome(approval, previous)


async def _situation(ctx: RunContext, question: Question) -> Situation:
    """What the rules are held against. A list that is full may have left something out, so it counts as unknown."""
    guards, change = frozenset(finding.guard for finding in question.findings), ctx.run.status.change
    all_known = len(question.findings) < _MOST_FINDINGS and not (change and change.findings_omitted)
    about_paths = any(rule.match.paths for rule in ctx.repo.spec.approvals.rules)
    return Situation(
        gate=question.gate,
        risk=question.risk,
        guards=guards if all_known else None,
        paths=await question.paths() if about_paths else (),
    )


def _author_trusted(ctx: RunContext) -> bool:
    issue = ctx.run.status.issue
    known = Permission.__members__.get(((issue and issue.author_permission) or "none").upper(), Permission.NONE)
    return known >= Permission[ctx.repo.spec.issues.trust.minimum_permission.upper()]


def _plan_always(ctx: RunContext, gate: Gate) -> bool:
    overrides = ctx.run.spec.overrides
    return gate is Gate.PLAN and overrides is not None and overrides.plan_approval is not None


def _approval(ctx: RunContext, question: Question, policy: ApprovalPolicy, reasons: Sequence[str]) -> Approval:
    spec, run = ctx.repo.spec, ctx.run
    asked = subject(
        repository=spec.repository,
        issue_number=run.spec.issue_number,
        base_branch=base_branch(ctx),
        policy_digest=policy_digest(spec),
        **question.facts,
    )
    change = run.status.change
    return Approval(
        metadata=ObjectMeta(
            name=approval_name(run.metadata.name, question.gate, asked),
            namespace=run.metadata.namespace,
            labels={
                "orch.dev/repo": ctx.repo.metadata.name,
                "orch.dev/run": run.metadata.name,
                "orch.dev/gate": question.gate.value,
            },
        ),
        spec=ApprovalSpec(
            target=Target(kind=TargetKind.ISSUE_RUN, name=run.metadata.name, uid=run.metadata.uid or ""),
            repository_ref=run.spec.repository_ref,
            gate=question.gate,
            subject=asked,
            policy=policy,
            expire_time=ctx.clock() + spec.approvals.timeout,
            risk=question.risk,
            requester=Requester(username=run.spec.trigger.username, github_login=run.spec.trigger.github_login),
            review=Review(
                title=one_line(question.title, limit=256),
                url=question.url or None,
                reasons=[one_line(reason, limit=512) for reason in reasons][:10],
                risk_reasons=[one_line(reason, limit=256) for reason in question.risk_reasons][:20],
                findings=[one_line(told(found), limit=512) for found in question.findings][:_MOST_FINDINGS],
                changed_files=change and change.files,
                additions=change and change.additions,
                deletions=change and change.deletions,
                tests_passed=change and change.tests_passed,
                tests_failed=change and change.tests_failed,
                artifact=ArtifactRef(kind=ArtifactKind.CONFIG_MAP, name=question.artifact)
                if question.artifact
                else None,
                model_assessment=_opinions(run),
            ),
        ),
    )


def _opinions(run: IssueRun) -> str | None:
    """What the models said that have looked at it, each on a line of its own; None when none has."""
    analysis, plan = run.status.analysis, run.status.plan
    said = []
    if analysis is not None:
        risk = f", expected risk {analysis.risk}" if analysis.risk else ""
        figures = f"complexity {analysis.complexity} of 10, {analysis.confidence_percent} % sure{risk}"
        said.append(f"Analysis ({figures}): {one_line(analysis.reason or '', limit=1024)}")
    if plan is not None:
        sure = f" ({plan.confidence_percent} % sure)" if plan.confidence_percent is not None else ""
        said.append(f"Plan{sure}: {one_line(plan.summary or '', limit=1024)}")
    return "\n".join(said) or None
