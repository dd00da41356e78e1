"""Objects as the operator leaves them, for tests of what `kubectl orch` makes of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from orch.api.v1alpha1 import IssueRun, OrchestratedRepo

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SHA = "a" * 40


def ago(**span: float) -> str:
    """A time before NOW, as it stands on the wire."""
    return (NOW - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def a_condition(kind: str, status: str, reason: str, message: str = "as said", **since: float) -> dict[str, Any]:
    """A condition that holds since then; 5 minutes if nothing is said."""
    times = {"lastTransitionTime": ago(**(since or {"minutes": 5}))}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}


def a_repo(*conditions: dict[str, Any], status: dict[str, Any] | None = None, **spec: Any) -> OrchestratedRepo:
    """OrchestratedRepo `web`, Ready unless conditions are given."""
    ready = a_condition("Ready", "True", "Available", "acme/web is watched", days=1)
    return OrchestratedRepo.model_validate(
        {
            "metadata": {"name": "web", "namespace": "team-a", "creationTimestamp": ago(days=3)},
            "spec": {"repository": "acme/web", "credentialsRef": {"name": "s"}, **spec},
            "status": {"conditions": list(conditions) or [ready], **(status or {})},
        }
    )


def a_run(stage: str, *conditions: dict[str, Any], spec: dict[str, Any] | None = None, **status: Any) -> IssueRun:
    """IssueRun `web-7-1` at this stage; what `status` names is added to what it has by then."""
    return IssueRun.model_validate(
        {
            "metadata": {"name": "web-7-1", "namespace": "team-a", "uid": "u", "creationTimestamp": ago(hours=1)},
            "spec": {
                "repositoryRef": {"name": "web"},
                "issueNumber": 7,
                "trigger": {"type": "Label", "githubLogin": "ann"},
                **(spec or {}),
            },
            "status": {"stage": stage, "conditions": list(conditions), **status},
        }
    )


def waiting(reason: str, message: str = "as said", **since: float) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two conditions of a run that waits."""
    succeeded = a_condition("Succeeded", "Unknown", "Progressing", message)
    return succeeded, a_condition("Waiting", "True", reason, message, **since)


def at_work(message: str = "going on") -> dict[str, Any]:
    """The condition of a run that orch is at."""
    return a_condition("Succeeded", "Unknown", "Progressing", message)


def published() -> dict[str, Any]:
    """The status of a run with a pull request whose checks have passed."""
    return {
        "startTime": ago(minutes=50),
        "issue": {"title": "Crash", "url": "https://x/7", "author": "ann", "contentDigest": "sha256:" + "0" * 64},
        "analysis": {"type": "Bug", "complexity": 2, "confidencePercent": 90, "actionable": True},
        "plan": {"digest": "sha256:" + "1" * 64, "files": ["a.py"]},
        "change": {"digest": "sha256:" + "2" * 64, "files": 1, "additions": 2, "deletions": 1, "risk": "Low"},
        "branch": {"name": "orch/issue-7-abc", "baseBranch": "main", "headSHA": SHA, "expectedSHA": SHA},
        "pullRequest": {"number": 9, "url": "https://x/pull/9"},
        "checks": {"headSHA": SHA, "state": "Passed", "passed": 2},
        "effects": [
            {"key": "claim/0123", "state": "Done", "time": ago(minutes=49)},
            {"key": f"push/{SHA}", "state": "Done", "time": ago(minutes=20)},
            {"key": "pull-request", "state": "Done", "time": ago(minutes=19)},
        ],
        "approvals": [
            {"gate": "Plan", "name": "", "outcome": "NotRequired"},
            {"gate": "Publish", "name": "", "outcome": "NotRequired"},
        ],
    }
