"""Pull requests, reviews and review comments as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..records import Comment, Issue, Pull, Repo, Review, ReviewComment
from .issues import association, labels_of, reactions
from .repos import simple_repo
from .users import simple_user
from .view import View, node_id, stamp


@dataclass(frozen=True)
class PullFacts:
    """What a full pull request tells that only git and the rules know."""

    mergeable: bool | None
    mergeable_state: str
    commits: int
    additions: int
    deletions: int
    changed_files: int


def simple_pull(view: View, repo: Repo, issue: Issue, row: Pull) -> dict[str, Any]:
    url = view.api(f"/repos/{repo.full_name}/pulls/{row.number}")
    issue_url = view.api(f"/repos/{repo.full_name}/issues/{row.number}")
    html = view.html(f"/{repo.full_name}/pull/{row.number}")
    statuses = view.api(f"/repos/{repo.full_name}/statuses/{row.head_sha}")
    assignees = [simple_user(view, login) for login in issue.assignees]
    links = {
        "self": url,
        "html": html,
        "issue": issue_url,
        "comments": f"{issue_url}/comments",
        "review_comments": f"{url}/comments",
        "review_comment": view.api(f"/repos/{repo.full_name}/pulls/comments{{/number}}"),
        "commits": f"{url}/commits",
        "statuses": statuses,
    }
    return {
        "url": url,
        "id": row.id,
        "node_id": node_id("PullRequest", issue.id),
        "html_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "issue_url": issue_url,
        "number": row.number,
        "state": issue.state,
        "locked": issue.locked,
        "title": issue.title,
        "user": simple_user(view, issue.user),
        "body": issue.body,
        "created_at": stamp(issue.created_at),
        "updated_at": stamp(issue.updated_at),
        "closed_at": stamp(issue.closed_at),
        "merged_at": stamp(row.merged_at),
        "merge_commit_sha": row.merge_commit_sha,
        "assignee": assignees[0] if assignees else None,
        "assignees": assignees,
        "requested_reviewers": [simple_user(view, login) for login in row.requested_reviewers],
        "requested_teams": [],
        "labels": labels_of(view, repo, issue),
        "milestone": None,
        "draft": row.draft,
        "commits_url": links["commits"],
        "review_comments_url": links["review_comments"],
        "review_comment_url": links["review_comment"],
        "comments_url": links["comments"],
        "statuses_url": statuses,
        "head": head(view, row),
        "base": branch_end(view, repo, row.base_ref, row.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": association(view, repo, issue.user),
        "auto_merge": None,
        "active_lock_reason": issue.lock_reason,
    }


def full_pull(view: View, repo: Repo, issue: Issue, row: Pull, facts: PullFacts) -> dict[str, Any]:
    store = view.state.store
    return simple_pull(view, repo, issue, row) | {
        "merged": row.merged_at is not None,
        "mergeable": facts.mergeable,
        "rebaseable": facts.mergeable,
        "mergeable_state": facts.mergeable_state,
        "merged_by": simple_user(view, row.merged_by) if row.merged_by else None,
        "comments": len(store.on(Comment, repo.id, row.number)),
        "review_comments": len(store.on(ReviewComment, repo.id, row.number)),
        "maintainer_can_modify": row.maintainer_can_modify,
        "commits": facts.commits,
        "additions": facts.additions,
        "deletions": facts.deletions,
        "changed_files": facts.changed_files,
    }


def branch_end(view: View, repo: Repo, ref: str, sha: str) -> dict[str, Any]:
    return {
        "label": f"{repo.owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": simple_user(view, repo.owner),
        "repo": simple_repo(view, repo),
    }


def head(view: View, row: Pull) -> dict[str, Any]:
    """The head's side; its `repo` is null once the fork is deleted, as on GitHub."""
    repo = view.state.store.find(Repo, row.head_repo_id)
    if repo is not None:
        return branch_end(view, repo, row.head_ref, row.head_sha)
    user = simple_user(view, row.head_label.split(":")[0])
    return {"label": row.head_label, "ref": row.head_ref, "sha": row.head_sha, "user": user, "repo": None}


def minimal_pull(view: View, repo: Repo, row: Pull) -> dict[str, Any]:
    """As inside check runs."""
    head_repo = view.state.store.find(Repo, row.head_repo_id) or repo
    ends = {"head": (head_repo, row.head_ref, row.head_sha), "base": (repo, row.base_ref, row.base_sha)}
    return {
        "id": row.id,
        "number": row.number,
        "url": view.api(f"/repos/{repo.full_name}/pulls/{row.number}"),
        **{
            name: {
                "ref": ref,
                "sha": sha,
                "repo": {"id": end.id, "url": view.api(f"/repos/{end.full_name}"), "name": end.name},
            }
            for name, (end, ref, sha) in ends.items()
        },
    }


def review(view: View, repo: Repo, row: Review) -> dict[str, Any]:
    html = view.html(f"/{repo.full_name}/pull/{row.number}#pullrequestreview-{row.id}")
    url = view.api(f"/repos/{repo.full_name}/pulls/{row.number}")
    body: dict[str, Any] = {
        "id": row.id,
        "node_id": node_id("PullRequestReview", row.id),
        "user": simple_user(view, row.user),
        "body": row.body,
        "state": row.state,
        "html_url": html,
        "pull_request_url": url,
        "author_association": association(view, repo, row.user),
        "_links": {"html": {"href": html}, "pull_request": {"href": url}},
        "commit_id": row.commit_id,
    }
    if row.submitted_at is not None:
        body["submitted_at"] = stamp(row.submitted_at)
    return body


def review_comment(view: View, repo: Repo, row: ReviewComment) -> dict[str, Any]:
    url = view.api(f"/repos/{repo.full_name}/pulls/comments/{row.id}")
    html = view.html(f"/{repo.full_name}/pull/{row.number}#discussion_r{row.id}")
    pull = view.api(f"/repos/{repo.full_name}/pulls/{row.number}")
    body: dict[str, Any] = {
        "url": url,
        "pull_request_review_id": row.review_id,
        "id": row.id,
        "node_id": node_id("PullRequestReviewComment", row.id),
        "diff_hunk": row.diff_hunk,
        "path": row.path,
        "commit_id": row.commit_id,
        "original_commit_id": row.original_commit_id,
        "user": simple_user(view, row.user),
        "body": row.body,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
        "html_url": html,
        "pull_request_url": pull,
        "author_association": association(view, repo, row.user),
        "_links": {"self": {"href": url}, "html": {"href": html}, "pull_request": {"href": pull}},
        "reactions": reactions(url),
        "subject_type": row.subject_type,
        "side": row.side,
        "start_line": row.start_line,
        "original_start_line": row.start_line,
        "start_side": row.side if row.start_line is not None else None,
    }
    if row.line is not None:
        body |= {"line": row.line, "original_line": row.line, "position": 1, "original_position": 1}
    if row.in_reply_to_id is not None:
        body["in_reply_to_id"] = row.in_reply_to_id
    return body
