"""Issues, comments and timeline events as JSON."""

from __future__ import annotations

from typing import Any

from ..access import role_of
from ..records import Comment, Event, Issue, Label, Pull, Repo
from .repos import label, simple_repo
from .users import app, simple_user
from .view import View, node_id, stamp

REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")


def association(view: View, repo: Repo, login: str) -> str:
    """How the author relates to the repository: GitHub's `author_association`."""
    if login == repo.owner:
        return "OWNER"
    if login in repo.collaborators:
        organised = view.state.account(repo.owner).type == "Organization"
        return "MEMBER" if organised and role_of(repo, view.state.account(login)) else "COLLABORATOR"
    store = view.state.store
    merged = {pull.number for pull in store.of(Pull, repo.id) if pull.merged_at is not None}
    contributed = any(issue.user == login for number in merged if (issue := store.find_issue(repo.id, number)))
    return "CONTRIBUTOR" if contributed else "NONE"


def reactions(url: str) -> dict[str, Any]:
    return {"url": f"{url}/reactions", "total_count": 0, **dict.fromkeys(REACTIONS, 0)}


def labels_of(view: View, repo: Repo, row: Issue) -> list[dict[str, Any]]:
    known = {entry.name: entry for entry in view.state.store.of(Label, repo.id)}
    return [label(view, repo, known[name]) for name in row.labels if name in known]


def issue(view: View, repo: Repo, row: Issue, *, with_repository: bool = False) -> dict[str, Any]:
    store = view.state.store
    url = view.api(f"/repos/{repo.full_name}/issues/{row.number}")
    kind = "pull" if row.is_pull else "issues"
    html = view.html(f"/{repo.full_name}/{kind}/{row.number}")
    assignees = [simple_user(view, login) for login in row.assignees]
    body: dict[str, Any] = {
        "url": url,
        "repository_url": view.api(f"/repos/{repo.full_name}"),
        "labels_url": f"{url}/labels{{/name}}",
        "comments_url": f"{url}/comments",
        "events_url": f"{url}/events",
        "timeline_url": f"{url}/timeline",
        "html_url": html,
        "id": row.id,
        "node_id": node_id("PullRequest" if row.is_pull else "Issue", row.id),
        "number": row.number,
        "title": row.title,
        "user": simple_user(view, row.user),
        "labels": labels_of(view, repo, row),
        "state": row.state,
        "state_reason": row.state_reason,
        "locked": row.locked,
        "active_lock_reason": row.lock_reason,
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "milestone": None,
        "comments": len(store.on(Comment, repo.id, row.number)),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "closed_at": stamp(row.closed_at),
        "closed_by": simple_user(view, row.closed_by) if row.closed_by else None,
        "author_association": association(view, repo, row.user),
        "body": row.body,
        "reactions": reactions(url),
        "performed_via_github_app": None,
    }
    pull = store.find_pull(repo.id, row.number)
    if pull is not None:
        body |= {
            "draft": pull.draft,
            "pull_request": {
                "url": view.api(f"/repos/{repo.full_name}/pulls/{row.number}"),
                "html_url": html,
                "diff_url": f"{html}.diff",
                "patch_url": f"{html}.patch",
                "merged_at": stamp(pull.merged_at),
            },
        }
    if with_repository:
        body["repository"] = simple_repo(view, repo)
    return body


def comment(view: View, repo: Repo, row: Comment) -> dict[str, Any]:
    url = view.api(f"/repos/{repo.full_name}/issues/comments/{row.id}")
    owner = view.state.store.find_issue(repo.id, row.number)
    kind = "pull" if owner is not None and owner.is_pull else "issues"
    return {
        "url": url,
        "html_url": view.html(f"/{repo.full_name}/{kind}/{row.number}#issuecomment-{row.id}"),
        "issue_url": view.api(f"/repos/{repo.full_name}/issues/{row.number}"),
        "id": row.id,
        "node_id": node_id("IssueComment", row.id),
        "user": simple_user(view, row.user),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "body": row.body,
        "author_association": association(view, repo, row.user),
        "reactions": reactions(url),
        "performed_via_github_app": app(view, row.app) if row.app else None,
    }


def timeline_comment(view: View, repo: Repo, row: Comment) -> dict[str, Any]:
    return comment(view, repo, row) | {"event": "commented", "actor": simple_user(view, row.user)}


def event(view: View, repo: Repo, row: Event, *, with_issue: bool = False) -> dict[str, Any]:
    commit_url = view.api(f"/repos/{repo.full_name}/commits/{row.commit_id}") if row.commit_id else None
    body = {
        "id": row.id,
        "node_id": node_id(f"{row.event.title().replace('_', '')}Event", row.id),
        "url": view.api(f"/repos/{repo.full_name}/issues/events/{row.id}"),
        "actor": simple_user(view, row.actor),
        "event": row.event,
        "commit_id": row.commit_id,
        "commit_url": commit_url,
        "created_at": stamp(row.created_at),
        "performed_via_github_app": None,
        **_extra(view, row),
    }
    owner = view.state.store.find_issue(repo.id, row.number)
    if with_issue and owner is not None:
        body["issue"] = issue(view, repo, owner)
    return body


_UNTOLD = frozenset({"source", "reason"})
"""Why a pull request left a merge queue GraphQL alone tells."""
_USER_FIELDS = frozenset({"assignee", "assigner", "requested_reviewer", "review_requester"})


def _extra(view: View, row: Event) -> dict[str, Any]:
    extra = {k: simple_user(view, v) if k in _USER_FIELDS else v for k, v in row.extra.items() if k not in _UNTOLD}
    if row.event in ("closed", "reopened"):
        extra.setdefault("state_reason", None)
    return extra


def cross_reference(view: View, row: Event) -> dict[str, Any]:
    """Some other issue or pull request mentions this one. `extra["source"]` is the id of the other."""
    source = view.state.store.find(Issue, row.extra["source"])
    body = {
        "event": "cross-referenced",
        "actor": simple_user(view, row.actor),
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.created_at),
        "source": {"type": "issue"},
    }
    if source is not None:
        repo = view.state.repo(source.repo_id)
        body["source"] = {"type": "issue", "issue": issue(view, repo, source, with_repository=True)}
    return body
