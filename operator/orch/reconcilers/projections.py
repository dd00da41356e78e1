"""The few fields of an object that the watch keeps in memory. A 30 KiB object costs 94 KiB of Python; these cost less than one.

Called by `main`, which registers a projection with each watch, and by those who count runs. It decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

TERMINAL_LABEL: Final = "orch.dev/terminal"
REPO_LABEL: Final = "orch.dev/repo"
ISSUE_LABEL: Final = "orch.dev/issue"
RUN_LABEL: Final = "orch.dev/run"


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
    event_id: str
    created: str
    """RFC 3339, as the server wrote it."""


def project_run(document: Mapping[str, Any]) -> RunProjection:
    """An IssueRun's projection."""
    spec, status = document.get("spec") or {}, document.get("status") or {}
    conditions = {entry["type"]: entry for entry in status.get("conditions") or []}
    waiting = conditions.get("Waiting") or {}
    return RunProjection(
        asked=_asked(document),
        namespace=document["metadata"].get("namespace", ""),
        name=document["metadata"]["name"],
        repo=(spec.get("repositoryRef") or {}).get("name", ""),
        issue=spec.get("issueNumber", 0),
        started="startTime" in status,
        has_pull="pullRequest" in status,
        finished="completionTime" in status,
        waiting=waiting.get("reason", "") if waiting.get("status") == "True" else "",
        event_id=(spec.get("trigger") or {}).get("eventID", ""),
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
    conditions = (document.get("status") or {}).get("conditions") or []
    ready = any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)
    return RepoProjection(
        asked=_asked(document), repository=(document.get("spec") or {}).get("repository", ""), ready=ready
    )


@dataclass(frozen=True, slots=True)
class ApprovalProjection:
    """Which run an Approval is about."""

    asked: tuple[str, ...]
    run: str
    outcome: str


def project_approval(document: Mapping[str, Any]) -> ApprovalProjection:
    """An Approval's projection."""
    target = (document.get("spec") or {}).get("target") or {}
    return ApprovalProjection(
        asked=_asked(document), run=target.get("name", ""), outcome=(document.get("status") or {}).get("outcome", "")
    )


def _asked(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Spec (by its generation), deletion, and the request to reconcile now. What is not in here was our own doing."""
    meta = document["metadata"]
    annotations = meta.get("annotations") or {}
    return (
        str(meta.get("uid", "")),
        str(meta.get("generation", "")),
        str(meta.get("deletionTimestamp", "")),
        str(annotations.get("orch.dev/requestedAt", "")),
    )
