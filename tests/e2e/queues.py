"""What people see of a merge queue on GitHub, and the status by which they let it go on. Used by the tests of branches with one."""

from __future__ import annotations

from typing import Any

from tests.e2e.desk import Run

LATE = "late"
"""A status that a person gives, or does not."""
_TOLD = ("added_to_merge_queue", "removed_from_merge_queue", "merged", "closed")


def rule(*checks: str) -> dict[str, Any]:
    """A branch that is merged by a queue."""
    return {"branch": "main", "merge_queue": True, "queue_method": "rebase", "required_checks": [*checks]}


def events(run: Run) -> list[str]:
    """What has happened to its pull request, but for labels and words."""
    found = run.desk.maintainer.ask("GET", f"/repos/{run.repository}/issues/{run.pulls()[0]['number']}/events")
    return [event["event"] for event in found if event["event"] in _TOLD]


def find_group(run: Run) -> str | None:
    """The merge that the queue tests for it; None while there is none."""
    mine = f"gh-readonly-queue/main/pr-{run.pulls()[0]['number']}-"
    return next((sha for name, sha in run.desk.refs(run.repository).items() if name.startswith(mine)), None)


def say(run: Run, sha: str) -> None:
    """Give the status."""
    run.desk.maintainer.ask("POST", f"/repos/{run.repository}/statuses/{sha}", state="success", context=LATE)
