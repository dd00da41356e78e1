"""Stage Checks: the repository's own checks on our head are the proof. A red one goes back to the agent with its log, one
without a verdict runs again."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import ChecksState, ChecksStatus, EffectState
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason
from orch.api.work import Feedback, StepStage
from orch.policy.checks import ChecksResult, ChecksVerdict, by_others, judge
from orch.policy.fitting import shortened
from orch.policy.text import cut, one_line, plain
from orch.ports import Check, Checks, CheckState
from orch.stages.base import branch
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.effects import find_effect
from orch.stages.fix import fix, starts
from orch.stages.pacing import after
from orch.stages.rerun import newest, run_again, take_note

GRACE: Final = timedelta(minutes=2)
"""Checks may need this long to appear after a push."""

_REASONS: Final = {
    ChecksResult.FAILED: IssueRunReason.CHECKS_FAILED,
    ChecksResult.INTERRUPTED: IssueRunReason.CHECKS_INTERRUPTED,
    ChecksResult.NONE: IssueRunReason.NO_CHECKS,
    ChecksResult.PASSED: IssueRunReason.CHECKS_PASSED,
}
_STATES: Final = {
    ChecksResult.FAILED: ChecksState.FAILED,
    ChecksResult.PASSED: ChecksState.PASSED,
    ChecksResult.NONE: ChecksState.NONE,
    ChecksResult.NONE_YET: ChecksState.NONE,
}


async def checks(ctx: RunContext) -> Outcome:
    """Follow the checks of exactly our head until they are green."""
    head = branch(ctx).head_sha or ""
    known = ctx.run.status.checks
    if known is not None and known.head_sha == head and known.state is ChecksState.PASSED:
        return Done()
    found = by_others(await ctx.forge.checks(head))
    rules = await ctx.forge.branch_rules(branch(ctx).base_branch or "main")
    take_note(ctx, found)
    verdict = judge(found, rules, ctx.repo.spec.merge, grace_over=since_push(ctx, head) > GRACE)
    ctx.run.status.checks = _status(found, verdict)
    passed = verdict.result is ChecksResult.PASSED
    reason = _REASONS.get(verdict.result, IssueRunReason.CHECKS_PENDING)
    set_condition(ctx.run, IssueRunCondition.CHECKS_PASSED, passed, reason, verdict.message, ctx.clock())
    if passed:
        return Done()
    if verdict.result is ChecksResult.FAILED:
        return await _fix(ctx, verdict)
    if verdict.result is ChecksResult.NONE:
        return Waiting(WaitingReason.AWAITING_HUMAN, verdict.message, pace(ctx))
    outcome = Waiting(WaitingReason.AWAITING_CHECKS, verdict.message, pace(ctx))
    if verdict.result is ChecksResult.INTERRUPTED:
        outcome = await run_again(ctx, head, verdict, pace(ctx))
    return _in_time(ctx, head, outcome)


def _in_time(ctx: RunContext, head: str, outcome: Waiting) -> Waiting:
    """A person is asked when checks are waited for too long."""
    if (
        outcome.reason is WaitingReason.AWAITING_CHECKS
        and _since_asked(ctx, head) > ctx.repo.spec.pipeline.timeouts.checks
    ):
        text = f"the checks take longer than pipeline.timeouts.checks: {outcome.message}"
        return Waiting(WaitingReason.AWAITING_HUMAN, text, pace(ctx))
    return outcome


def since_push(ctx: RunContext, head: str) -> timedelta:
    """How long the head is pushed already."""
    pushed = find_effect(ctx.run, f"push/{head}")
    return ctx.clock() - pushed.time if pushed and pushed.state is EffectState.DONE else timedelta(0)


def _since_asked(ctx: RunContext, head: str) -> timedelta:
    """How long nothing was asked of the checks: since the push, or since the last of them was run again."""
    rerun = newest(ctx.run, head)
    return since_push(ctx, head) if rerun is None else min(since_push(ctx, head), ctx.clock() - rerun.time)


def pace(ctx: RunContext) -> timedelta:
    """When to ask GitHub again: soon after a push or a re-run, ever more slowly later. A tenth of the wait so far is not noticed,
    and an answer that has not changed costs no quota."""
    return after(_since_asked(ctx, branch(ctx).head_sha or ""))


def _status(found: Checks, verdict: ChecksVerdict) -> ChecksStatus:
    return ChecksStatus(
        head_sha=found.sha,
        state=_STATES.get(verdict.result, ChecksState.PENDING),
        passed=verdict.passed,
        pending=verdict.pending,
        failed=sum(item.state is CheckState.FAILED for item in found.items),
        interrupted=len(verdict.interrupted),
        failing=shortened([one_line(check.name, 255) for check in verdict.failing], 10),
    )


async def _fix(ctx: RunContext, verdict: ChecksVerdict) -> Outcome:
    needed = starts(ctx, StepStage.CHECKS)
    logs = [
        Feedback(source=f"check {one_line(check.name, 200)}", text=await _log(ctx, check) if needed else "")
        for check in verdict.failing[:3]
    ]
    return await fix(ctx, StepStage.CHECKS, tuple(logs))


async def _log(ctx: RunContext, check: Check) -> str:
    return cut(plain(await ctx.forge.check_log(check)), 30_000)
