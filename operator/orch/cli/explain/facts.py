"""What is recorded of each gate of a run, in words: a fact when it is passed, None when nothing is known. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from orch.api.conditions import find_condition, is_true
from orch.api.v1alpha1 import (
    Approval,
    ApprovalOutcome,
    Gate,
    GateApproval,
    MergeGate,
    OrchestratedRepo,
    PullRequestState,
    RunStage,
    Step,
    Verdict,
)
from orch.api.v1alpha1.reasons import OrchestratedRepoReason, find_meaning
from orch.cli.explain.gate import Line, Scene
from orch.cli.explain.gate import Verdict as Stands
from orch.cli.wording import lacking
from orch.policy.findings import told

_MOST_FINDINGS: Final = 5


@dataclass(frozen=True)
class Fact:
    """What is known. `by_policy`: nobody had to do anything for it."""

    message: str
    since: datetime | None = None
    by_policy: bool = False


def repository(repo: OrchestratedRepo, ended: bool) -> Line:
    """The condition Ready, in a line. A run that has ended waits for it no more."""
    ready = find_condition(repo, "Ready")
    if ready is None:
        advice = "Is the operator running, and does it watch this namespace? kubectl orch doctor"
        return Line("Repository", Stands.WAITING, "no operator has looked at it yet", None, "the operator", advice)
    since = ready.last_transition_time
    if is_true(repo, "Ready") or ended:
        return Line("Repository", Stands.PASSED, ready.message, since)
    advice = find_meaning(ready.reason, OrchestratedRepoReason) or ""
    return Line("Repository", Stands.WAITING, f"{ready.reason}: {ready.message}", since, "a person", advice)


def admitted(scene: Scene) -> Fact | None:
    """It has a slot."""
    started = scene.run.status.start_time
    return Fact("the run has a slot", started) if started else None


def claimed(scene: Scene) -> Fact | None:
    """The issue was snapshotted and claimed."""
    issue = scene.run.status.issue
    return Fact(f"claimed: {issue.title}", scene.effect_time("claim/")) if issue else None


def analysed(scene: Scene) -> Fact | None:
    """What the model made of it."""
    found = scene.run.status.analysis
    if found is None:
        return None
    text = f"{found.type}, complexity {found.complexity} of 10, {found.confidence_percent} % sure"
    return Fact(text, _ended(scene.steps(RunStage.ANALYSE)))


def planned(scene: Scene) -> Fact | None:
    """There is a plan."""
    plan = scene.run.status.plan
    return Fact(f"{len(plan.files)} files are named in it", _ended(scene.steps(RunStage.PLAN))) if plan else None


def implemented(scene: Scene) -> Fact | None:
    """The agent has changed the code."""
    steps = scene.steps(RunStage.IMPLEMENT)
    change = scene.run.status.change
    if not steps or change is None:
        return None
    flaky = f"; flaky tests: {', '.join(change.flaky_tests)}" if change.flaky_tests else ""
    return Fact(f"attempt {steps[-1].attempt}{flaky}", _ended(steps))


def guarded(scene: Scene) -> Fact | None:
    """What the guards said of the real diff."""
    change = scene.run.status.change
    if change is None:
        return None
    text = f"{change.files} files, +{change.additions} -{change.deletions}, risk {change.risk}"
    findings = [told(found) for found in change.findings[:_MOST_FINDINGS]]
    if more := len(change.findings) - len(findings) + change.findings_omitted:
        findings.append(f"and {more} more: kubectl describe irun {scene.run.metadata.name}")
    return Fact("; ".join([text, *findings]), scene.effect_time("push/"))


def published(scene: Scene) -> Fact | None:
    """The head is pushed, and there is a pull request."""
    pull, branch = scene.run.status.pull_request, scene.run.status.branch
    if pull is None or branch is None or branch.expected_sha != branch.head_sha:
        return None
    return Fact(f"#{pull.number} {pull.url or ''}".strip(), scene.effect_time("pull-request"))


def head(scene: Scene) -> Fact | None:
    """The branch is where orch left it."""
    branch = scene.run.status.branch
    if branch is None or branch.taken_over or branch.expected_sha is None:
        return None
    return Fact(f"{branch.name} is at {branch.expected_sha[:8]}", scene.effect_time(f"push/{branch.expected_sha}"))


def checked(scene: Scene) -> Fact | None:
    """The checks of the head."""
    checks, passed = scene.run.status.checks, scene.condition("ChecksPassed")
    if checks is None or passed is None:
        return None
    return Fact(passed.message, passed.last_transition_time)


def merge_gate(scene: Scene, name: str) -> MergeGate | None:
    """What was last recorded of a gate before the merge."""
    return next((gate for gate in scene.run.status.merge_gates if gate.name == name), None)


def passed(scene: Scene, name: str) -> Fact | None:
    """A gate before the merge that was open when the run last stood there."""
    found = merge_gate(scene, name)
    return Fact(found.message, found.since) if found and found.passed else None


def reviewed(scene: Scene) -> Fact | None:
    """The reviews, once the run has gone on from them: as they were last looked at before the merge, else since people were
    asked whether to merge."""
    if scene.stage not in (RunStage.MERGE, RunStage.VERIFY, RunStage.DONE):
        return None
    question = next((one for one in scene.approvals if one.spec.gate is Gate.MERGE), None)
    return passed(scene, "Reviews") or (Fact("", question.metadata.creation_timestamp) if question else None)


def merged(scene: Scene) -> Fact | None:
    """The pull request is merged."""
    pull = scene.run.status.pull_request
    if pull is None or pull.state is not PullRequestState.MERGED:
        return None
    done = scene.condition("Merged")
    return Fact(f"#{pull.number} as {(pull.merge_sha or '')[:8]}", done.last_transition_time if done else None)


def recorded(scene: Scene) -> Fact | None:
    """The merge can be undone."""
    point = scene.run.status.rollback_point_ref
    return Fact(f"RollbackPoint {point.name}", scene.run.status.completion_time) if point else None


def approved(scene: Scene, gate: Gate) -> Fact | None:
    """The gate is open: people approved, or policy does not ask."""
    noted = _noted(scene, gate)
    if noted is None:
        return None
    if noted.outcome is ApprovalOutcome.NOT_REQUIRED:
        return Fact(noted.reason or "policy does not ask", by_policy=True)
    if noted.outcome is not ApprovalOutcome.APPROVED:
        return None
    asked_for = _approval(scene.approvals, noted.name)
    if asked_for is None:
        return Fact(f"{noted.name} was approved")
    people = [one.username for one in asked_for.status.decisions if one.counted and one.verdict is Verdict.APPROVE]
    return Fact(f"{noted.name}: approved by {', '.join(people)}", asked_for.status.decide_time)


def asked(scene: Scene, gate: Gate, line: Line) -> Line:
    """A line about an open question, with who has to answer it."""
    noted = _noted(scene, gate)
    question = _approval(scene.approvals, noted.name) if noted else None
    if question is None:
        return replace(line, waits_for="people with the verb approve")
    advice = line.advice
    if question.status.outcome in (None, ApprovalOutcome.PENDING):
        advice = f"kubectl orch approve {question.metadata.name}, or deny it, until {question.spec.expire_time:%Y-%m-%d %H:%M} UTC"
    return replace(line, since=question.metadata.creation_timestamp, waits_for=lacking(question), advice=advice)


def _noted(scene: Scene, gate: Gate) -> GateApproval | None:
    return next((entry for entry in scene.run.status.approvals if entry.gate is gate), None)


def _approval(approvals: Sequence[Approval], name: str) -> Approval | None:
    return next((one for one in approvals if one.metadata.name == name), None)


def _ended(steps: list[Step]) -> datetime | None:
    return steps[-1].completion_time if steps else None
