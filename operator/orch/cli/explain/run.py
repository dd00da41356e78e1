"""The gates of a run, in their order. Pure: called by `verb`, tested as a table.

A gate before the run's stage is passed, one behind it is not reached: a fix moves the head, and what was known of the old
one says nothing any more. At the stage itself the recorded facts decide, and the condition `Waiting` names what holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from orch.api.v1alpha1 import ConditionStatus, Gate, RunStage, StepState
from orch.api.v1alpha1.reasons import WaitingReason, find_meaning
from orch.cli.explain import facts
from orch.cli.explain.gate import Line, Scene, Verdict

_ORDER: Final = list(RunStage)

_WAITS_FOR: Final = {
    WaitingReason.AWAITING_CHECKS: "the pull request's checks",
    WaitingReason.AWAITING_REVIEW: "reviewers of the pull request",
    WaitingReason.AWAITING_HUMAN: "a person",
    WaitingReason.BUDGET_EXHAUSTED: "somebody who may change spec.budget",
    WaitingReason.CONTENT_CHANGED: "somebody trusted who labels the issue again",
    WaitingReason.MERGE_FROZEN: "the end of the freeze",
    WaitingReason.QUEUE_FULL: "another run of the repository to end",
    WaitingReason.RATE_LIMITED: "the host or the model service",
    WaitingReason.SUSPENDED: "somebody who unsets spec.suspend",
    WaitingReason.TAKEN_OVER: "somebody who has orch adopt what was pushed, or merges it",
}
"""By the reason of condition Waiting; approvals say it themselves."""


@dataclass(frozen=True)
class _Gate:
    """One gate of the way. `claims`: the reasons of waiting or failing that are this gate's wherever the run stands;
    `asks`: the gate at which people are asked; `records`: the entry of `status.mergeGates`, and who is waited for there."""

    name: str
    stage: RunStage
    fact: Callable[[Scene], facts.Fact | None]
    claims: frozenset[str] = frozenset()
    asks: Gate | None = None
    records: str | None = None
    waits_for: str = ""


def _approval(gate: Gate, stage: RunStage) -> _Gate:
    return _Gate(f"Approval {gate.value}", stage, lambda scene: facts.approved(scene, gate), asks=gate)


def _merge_gate(name: str, records: str, waits_for: str, reason: str = "") -> _Gate:
    claims = frozenset({reason}) if reason else frozenset()
    return _Gate(
        name, RunStage.MERGE, lambda scene: facts.passed(scene, records), claims, records=records, waits_for=waits_for
    )


_GATES: Final = (
    _Gate("Slot", RunStage.QUEUED, facts.admitted, frozenset({"QueueFull"})),
    _Gate(
        "Issue", RunStage.CLAIM, facts.claimed, frozenset({"ContentChanged", "IssueClosed", "Unlabelled", "IssueGone"})
    ),
    _Gate("Analysis", RunStage.ANALYSE, facts.analysed),
    _Gate("Plan", RunStage.PLAN, facts.planned),
    _approval(Gate.PLAN, RunStage.PLAN),
    _Gate("Implementation", RunStage.IMPLEMENT, facts.implemented),
    _Gate("Guards", RunStage.GUARD, facts.guarded, frozenset({"GuardViolation"})),
    _approval(Gate.PUBLISH, RunStage.PUBLISH),
    _Gate("Pull request", RunStage.PUBLISH, facts.published, frozenset({"ClosedByHuman"})),
    _Gate("Head", RunStage.PUBLISH, facts.head, frozenset({"TakenOver"})),
    _Gate("Checks", RunStage.CHECKS, facts.checked),
    _Gate("Review", RunStage.REVIEW, facts.reviewed),
    _approval(Gate.MERGE, RunStage.MERGE),
    _merge_gate("Conflict", "Conflict", "orch, which merges the base branch in"),
    _merge_gate("Required checks", "Checks", "the pull request's checks"),
    _merge_gate("Required reviews", "Reviews", "reviewers of the pull request"),
    _merge_gate("Up to date", "UpToDate", "orch, which merges the base branch in"),
    _merge_gate("Blocker", "Blocker", "a person"),
    _merge_gate("Freeze", "Freeze", "the end of the freeze", "MergeFrozen"),
    _merge_gate("Branch rules", "BranchRules", "a person who may merge"),
    _Gate("Merge", RunStage.MERGE, facts.merged),
    _Gate("Rollback point", RunStage.VERIFY, facts.recorded),
)


def explain_run(scene: Scene) -> list[Line]:
    """Every gate of the run, the repository's first."""
    holder = _holder(scene)
    return [_repository(scene), *(_line(scene, gate, holder) for gate in _GATES)]


def blocking(lines: list[Line]) -> Line | None:
    """The gate that the run stands at; None when it is through."""
    closed = (line for line in lines if line.verdict in (Verdict.FAILED, Verdict.WAITING, Verdict.WORKING))
    return next(closed, None)


def _holder(scene: Scene) -> _Gate | None:
    """The gate that holds the run; None when it is done, or held by its repository."""
    if scene.stage is RunStage.DONE or _is_suspended(scene):
        return None
    reason = _reason(scene)
    here = list(_at(scene.stage))
    if reason in ("AwaitingApproval", "Denied", "ApprovalExpired", "SubjectKeepsMoving", "ApprovalGone"):
        asking = [gate for gate in here if gate.asks is not None]
        if asking:
            return asking[0]
    if scene.run.status.held_time is not None and reason == "AwaitingHuman":
        return _GATES[1]
    claiming = [gate for gate in _GATES if reason in gate.claims]
    if claiming:
        return claiming[0]
    closed = [gate for gate in here if _is_closed(scene, gate)]
    closed += [gate for gate in here if gate.fact(scene) is None and not gate.records]
    return closed[0] if closed else here[-1] if here else None


