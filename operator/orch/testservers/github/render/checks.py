"""Check runs, check suites and commit statuses as JSON."""

from __future__ import annotations

from typing import Any

from ..gitrepo import Commit
from ..records import CheckRun, CheckSuite, CommitStatus, Pull, Repo
from .pulls import minimal_pull
from .repos import minimal_repo
from .users import app, simple_user
from .view import View, node_id, stamp


def check_run(view: View, repo: Repo, row: CheckRun) -> dict[str, Any]:
    url = view.api(f"/repos/{repo.full_name}/check-runs/{row.id}")
    page = view.html(f"/{repo.full_name}/runs/{row.id}")
    return {
        "id": row.id,
        "name": row.name,
        "node_id": node_id("CheckRun", row.id),
        "head_sha": row.head_sha,
        "external_id": row.external_id,
        "url": url,
        "html_url": page,
        "details_url": row.details_url or page,
        "status": row.status,
        "conclusion": row.conclusion,
        "started_at": stamp(row.started_at),
        "completed_at": stamp(row.completed_at),
        "output": {
            "title": row.title,
            "summary": row.summary,
            "text": row.text,
            "annotations_count": len(row.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": row.suite_id},
        "app": app(view, row.app),
        "pull_requests": _pulls(view, repo, row.head_sha),
    }


def _pulls(view: View, repo: Repo, sha: str) -> list[dict[str, Any]]:
    store = view.state.store
    return [
        minimal_pull(view, repo, pull)
        for pull in store.of(Pull, repo.id)
        if pull.head_sha == sha
        and pull.head_repo_id == repo.id
        and (issue := store.find_issue(repo.id, pull.number)) is not None
        and issue.state == "open"
    ]


def suite_state(runs: list[CheckRun]) -> tuple[str, str | None]:
    """Status and conclusion of a suite: the worst of its runs."""
    if not runs:
        return "queued", None
    if any(run.status != "completed" for run in runs):
        return "in_progress" if any(run.status != "queued" for run in runs) else "queued", None
    order = (
        "failure", "timed_out", "startup_failure", "cancelled", "action_required", "stale", "success", "neutral", "skipped",
    )  # fmt: skip
    conclusions = {run.conclusion for run in runs}
    return "completed", next((c for c in order if c in conclusions), None)


def check_suite(view: View, repo: Repo, row: CheckSuite, commit: Commit) -> dict[str, Any]:
    runs = [run for run in view.state.store.of(CheckRun, repo.id) if run.suite_id == row.id]
    status, conclusion = suite_state(runs)
    url = view.api(f"/repos/{repo.full_name}/check-suites/{row.id}")
    return {
        "id": row.id,
        "node_id": node_id("CheckSuite", row.id),
        "head_branch": row.head_branch,
        "head_sha": row.head_sha,
        "status": status,
        "conclusion": conclusion,
        "url": url,
        "before": commit.parents[0] if commit.parents else None,
        "after": row.head_sha,
        "pull_requests": _pulls(view, repo, row.head_sha),
        "app": app(view, row.app),
        "repository": minimal_repo(view, repo),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "head_commit": simple_commit(commit),
        "latest_check_runs_count": len(runs),
        "check_runs_url": f"{url}/check-runs",
        "rerequestable": True,
        "runs_rerequestable": True,
    }


def simple_commit(row: Commit) -> dict[str, Any]:
    return {
        "id": row.sha,
        "tree_id": row.tree,
        "message": row.message,
        "timestamp": stamp(row.committer.date),
        "author": {"name": row.author.name, "email": row.author.email},
        "committer": {"name": row.committer.name, "email": row.committer.email},
    }


def simple_status(view: View, repo: Repo, row: CommitStatus) -> dict[str, Any]:
    return {
        "url": view.api(f"/repos/{repo.full_name}/statuses/{row.sha}"),
        "avatar_url": simple_user(view, row.creator)["avatar_url"],
        "id": row.id,
        "node_id": node_id("StatusContext", row.id),
        "state": row.state,
        "description": row.description,
        "target_url": row.target_url,
        "context": row.context,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }


def status(view: View, repo: Repo, row: CommitStatus) -> dict[str, Any]:
    return simple_status(view, repo, row) | {"creator": simple_user(view, row.creator)}


def combined_status(view: View, repo: Repo, sha: str, latest: list[CommitStatus]) -> dict[str, Any]:
    """The newest status of each context. Source: GitHub REST "Get the combined status for a specific reference"."""
    states = {row.state for row in latest}
    state = "failure" if states & {"failure", "error"} else "success" if states == {"success"} else "pending"
    url = view.api(f"/repos/{repo.full_name}/commits/{sha}")
    return {
        "state": state,
        "statuses": [simple_status(view, repo, row) for row in latest],
        "sha": sha,
        "total_count": len(latest),
        "repository": minimal_repo(view, repo),
        "commit_url": url,
        "url": f"{url}/status",
    }
