"""Stage Merge: everything is looked at again just before the one act that cannot be taken back, and the act names the head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from orch.api.conditions import find_condition, set_condition
from orch.api.v1alpha1 import ApprovalOutcome, Gate, MergeGate, PullRequestState
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason
from orch.errors import NotMergeable
from orch.policy.checks import requires_own
from orch.policy.freezes import in_freeze
from orch.policy.merging import (
    Ended,
    Facts,
    Fix,
    FixNeeded,
    GateVerdict,
    Ready,
    Wait,
    decide,
    decide_queued,
    is_freshness_demanded,
    is_open,
)
from orch.policy.merging import Outcome as Verdict
from orch.policy.text import one_line
from orch.ports import BranchRules, Checks, Pull
from orch.stages import merge_queue, texts
from orch.stages.asked import asked_change, changed_paths
from orch.stages.base import branch
from orch.stages.checks import GRACE, pace, since_push
from orch.stages.contract import NOW, Again, Done, Outcome, RunContext, Waiting
from orch.stages.gates import Question, ask, once_open, still_open
from orch.stages.pacing import after
from orch.stages.review import approvers, trusted_reviewers
from orch.stages.signs import show_open, since_shown
from orch.stages.update import bring_up_to_date, resolve

_COMPUTING: Final = "MergeabilityUnknown"

_REASONS: Final = {
    "MergeFrozen": WaitingReason.MERGE_FROZEN,
    "TakenOver": WaitingReason.TAKEN_OVER,
    "AwaitingReview": WaitingReason.AWAITING_REVIEW,
    "ChecksRunning": WaitingReason.AWAITING_CHECKS,
    _COMPUTING: WaitingReason.AWAITING_CHECKS,
}


async def merge(ctx: RunContext) -> Outcome:
    """Ask where policy or risk demands it, wait for what blocks, then merge exactly our head."""
    status = ctx.run.status.pull_request
    if status is None:
        return Again()
    if status.state is PullRequestState.MERGED:
        return Done()
    gate = await ask(ctx, await _question(ctx))
    if not isinstance(gate, Done):
        await _tell_the_others(ctx, status.number)
        return gate
    now = ctx.clock()
    set_condition(
        ctx.run, IssueRunCondition.MERGE_APPROVED, True, IssueRunReason.APPROVED, "the gate Merge is open", now
    )
    pull = ctx.pull or await ctx.forge.get_pull(status.number)
    # `ask` has answered for exactly this content
    if merge_queue.is_entered(ctx.run):
        return await _stay(ctx, pull)
    facts = await _facts(ctx, pull, ApprovalOutcome.APPROVED)
    is_under_way = facts.rules.merge_queue and merge_queue.is_under_way(ctx.run)
    decision = (decide_queued if is_under_way else decide)(facts, ctx.repo.spec.merge)
    _record(ctx, decision.gates)
    if not is_under_way and is_open(facts, ctx.repo.spec.merge):
        told = await _tell_host(ctx, facts)
        if told is not None:
            return told
    return await _act_on(ctx, facts, decision.outcome)


async def _act_on(ctx: RunContext, facts: Facts, verdict: Verdict) -> Outcome:
    match verdict:
        case Ready() if facts.rules.merge_queue:
            return await merge_queue.enter(ctx, facts.pull)
        case Ready():
            return await _merge(ctx, facts.pull)
        case FixNeeded():
            return await _fix(ctx, verdict)
        case Wait():
            return _wait(ctx, verdict)
        case Ended():
            return _ended(ctx, verdict)


def _wait(ctx: RunContext, verdict: Wait) -> Waiting:
    reason = _REASONS.get(verdict.reason, WaitingReason.AWAITING_HUMAN)
    return Waiting(reason, verdict.message, _rest(ctx, verdict))


def _ended(ctx: RunContext, verdict: Ended) -> Waiting:
    ctx.pull = None
    return Waiting(None, verdict.message, NOW)


async def _stay(ctx: RunContext, pull: Pull) -> Outcome:
    """It is in the merge queue: what holds a merge back still counts, until GitHub has merged it."""
    rules = await ctx.forge.branch_rules(pull.base_branch)
    decision = decide_queued(await _people(ctx, pull, rules), ctx.repo.spec.merge)
    if decision.gates:
        _record(ctx, [*decision.gates, *_untouched(ctx, decision.gates)])
    match decision.outcome:
        case Wait() as verdict:
            return _wait(ctx, verdict)
        case Ended() as verdict:
            return _ended(ctx, verdict)
        case _:
            return await still_open(ctx, Gate.MERGE) or await merge_queue.follow(ctx, pull, rules)


async def _tell_host(ctx: RunContext, facts: Facts) -> Waiting | None:
    """Where its rules require our word before a merge, or block it for what they tell nobody, it is given now: then the pull
    request is looked at anew. Elsewhere the merge does not wait for it."""
    ctx.open_head = facts.expected_head
    if not requires_own(facts.rules) and facts.pull.mergeable_state != "blocked":
        return None
    shown = await show_open(ctx)
    if isinstance(shown, Waiting):
        return shown
    if not shown:
        return None
    ctx.pull = None
    return Waiting(None, "the branch rules are asked again, now that orch has said yes", NOW)


async def _tell_the_others(ctx: RunContext, number: int) -> None:
    """Who is asked should know what else is closed. Nothing is done about it before they have said yes."""
    pull = ctx.pull or await ctx.forge.get_pull(number)
    _record(ctx, decide(await _facts(ctx, pull, ApprovalOutcome.PENDING), ctx.repo.spec.merge).gates)


async def _facts(ctx: RunContext, pull: Pull, approval: ApprovalOutcome) -> Facts:
    """Every fact afresh: what was recorded is trusted until here, not beyond."""
    head = branch(ctx).head_sha or ""
    rules = await ctx.forge.branch_rules(branch(ctx).base_branch or "main")
    given_back = merge_queue.given_back(ctx.run) if rules.merge_queue else None
    demanded = is_freshness_demanded(rules, ctx.repo.spec.merge) or given_back is not None
    return replace(
        await _people(ctx, pull, rules),
        checks=await ctx.forge.checks(head),
        behind=demanded and not await _holds_base(ctx, head),
        given_back=given_back,
        approval=approval,
    )


async def _people(ctx: RunContext, pull: Pull, rules: BranchRules) -> Facts:
    """The facts but for what a machine says of our head, which a merge queue asks of its own merge."""
    head, reviews = branch(ctx).head_sha or "", await ctx.forge.reviews(pull.number)
    return Facts(
        pull=pull,
        expected_head=head,
        rules=rules,
        checks=Checks(head, ()),
        grace_over=since_push(ctx, head) > GRACE,
        reviews=reviews,
        trusted=await trusted_reviewers(ctx, reviews),
        approvers=await approvers(ctx, reviews) if rules.required_approvals else (),
        frozen=in_freeze(ctx.repo.spec.merge.freezes, ctx.clock()),
        approval=ApprovalOutcome.APPROVED,
    )


def _rest(ctx: RunContext, verdict: Wait) -> timedelta:
    """Until the next look. What GitHub computes is there in seconds, however long ago we pushed: it forgets it each time the base
    branch moves, and where that is often, a late look would find it forgotten again."""
    if verdict.reason == _COMPUTING:
        since = [gate.since for gate in ctx.run.status.merge_gates if gate.reason == _COMPUTING]
        approved = find_condition(ctx.run, IssueRunCondition.MERGE_APPROVED)
        if approved is not None:  # before that it was looked at for people's sake, and seldom
            since.append(approved.last_transition_time)
        return after(ctx.clock() - max(since), soonest=timedelta(seconds=1))
    return min(pace(ctx), after(since_shown(ctx)))


def _untouched(ctx: RunContext, gates: Sequence[GateVerdict]) -> list[GateVerdict]:
    """What was found of the other gates stands."""
    names = {gate.name for gate in gates}
    return [
        GateVerdict(gate.name, gate.passed, gate.reason, gate.message)
        for gate in ctx.run.status.merge_gates
        if gate.name not in names
    ]


def _record(ctx: RunContext, gates: Sequence[GateVerdict]) -> None:
    """For `explain`. One that stands as it stood keeps its time, so that nothing new is nothing to write."""
    status = ctx.run.status
    known, now = {gate.name: gate for gate in status.merge_gates}, ctx.clock()
    if gates:  # none: the pull request is not open any more, and what was found last stays
        status.merge_gates = [
            MergeGate(
                name=gate.name,
                passed=gate.passed,
                reason=gate.reason,
                message=one_line(gate.message, limit=256),
                since=old.since if (old := known.get(gate.name)) and _same(old, gate) else now,
            )
            for gate in gates
        ]


def _same(old: MergeGate, new: GateVerdict) -> bool:
    return (old.passed, old.reason) == (new.passed, new.reason)


async def _holds_base(ctx: RunContext, head: str) -> bool:
    base = await ctx.git.fetch(ctx.remote, branch(ctx).base_branch or "main")
    return await ctx.git.is_ancestor(ctx.remote, ancestor=base, sha=head)


async def _fix(ctx: RunContext, verdict: FixNeeded) -> Outcome:
    match verdict.fix:
        case Fix.CONFLICT:
            return await resolve(ctx, verdict.message)
        case Fix.UPDATE:
            return await bring_up_to_date(ctx)
        case Fix.CHECKS:
            ctx.run.status.checks = None  # green was true once: the stage Checks looks again
            return Again()
        case Fix.REVIEW:
            return Again()


async def _merge(ctx: RunContext, pull: Pull) -> Outcome:
    head = branch(ctx).head_sha or ""
    method = ctx.repo.spec.merge.method
    title, message = texts.merge_message(ctx.run)

    async def find() -> str | None:
        return (await ctx.forge.get_pull(pull.number)).merge_sha

    async def act() -> str:
        return await ctx.forge.merge(pull.number, sha=head, method=method.value, title=title, message=message)

    try:
        merged = await once_open(ctx, Gate.MERGE, f"merge/{head}", find=find, act=act)
    except NotMergeable as err:
        return await merge_queue.refused(ctx, err)
    if isinstance(merged, Waiting):
        return merged
    adopt_merge(ctx, merged)
    return Waiting(None, "merged", NOW)


def adopt_merge(ctx: RunContext, sha: str) -> None:
    """Record that the pull request is merged, by us or by somebody else."""
    status = ctx.run.status.pull_request
    if status is not None:
        status.state, status.merge_sha = PullRequestState.MERGED, sha
    set_condition(
        ctx.run, IssueRunCondition.MERGED, True, IssueRunReason.MERGED, "the pull request is merged", ctx.clock()
    )


async def _question(ctx: RunContext) -> Question:
    run, change = ctx.run, await asked_change(ctx)
    pull = run.status.pull_request
    return Question(
        gate=Gate.MERGE,
        title=(run.status.issue and run.status.issue.title) or f"Issue #{run.spec.issue_number}",
        facts={
            "pull_request_number": pull.number if pull else None,
            "head_sha": change.head_sha,
            "change_digest": change.digest,
        },
        paths=lambda: changed_paths(ctx),
        risk=change.risk,
        risk_reasons=change.risk_reasons,
        findings=change.findings,
        url=(pull and pull.url) or "",
        artifact=texts.diff_document(run),
    )
