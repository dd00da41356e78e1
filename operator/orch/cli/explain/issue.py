"""The gates of an issue that has no run at work: why none was started. Pure: called by `verb`, tested as a table.

It knows what the operator recorded; an issue that carries no label of the selector leaves no trace in the cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import IssueRun, Mode, OrchestratedRepo
from orch.api.v1alpha1.reasons import IntakeReason, find_meaning
from orch.cli.explain import facts
from orch.cli.explain.gate import Line, Verdict
from orch.policy.capacity import Load, full


@dataclass(frozen=True)
class IssueScene:
    """`runs`: of the issue, first attempt first, all ended without a merge; `others`: all runs of the repository."""

    repo: OrchestratedRepo
    issue: int
    runs: Sequence[IssueRun]
    others: Sequence[IssueRun]


def explain_issue(scene: IssueScene) -> list[Line]:
    """Every gate before a run: the repository, its mode, the labels, earlier runs, slots."""
    return [_repository(scene.repo), _mode(scene), *_earlier(scene), _labels(scene), _slot(scene)]


def _repository(repo: OrchestratedRepo) -> Line:
    if repo.spec.suspend:
        ready = find_condition(repo, "Ready")
        return Line(
            "Repository",
            Verdict.WAITING,
            "suspended: no new work starts",
            ready.last_transition_time if ready else None,
            "somebody who unsets spec.suspend",
            f"kubectl orch resume {repo.metadata.name}",
        )
    return facts.repository(repo, ended=False)


def _mode(scene: IssueScene) -> Line:
    mode, since = scene.repo.spec.mode, _unchanged_since(scene.repo)
    if mode is not Mode.MANUAL:
        return Line("Mode", Verdict.PASSED, f"{mode} takes labelled issues", since)
    advice = f"kubectl orch run {scene.repo.metadata.name} {scene.issue}, or set another mode."
    return Line(
        "Mode", Verdict.WAITING, "Manual takes no issue by its labels", since, "a person who starts a run", advice
    )


def _unchanged_since(repo: OrchestratedRepo) -> datetime | None:
    """Since when its spec is as it is, if it was never changed: the object does not know when it was."""
    return repo.metadata.creation_timestamp if repo.metadata.generation == 1 else None


def _earlier(scene: IssueScene) -> list[Line]:
    if not scene.runs:
        return []
    last, limit = scene.runs[-1], scene.repo.spec.concurrency.max_runs_per_issue
    failure, name = last.status.failure, last.metadata.name
    why = f"{failure.reason}: {failure.message}" if failure else "it ended without a merge"
    message = f"{name} ended, {len(scene.runs)} of at most {limit} runs by label: {why}"
    meaning = find_meaning(failure.reason) if failure else None
    advice = " ".join(filter(None, [meaning, f"To try again: kubectl orch retry {name}"]))
    return [Line("Earlier run", Verdict.FAILED, message, last.status.completion_time, "a person", advice)]


def _labels(scene: IssueScene) -> Line:
    refused = next((one for one in scene.repo.status.refused if one.issue_number == scene.issue), None)
    if refused is not None:
        advice = find_meaning(refused.reason, IntakeReason) or ""
        return Line("Labels", Verdict.WAITING, f"{refused.reason}: {refused.message}", None, "a person", advice)
    wanted = scene.repo.spec.issues.selector.any_of
    if scene.runs:
        taken = scene.runs[-1].spec.trigger.time or scene.runs[-1].metadata.creation_timestamp
        return Line("Labels", Verdict.PASSED, "its last labelling was taken", taken)
    labels = " or ".join(repr(label) for label in wanted) or "none"
    message = f"the operator has seen no open issue #{scene.issue} with a label of issues.selector.anyOf ({labels})"
    advice = (
        f"Somebody with {scene.repo.spec.issues.trust.minimum_permission} permission labels it, or: kubectl orch run"
    )
    return Line(
        "Labels",
        Verdict.WAITING,
        message,
        None,
        "a label by somebody trusted",
        f"{advice} {scene.repo.metadata.name} {scene.issue}",
    )


def _slot(scene: IssueScene) -> Line:
    at_work = [run for run in scene.others if run.status.completion_time is None]
    active = [run for run in at_work if run.status.start_time is not None and run.status.pull_request is None]
    pulls = [run for run in at_work if run.status.pull_request is not None]
    limits = scene.repo.spec.concurrency
    reached = full(limits, Load(active=len(active), open_pulls=len(pulls)))
    if reached is None:
        return Line("Slot", Verdict.PASSED, "there is room for a run")
    holding = active if len(active) >= limits.max_active_runs else [*active, *pulls]
    since = max((run.status.start_time for run in holding if run.status.start_time), default=None)
    return Line("Slot", Verdict.WAITING, reached, since, "another run to end", find_meaning("QueueFull") or "")
