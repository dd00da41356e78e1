"""What the audit log tells of an object, read off its status. Pure; called by those who write a status, see `trail`.

Lines are of two kinds. A fact stays in the status and can be told again, with the same id. A turn is what is gone after
the write: an answer taken back, an approval that does not stand any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.conditions import find_condition, is_true
from orch.api.v1alpha1 import Approval, ApprovalOutcome, EffectState, IssueRun, OrchestratedRepo, Verdict
from orch.api.v1alpha1.common import KubeObject
from orch.api.v1alpha1.issuerun_work import Effect, Step, StepState
from orch.api.v1alpha1.reasons import (
    ApprovalCondition,
    IssueRunCondition,
    OrchestratedRepoCondition,
    OrchestratedRepoReason,
    WaitingReason,
)
from orch.api.v1alpha1.types import format_time
from orch.policy.approvals import is_decided
from orch.stages.signs import REFUSED

_CANCELLED: Final = "CancelledByUser"


@dataclass(frozen=True)
class Line:
    """One line. `id` is the same whenever the same fact is told; `time` is when it came to be, None where nobody noted it."""

    event: AuditEvent
    id: str
    time: datetime | None
    fields: Mapping[str, object] = field(hash=False)

    def dump(self) -> dict[str, object]:
        """Its fields; absent ones are left out."""
        at = _at(self.time) or None
        return {key: value for key, value in {"id": self.id, "at": at, **self.fields}.items() if value is not None}


def approval_lines(approval: Approval) -> Iterator[Line]:
    """The facts of a question."""
    spec, status, gate = approval.spec, approval.status, approval.spec.gate.value
    about = {"run": spec.target.name, "gate": gate, "subject": spec.subject.digest}
    if status.outcome is None:
        return  # nobody has looked at it yet
    requester = spec.requester.username or spec.requester.github_login
    asked = {**about, "requester": requester, "expires": format_time(spec.expire_time)}
    yield _line(approval, AuditEvent.APPROVAL_REQUESTED, "", approval.metadata.creation_timestamp, asked)
    for one in status.decisions:
        event = AuditEvent.DECISION_COUNTED if one.counted else AuditEvent.DECISION_REFUSED
        given = spec.decisions.get(one.username)
        times = [time for time in (one.observed_time, status.decide_time) if time is not None]
        facts = {
            **about,
            "who": one.username,
            "verdict": one.verdict.value,
            "groups": list(given.groups) if given else [],
            "answer": one.digest,
            "reason": one.reason,
        }
        yield _line(approval, event, f"{one.username} {one.digest} {one.reason}", max(times, default=None), facts)
    if status.outcome is ApprovalOutcome.SUPERSEDED:
        noted = find_condition(approval, ApprovalCondition.DECIDED)
        why = {**about, "reason": noted and noted.message}
        yield _line(approval, AuditEvent.APPROVAL_SUPERSEDED, "", status.decide_time, why)
    elif is_decided(status):
        yield _settled(approval, about)
    if status.consumed_time is not None:
        used = {**about, "approved_by": _names(approval, Verdict.APPROVE)}
        yield _line(
            approval, AuditEvent.APPROVAL_CONSUMED, format_time(status.consumed_time), status.consumed_time, used
        )


def approval_turns(before: Approval, after: Approval) -> Iterator[Line]:
    """What is not in `after` any more."""
    about = {"run": after.spec.target.name, "gate": after.spec.gate.value, "subject": after.spec.subject.digest}
    left = {one.username for one in after.status.decisions}
    for one in before.status.decisions:
        if one.username not in left:
            facts = {**about, "who": one.username, "verdict": one.verdict.value, "answer": one.digest}
            yield _line(after, AuditEvent.DECISION_WITHDRAWN, f"{one.username} {one.digest}", None, facts)
    was, now = before.status, after.status
    if was.outcome is ApprovalOutcome.APPROVED and now.outcome not in (was.outcome, ApprovalOutcome.SUPERSEDED):
        noted = find_condition(after, ApprovalCondition.DECIDED)
        why = {**about, "reason": noted and noted.message}
        yield _line(after, AuditEvent.APPROVAL_LAPSED, _at(was.decide_time), None, why)


def run_lines(run: IssueRun) -> Iterator[Line]:
    """The facts of a run, but for those that its stages tell themselves."""
    yield from _start(run)
    for entry in run.status.approvals:
        if entry.outcome is ApprovalOutcome.NOT_REQUIRED:
            facts = {"gate": entry.gate.value, "reason": entry.reason}
            yield _line(run, AuditEvent.GATE_NOT_REQUIRED, f"{entry.gate} {entry.reason}", None, facts)
    for step in run.status.steps:
        yield from _step(run, step)
    for effect in run.status.effects:
        yield from _effect(run, effect)
    yield from _adoption(run)
    yield from _pull(run)
    yield from _end(run)


def run_turns(before: IssueRun, after: IssueRun) -> Iterator[Line]:
    """Pause and resumption, and an approval whose time was over before it was used."""
    if (paused := _is_paused(after)) is not _is_paused(before):
        event = AuditEvent.RUN_PAUSED if paused else AuditEvent.RUN_RESUMED
        yield _line(after, event, after.metadata.resource_version or "", None, {})
    stood = {entry.name for entry in before.status.approvals if entry.outcome is ApprovalOutcome.APPROVED}
    for entry in after.status.approvals:
        if entry.name and entry.name in stood and entry.outcome is ApprovalOutcome.EXPIRED:
            facts = {"approval": entry.name, "gate": entry.gate.value, "reason": "validFor is over"}
            yield _line(after, AuditEvent.APPROVAL_LAPSED, entry.name, None, facts)


def repo_turns(before: OrchestratedRepo, after: OrchestratedRepo) -> Iterator[Line]:
    """What the operator goes by from now on. Who changed it does not stand in the object."""
    version, was, now = after.metadata.resource_version or "", before.status.policy_digest, after.status.policy_digest
    if was != now:
        facts = {"mode": after.spec.mode.value, "digest": now, "was": was}
        yield _line(after, AuditEvent.POLICY_CHANGED, version, None, facts)
    if (paused := _is_suspended(after)) is not _is_suspended(before):
        event = AuditEvent.REPOSITORY_PAUSED if paused else AuditEvent.REPOSITORY_RESUMED
        yield _line(after, event, version, None, {})
    stalled = find_condition(after, OrchestratedRepoCondition.STALLED)
    if (stalled is not None) is not (find_condition(before, OrchestratedRepoCondition.STALLED) is not None):
        event = AuditEvent.CIRCUIT_OPENED if stalled else AuditEvent.CIRCUIT_CLOSED
        yield _line(after, event, version, None, {"reason": stalled and stalled.message})


def _settled(approval: Approval, about: Mapping[str, object]) -> Line:
    status = approval.status
    facts = {
        **about,
        "outcome": status.outcome and status.outcome.value,
        "approved_by": _names(approval, Verdict.APPROVE),
        "denied_by": _names(approval, Verdict.DENY),
        "valid_until": _at(status.valid_until) or None,
    }
    key = f"{status.outcome} {_at(status.decide_time)}"
    return _line(approval, AuditEvent.APPROVAL_SETTLED, key, status.decide_time, facts)


def _at(time: datetime | None) -> str:
    return format_time(time) if time is not None else ""


def _names(approval: Approval, verdict: Verdict) -> list[str]:
    return [one.username for one in approval.status.decisions if one.counted and one.verdict is verdict]


def _start(run: IssueRun) -> Iterator[Line]:
    status, trigger = run.status, run.spec.trigger
    if status.start_time is not None:
        facts = {
            "issue": run.spec.issue_number,
            "identity": status.identity,
            "trigger": trigger.type.value,
            "who": _who(run),
            "trigger_event": trigger.event_id,
        }
        yield _line(run, AuditEvent.RUN_STARTED, "", status.start_time, facts)


def _who(run: IssueRun) -> str | None:
    """A Kubernetes user, or for a label an account on the code host."""
    return run.spec.trigger.username or run.spec.trigger.github_login


def _step(run: IssueRun, step: Step) -> Iterator[Line]:
    if step.runner_uid is not None:
        facts = {"step": step.name, "stage": step.stage.value, "input": step.input_digest}
        yield _line(run, AuditEvent.STEP_STARTED, step.name, step.start_time, facts)
    if step.state not in (StepState.INTENDED, StepState.RUNNING):
        facts = {
            "step": step.name,
            "state": step.state.value,
            "outcome": step.reason,
            "output": step.output_digest,
            "cost_usd": str(step.cost_usd or 0),
        }
        yield _line(run, AuditEvent.STEP_FINISHED, step.name, step.completion_time, facts)


def _effect(run: IssueRun, effect: Effect) -> Iterator[Line]:
    facts: dict[str, object] = {"effect": effect.key, "observed": effect.observed}
    if effect.state is EffectState.UNKNOWN:
        yield _line(
            run, AuditEvent.EFFECT_UNKNOWN, f"{effect.key} {_at(effect.time)}", effect.time, {"effect": effect.key}
        )
    if effect.state is not EffectState.DONE or effect.observed == REFUSED or _is_theirs(run, effect):
        return
    key = f"{effect.key} {_at(effect.time)}"
    yield _line(run, AuditEvent.EFFECT_DONE, key, effect.time, facts)
    if effect.key.startswith("push/"):
        sha, change, branch = effect.key.removeprefix("push/"), run.status.change, run.status.branch
        known = change.digest if change is not None and change.head_sha == sha else None
        pushed = {"branch": branch and branch.name, "sha": sha, "change": known}
        yield _line(run, AuditEvent.PUSHED, key, effect.time, pushed)


def _is_theirs(run: IssueRun, effect: Effect) -> bool:
    """Whether it stands for commits that somebody else has pushed: that was no act of orch's."""
    record = run.status.branch
    return record is not None and record.adopted is not None and effect.key == f"push/{record.adopted.head_sha}"