def _is_closed(scene: Scene, gate: _Gate) -> bool:
    found = facts.merge_gate(scene, gate.records) if gate.records else None
    return found is not None and not found.passed


def _at(stage: RunStage) -> Iterator[_Gate]:
    wanted = RunStage.IMPLEMENT if stage is RunStage.TEST else stage
    return (gate for gate in _GATES if gate.stage is wanted)


def _reason(scene: Scene) -> str:
    """Why it waits or has failed; empty while orch is at work."""
    if scene.run.status.failure is not None:
        return scene.run.status.failure.reason
    waiting = scene.condition("Waiting")
    return waiting.reason if waiting is not None and waiting.status is ConditionStatus.TRUE else ""


def _is_suspended(scene: Scene) -> bool:
    return scene.run.status.failure is None and (_reason(scene) == WaitingReason.SUSPENDED or scene.repo is None)


def _line(scene: Scene, gate: _Gate, holder: _Gate | None) -> Line:
    if gate is holder:
        return _closed(scene, gate)
    if gate.stage is scene.stage and holder is not None and _is_closed(scene, gate):
        return _refused(scene, gate)
    position = _ORDER.index(gate.stage) - _ORDER.index(scene.stage)
    fact = gate.fact(scene)
    if position < 0 or (position == 0 and fact is not None and not _behind(gate, holder)):
        found = fact or facts.Fact("")
        verdict = Verdict.NOT_ASKED if found.by_policy else Verdict.PASSED
        return Line(gate.name, verdict, found.message, found.since)
    return Line(gate.name, Verdict.NOT_REACHED)


def _refused(scene: Scene, gate: _Gate) -> Line:
    """A gate before the merge that is closed, beside the one that holds the run."""
    found = facts.merge_gate(scene, gate.records or "")
    message, since = (found.message, found.since) if found else ("", None)
    return Line(gate.name, Verdict.WAITING, message, since, gate.waits_for)


def _behind(gate: _Gate, holder: _Gate | None) -> bool:
    """A gate behind the one that holds the run at the same stage is not reached, whatever was recorded once. Those before
    the merge are looked at all together, also while people are asked."""
    if gate.records:
        return False
    return holder is not None and gate.stage is holder.stage and _GATES.index(gate) > _GATES.index(holder)


def _closed(scene: Scene, gate: _Gate) -> Line:
    failure, reason = scene.run.status.failure, _reason(scene)
    advice = find_meaning(reason) or ""
    if failure is not None:
        message = f"{failure.reason}: {failure.message}"
        return Line(gate.name, Verdict.FAILED, message, scene.run.status.completion_time, advice=advice)
    outcome, waiting = scene.condition("Succeeded"), scene.condition("Waiting")
    message = outcome.message if outcome else "no operator has looked at it yet"
    if not reason:
        return _working(scene, Line(gate.name, Verdict.WORKING, message))
    line = Line(
        gate.name,
        Verdict.WAITING,
        waiting.message if waiting else message,
        waiting.last_transition_time if waiting else None,
        _WAITS_FOR.get(WaitingReason(reason), "") if reason in list(WaitingReason) else "",
        advice,
    )
    if _is_closed(scene, gate):
        return replace(_refused(scene, gate), advice=advice)
    if gate.asks is not None:
        return facts.asked(scene, gate.asks, line)
    return line


def _working(scene: Scene, line: Line) -> Line:
    """What orch is at, and since when."""
    running = [step for step in scene.run.status.steps if step.state in (StepState.INTENDED, StepState.RUNNING)]
    if running:
        step = running[-1]
        return replace(line, message=f"step {step.name} runs: {line.message}", since=step.start_time, waits_for="orch")
    outcome = scene.condition("Succeeded")
    if outcome is None:
        advice = "Is the operator running? kubectl orch doctor"
        return replace(line, since=scene.run.metadata.creation_timestamp, waits_for="the operator", advice=advice)
    again = scene.run.status.next_attempt_time
    waits_for = f"orch, which tries again at {_clock(again)}" if again else "orch"
    return replace(line, since=_since_stage(scene), waits_for=waits_for)


def _since_stage(scene: Scene) -> datetime | None:
    """Since when it has been at this stage: the newest thing that was recorded before."""
    status = scene.run.status
    times = [status.start_time, scene.effect_time(""), *(step.completion_time for step in status.steps)]
    return max((time for time in times if time is not None), default=scene.run.metadata.creation_timestamp)


def _clock(moment: datetime) -> str:
    return f"{moment:%H:%M:%S} UTC"


def _repository(scene: Scene) -> Line:
    """The gate before all others: the repository's own."""
    run, repo = scene.run, scene.repo
    if repo is None:
        name = run.spec.repository_ref.name
        advice = f"Create OrchestratedRepo {name} in this namespace, or delete the run."
        return Line(
            "Repository", Verdict.WAITING, f"there is no OrchestratedRepo {name}", waits_for="a person", advice=advice
        )
    if _is_suspended(scene):
        waiting = scene.condition("Waiting")
        what = (
            f"run: kubectl orch resume {run.metadata.name}"
            if run.spec.suspend
            else f"repository: kubectl orch resume {repo.metadata.name}"
        )
        return Line(
            "Repository",
            Verdict.WAITING,
            waiting.message if waiting else "",
            waiting.last_transition_time if waiting else None,
            _WAITS_FOR[WaitingReason.SUSPENDED],
            f"Resume the {what}",
        )
    return facts.repository(repo, run.status.completion_time is not None)
