"""The few fields of an object that the watch keeps in memory. A 30 KiB object costs 94 KiB of Python; these cost less than one.

Called by `main`, which registers a projection with each watch, and by those who count runs. It decides nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

RESET_ANNOTATION: Final = "orch.dev/resetAt"
"""By which people close an open circuit: any new value."""
TERMINAL_LABEL: Final = "orch.dev/terminal"
REPO_LABEL: Final = "orch.dev/repo"
ISSUE_LABEL: Final = "orch.dev/issue"
RUN_LABEL: Final = "orch.dev/run"
FINALIZER: Final = "orch.dev/cleanup"
"""Held while a run or a repository has something outside of the cluster to let go, five minutes at most."""

BY_RUN: Final = "run"
"""The index of Approvals by the run that they are about: see `by_run`."""


class Ending(StrEnum):
    """Values of the label `orch.dev/terminal`, so that `kubectl get irun -l orch.dev/terminal=Failed` works."""

    MERGED = "Merged"
    REJECTED = "Rejected"
    CANCELLED = "Cancelled"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class RunProjection:
    """What others need to know of a run."""

    asked: tuple[str, ...]
    """What people can ask of it: see `_asked`."""
    namespace: str
    name: str
    repo: str
    issue: int
    started: bool
    has_pull: bool
    finished: bool
    waiting: str
    """The reason of the condition Waiting while it is True, else empty."""
    shown: bool
    """Whether GitHub takes what it says of itself there, as far as that was tried."""
    event_id: str
    created: str
    """RFC 3339, as the server wrote it."""


def project_run(document: Mapping[str, Any]) -> RunProjection:
    """An IssueRun's projection, whatever a newer version may have written into it: only its reconcile can say so on it."""
    spec, status = _part(document, "spec"), _part(document, "status")
    waiting = _condition(status, "Waiting")
    return RunProjection(
        asked=_asked(document),
        namespace=document["metadata"].get("namespace", ""),
        name=document["metadata"]["name"],
        repo=str(_part(spec, "repositoryRef").get("name", "")),
        issue=spec.get("issueNumber", 0),
        started="startTime" in status,
        has_pull="pullRequest" in status,
        finished="completionTime" in status,
        waiting=waiting.get("reason", "") if waiting.get("status") == "True" else "",
        shown=_condition(status, "StatusShown").get("status") != "False",
        event_id=_part(spec, "trigger").get("eventID", ""),
        created=document["metadata"].get("creationTimestamp", ""),
    )


def by_repo(run: RunProjection) -> tuple[str, ...]:
    """The index under which a repository's runs are found: `<namespace>/<OrchestratedRepo>`."""
    return (f"{run.namespace}/{run.repo}",)


@dataclass(frozen=True, slots=True)
class RepoProjection:
    """What others need to know of a repository."""

    asked: tuple[str, ...]
    repository: str
    ready: bool


def project_repo(document: Mapping[str, Any]) -> RepoProjection:
    """An OrchestratedRepo's projection."""
    ready = _condition(_part(document, "status"), "Ready").get("status") == "True"
    return RepoProjection(
        asked=_asked(document), repository=str(_part(document, "spec").get("repository", "")), ready=ready
    )


@dataclass(frozen=True, slots=True)
class ApprovalProjection:
    """Which run an Approval is about, and how it stands."""

    asked: tuple[str, ...]
    namespace: str
    name: str
    run: str
    outcome: str
    lacks: str
    """What it still lacks, comparable; nobody reads it."""

    @property
    def is_open(self) -> bool:
        return self.outcome in ("", "Pending")


def project_approval(document: Mapping[str, Any]) -> ApprovalProjection:
    """An Approval's projection."""
    target = _part(_part(document, "spec"), "target")
    return ApprovalProjection(
        asked=_asked(document),
        namespace=document["metadata"].get("namespace", ""),
        name=document["metadata"]["name"],
        run=target.get("name", ""),
        outcome=_part(document, "status").get("outcome", ""),
        lacks=json.dumps(_part(_part(document, "status"), "missing")),
    )


def by_run(approval: ApprovalProjection) -> tuple[str, ...]:
    """The index under which a run's questions are found: `<namespace>/<IssueRun>`."""
    return (f"{approval.namespace}/{approval.run}",)


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document.get(name)
    return part if isinstance(part, Mapping) else {}


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = status.get("conditions")
    known = [entry for entry in conditions if isinstance(entry, Mapping)] if isinstance(conditions, list) else []
    return next((entry for entry in known if entry.get("type") == kind), {})


def _asked(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Spec (by its generation), deletion, and the requests to reconcile now or to resume. What is not in here was our own doing."""
    meta = document["metadata"]
    annotations = meta.get("annotations") or {}
    return (
        str(meta.get("uid", "")),
        str(meta.get("generation", "")),
        str(meta.get("deletionTimestamp", "")),
        str(annotations.get("orch.dev/requestedAt", "")),
        str(annotations.get(RESET_ANNOTATION, "")),
    )