def _adoption(run: IssueRun) -> Iterator[Line]:
    record = run.status.branch
    if record is not None and record.adopted is not None:
        wish = record.adopted
        facts = {"who": wish.username, "branch": record.name, "sha": wish.head_sha}
        yield _line(run, AuditEvent.COMMITS_ADOPTED, f"{wish.head_sha} {_at(wish.time)}", None, facts)


def _pull(run: IssueRun) -> Iterator[Line]:
    pull = run.status.pull_request
    if pull is None:
        return
    opened = next((effect.time for effect in run.status.effects if effect.key == "pull-request"), None)
    facts: dict[str, object] = {"pr": pull.number, "url": pull.url}
    yield _line(run, AuditEvent.PULL_REQUEST_OPENED, f"{pull.number}", opened, facts)
    merged = find_condition(run, IssueRunCondition.MERGED)
    if merged is not None and is_true(run, IssueRunCondition.MERGED):
        ours = any(effect.key.startswith("merge/") for effect in run.status.effects)
        done = {"pr": pull.number, "sha": pull.merge_sha, "by": "orch" if ours else "somebody else"}
        yield _line(run, AuditEvent.MERGED, "", merged.last_transition_time, done)


def _end(run: IssueRun) -> Iterator[Line]:
    status = run.status
    if status.completion_time is None:
        return
    if run.spec.cancel is not None and status.failure is not None and status.failure.reason == _CANCELLED:
        facts = {"who": run.spec.cancel.username, "reason": run.spec.cancel.reason}
        yield _line(run, AuditEvent.RUN_CANCELLED, "", status.completion_time, facts)
    outcome = "Succeeded" if status.failure is None else status.failure.reason
    ended = {"outcome": outcome, "cost_usd": str(status.usage.cost_usd), "who": _who(run)}
    yield _line(run, AuditEvent.RUN_FINISHED, "", status.completion_time, ended)


def _is_paused(run: IssueRun) -> bool:
    waiting = find_condition(run, IssueRunCondition.WAITING)
    return waiting is not None and waiting.status == "True" and waiting.reason == WaitingReason.SUSPENDED


def _is_suspended(repo: OrchestratedRepo) -> bool:
    ready = find_condition(repo, OrchestratedRepoCondition.READY)
    return ready is not None and ready.reason == OrchestratedRepoReason.SUSPENDED


def _line(about: KubeObject, event: AuditEvent, key: str, time: datetime | None, facts: Mapping[str, object]) -> Line:
    meta = about.metadata
    name = hashlib.sha256("\0".join((meta.uid or "", event.value, key)).encode()).hexdigest()[:16]
    where = {"namespace": meta.namespace, _self(about): meta.name}
    return Line(event, name, time, {**where, **facts})


def _self(about: KubeObject) -> str:
    return "approval" if isinstance(about, Approval) else "run" if isinstance(about, IssueRun) else "repo"
