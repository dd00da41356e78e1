"""Stage Guard: the change is imported as data, diffed and judged in our mirror, and rebuilt as a commit of ours."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.conditions import set_condition
from orch.api.v1alpha1 import ChangeStatus, Finding, GuardAction, Step
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason
from orch.api.work import StepReport
from orch.errors import PolicyDenied, Terminal
from orch.policy.findings import by_rule, place
from orch.policy.fitting import shortened
from orch.policy.guards import Finding as FoundByGuard
from orch.policy.guards import evaluate, shortlist
from orch.policy.guards.sizes import not_shown
from orch.policy.risk import assess
from orch.policy.text import one_line
from orch.stages import texts
from orch.stages.authorship import author
from orch.stages.base import branch, pin_base
from orch.stages.contract import Done, Outcome, RunContext
from orch.stages.documents import keep
from orch.stages.implement import latest_change
from orch.stages.inputs import read_input
from orch.stages.work import read_report

BUNDLE_LIMIT: Final = 300_000_000
_MOST_TESTS: Final = 1_000_000_000
_MOST_FLAKY: Final = 10


async def guard(ctx: RunContext) -> Outcome:
    """Judge the newest change once. Raises PolicyDenied for a finding that policy forbids, Terminal for a bad bundle."""
    step = latest_change(ctx)
    if step is None:
        raise Terminal("ChangeMissing", "the run has lost the record of its change: retry it")
    change = ctx.run.status.change
    if change is not None and change.step == step.name:
        _refuse(change)
        return Done()
    report = await read_report(ctx, step)
    head = await _build(ctx, step, report)
    record = branch(ctx)
    base = await ctx.git.fetch(ctx.remote, record.base_branch or "main") if record.head_sha else await pin_base(ctx)
    await judge(ctx, head, base=base, step=step.name, document=texts.diff_key(step.name))
    _note_tests(ctx, report)
    return Done()


def _note_tests(ctx: RunContext, report: StepReport) -> None:
    """A repository without tests is worked on all the same, but nobody is to believe that something was tested."""
    if (change := ctx.run.status.change) is not None:
        change.tests_passed = _sum(one.passed for one in report.tests)
        change.tests_failed = _sum(one.failed for one in report.tests)
        flaky = dict.fromkeys(one_line(name, 256) for one in report.tests for name in one.flaky)
        change.flaky_tests = shortened(list(flaky), _MOST_FLAKY)
    reason = IssueRunReason.TESTS_PASSED if report.has_tests else IssueRunReason.NO_TESTS
    set_condition(ctx.run, IssueRunCondition.TESTED, report.has_tests, reason, reason.meaning, ctx.clock())


def _sum(counts: Iterable[int | None]) -> int | None:
    """None where nothing was counted. The figures are the sandbox's, so they are kept within what a field takes."""
    known = [count for count in counts if count is not None]
    return min(max(sum(known), 0), _MOST_TESTS) if known else None


async def _build(ctx: RunContext, step: Step, report: StepReport) -> str:
    """Their tree, our parents, author and message. The step's completion time makes the commit the same each time."""
    made, record = report.change, branch(ctx)
    if made is None:
        raise Terminal("ChangeMissing", f"step {step.name} gave back no change")
    with tempfile.TemporaryDirectory(prefix="orch-") as folder:
        bundle = Path(folder) / "change.bundle"
        await ctx.artifacts.get_file(made.bundle, bundle, limit=BUNDLE_LIMIT)
        await ctx.git.import_bundle(ctx.remote, bundle, sha=made.sha)
    base = await pin_base(ctx)
    parents = [record.head_sha or base]
    merged = (await read_input(ctx, step)).merge_sha
    if merged is not None:
        parents.append(merged)
    who = await author(ctx)
    message = texts.commit_message(ctx.run, step, sign_off=who if ctx.repo.spec.publish.commit.sign_off else None)
    time = step.completion_time or ctx.clock()
    return await ctx.git.commit(ctx.remote, tree_of=made.sha, parents=parents, message=message, author=who, time=time)


async def judge(ctx: RunContext, head: str, *, base: str, step: str, document: str) -> None:
    """Diff a commit of ours against the base branch, hold it against policy, and record it as the run's change."""
    diff = await ctx.git.diff(ctx.remote, base=base, sha=head, read=True)
    if not diff.changes:
        raise Terminal("NothingChanged", "the change is empty against the base branch")
    patch = await ctx.git.patch(ctx.remote, base=base, sha=head)
    findings = [*not_shown(patch), *evaluate(diff, ctx.repo.spec.guards)]
    risk = assess(diff, findings, analysis=ctx.run.status.analysis)
    await keep(ctx, document, "change.diff", patch)
    told = shortlist(findings)
    # Recorded last: a change that is recorded counts as judged, and whatever fails above has to be done again.
    ctx.run.status.change = ChangeStatus(
        step=step,
        head_sha=head,
        digest=diff.digest,
        files=len(diff.changes),
        additions=sum(change.additions for change in diff.changes),
        deletions=sum(change.deletions for change in diff.changes),
        risk=risk.risk,
        findings=[_recorded(finding) for finding in told],
        findings_omitted=len(findings) - len(told),
        risk_reasons=[one_line(reason, 256) for reason in risk.reasons[:20]],
    )
    branch(ctx).head_sha = head
    for finding in findings:
        ctx.lines(AuditEvent.SAFETY_VIOLATION, {"guard": finding.guard, "action": finding.action, "path": finding.path})
    _refuse(ctx.run.status.change)


def _refuse(change: ChangeStatus) -> None:
    """Raise PolicyDenied for a change with a finding that policy forbids, at each look: findings are gravest first."""
    denied = next((finding for finding in change.findings if finding.action is GuardAction.DENY), None)
    if denied is not None:
        text = f"guard {denied.guard} refuses {place(denied)}{by_rule(denied)}: {denied.message}"
        raise PolicyDenied("GuardViolation", text)


def _recorded(finding: FoundByGuard) -> Finding:
    return Finding(
        guard=finding.guard,
        action=finding.action,
        path=finding.path or None,
        line=finding.line or None,
        rule=finding.rule or None,
        message=finding.message,
    )
