"""What can happen to an issue (or the issue side of a pull request), each with its timeline event and webhook.

Who calls it: routes, merging, the seed and the control API. Permissions are the routes' business.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from .records import Comment, Event, Issue, Label, Pull, Repo
from .render import issues as render_issues
from .render import pulls as render_pulls
from .render import repos as render_repos
from .render import users as render_users
from .render.view import View
from .state import State

CLOSING = re.compile(
    r"\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:([\w.-]+/[\w.-]+))?#(\d{1,9})\b", re.IGNORECASE
)
"""Source: GitHub Docs "Linking a pull request to an issue"."""
MENTION = re.compile(r"(?<![\w/])(?:([\w.-]+/[\w.-]+))?#(\d{1,9})\b")


def notify(state: State, event: str, action: str | None, repo: Repo, actor: str, /, **parts: Any) -> None:
    """Emit a webhook event with the parts that every payload has."""
    if not state.subscribers:
        return
    view = View(state, state.url)
    payload: dict[str, Any] = {"action": action} if action is not None else {}
    payload |= parts
    payload |= {
        "repository": render_repos.simple_repo(view, repo),
        "sender": render_users.simple_user(view, actor),
    }
    state.emit(event, action, repo, payload)


def notify_issue(state: State, action: str, repo: Repo, issue: Issue, actor: str, **parts: Any) -> None:
    """`issues` or `pull_request`, whichever it is."""
    if not state.subscribers:
        return
    view = View(state, state.url)
    pull = state.store.find_pull(repo.id, issue.number)
    if pull is None:
        body = render_issues.issue(view, repo, issue)
        notify(state, "issues", action, repo, actor, issue=body, **parts)
    else:
        body = render_pulls.simple_pull(view, repo, issue, pull)
        notify(state, "pull_request", action, repo, actor, number=issue.number, pull_request=body, **parts)


def add_event(
    state: State, repo: Repo, number: int, event: str, actor: str, *, commit_id: str | None = None, **extra: Any
) -> Event:
    row = Event(
        id=state.store.new_id(),
        repo_id=repo.id,
        number=number,
        event=event,
        actor=actor,
        created_at=state.clock(),
        commit_id=commit_id,
        extra=extra,
    )
    return state.store.save(row)


def touch(state: State, issue: Issue) -> None:
    issue.updated_at = state.clock()
    state.store.save(issue)


def next_number(state: State, repo: Repo) -> int:
    """Issues and pull requests share one sequence per repository."""
    repo.last_number += 1
    state.store.save(repo)
    return repo.last_number


def open_issue(
    state: State,
    repo: Repo,
    user: str,
    title: str,
    body: str | None,
    *,
    labels: Sequence[str] = (),
    assignees: Sequence[str] = (),
    is_pull: bool = False,
) -> Issue:
    """Open an issue. For a pull request the caller tells the world itself, once its other half is there."""
    now = state.clock()
    issue = Issue(
        id=state.store.new_id(),
        repo_id=repo.id,
        number=next_number(state, repo),
        title=title,
        body=body,
        user=user,
        created_at=now,
        updated_at=now,
        is_pull=is_pull,
    )
    state.store.save(issue)
    if not is_pull:
        notify_issue(state, "opened", repo, issue, user)
    add_labels(state, repo, issue, labels, user)
    assign(state, repo, issue, assignees, user)
    reference(state, repo, issue, body or "", user)
    return issue


def find_label(state: State, repo: Repo, name: str) -> Label | None:
    """GitHub compares label names without case."""
    return next((row for row in state.store.of(Label, repo.id) if row.name.lower() == name.lower()), None)


def ensure_label(state: State, repo: Repo, name: str, color: str = "ededed", description: str | None = None) -> Label:
    found = find_label(state, repo, name)
    if found is not None:
        return found
    row = Label(id=state.store.new_id(), repo_id=repo.id, name=name, color=color, description=description)
    return state.store.save(row)


def add_labels(state: State, repo: Repo, issue: Issue, names: Iterable[str], actor: str) -> None:
    """Add labels, making those that the repository lacks, as GitHub does."""
    for name in names:
        row = ensure_label(state, repo, name)
        if row.name in issue.labels:
            continue
        issue.labels.append(row.name)
        touch(state, issue)
        _label_changed(state, repo, issue, "labeled", row, actor)


def remove_labels(state: State, repo: Repo, issue: Issue, names: Iterable[str], actor: str) -> None:
    for name in tuple(names):
        row = find_label(state, repo, name)
        if row is None or row.name not in issue.labels:
            continue
        issue.labels.remove(row.name)
        touch(state, issue)
        _label_changed(state, repo, issue, "unlabeled", row, actor)


def set_labels(state: State, repo: Repo, issue: Issue, names: Sequence[str], actor: str) -> None:
    wanted = {name.lower() for name in names}
    remove_labels(state, repo, issue, [name for name in issue.labels if name.lower() not in wanted], actor)
    add_labels(state, repo, issue, names, actor)


def _label_changed(state: State, repo: Repo, issue: Issue, event: str, row: Label, actor: str) -> None:
    add_event(state, repo, issue.number, event, actor, label={"name": row.name, "color": row.color})
    view = View(state, state.url)
    notify_issue(state, event, repo, issue, actor, label=render_repos.label(view, repo, row))


def assign(state: State, repo: Repo, issue: Issue, logins: Iterable[str], actor: str) -> None:
    """Add assignees; GitHub silently leaves out who cannot be assigned."""
    for login in logins:
        account = state.store.find_account(login)
        if account is None or account.login in issue.assignees:
            continue
        issue.assignees.append(account.login)
        touch(state, issue)
        add_event(state, repo, issue.number, "assigned", actor, assignee=account.login, assigner=actor)
        notify_issue(state, "assigned", repo, issue, actor)


def unassign(state: State, repo: Repo, issue: Issue, logins: Iterable[str], actor: str) -> None:
    for login in tuple(logins):
        if login not in issue.assignees:
            continue
        issue.assignees.remove(login)
        touch(state, issue)
        add_event(state, repo, issue.number, "unassigned", actor, assignee=login, assigner=actor)
        notify_issue(state, "unassigned", repo, issue, actor)


def close(
    state: State, repo: Repo, issue: Issue, actor: str, *, reason: str | None = None, commit_id: str | None = None
) -> None:
    if issue.state == "closed":
        return
    issue.state, issue.closed_at, issue.closed_by = "closed", state.clock(), actor
    if not issue.is_pull:
        issue.state_reason = reason or "completed"  # type: ignore[assignment]
    touch(state, issue)
    add_event(state, repo, issue.number, "closed", actor, commit_id=commit_id, state_reason=issue.state_reason)
    notify_issue(state, "closed", repo, issue, actor)


def reopen(state: State, repo: Repo, issue: Issue, actor: str) -> None:
    if issue.state == "open":
        return
    issue.state, issue.closed_at, issue.closed_by = "open", None, None
    if not issue.is_pull:
        issue.state_reason = "reopened"
    touch(state, issue)
    add_event(state, repo, issue.number, "reopened", actor, state_reason=issue.state_reason)
    notify_issue(state, "reopened", repo, issue, actor)


def edit(state: State, repo: Repo, issue: Issue, actor: str, changes: dict[str, str | None]) -> None:
    """Change `title` or `body`. Only a title leaves a timeline event ("renamed"), as on GitHub."""
    told: dict[str, Any] = {}
    if "title" in changes and changes["title"] != issue.title and changes["title"] is not None:
        told["title"] = {"from": issue.title}
        add_event(state, repo, issue.number, "renamed", actor, rename={"from": issue.title, "to": changes["title"]})
        issue.title = changes["title"]
    if "body" in changes and changes["body"] != issue.body:
        told["body"] = {"from": issue.body or ""}
        issue.body, issue.last_edited_at = changes["body"], state.clock()
        reference(state, repo, issue, issue.body or "", actor)
    if told:
        touch(state, issue)
        notify_issue(state, "edited", repo, issue, actor, changes=told)


def add_comment(state: State, repo: Repo, issue: Issue, user: str, body: str, app: str | None = None) -> Comment:
    now = state.clock()
    row = Comment(
        id=state.store.new_id(),
        repo_id=repo.id,
        number=issue.number,
        user=user,
        body=body,
        created_at=now,
        updated_at=now,
        app=app,
    )
    state.store.save(row)
    touch(state, issue)
    notify_comment(state, "created", repo, issue, row, user)
    reference(state, repo, issue, body, user)
    return row


def notify_comment(state: State, action: str, repo: Repo, issue: Issue, row: Comment, actor: str) -> None:
    if not state.subscribers:
        return
    view = View(state, state.url)
    body, owner = render_issues.comment(view, repo, row), render_issues.issue(view, repo, issue)
    notify(state, "issue_comment", action, repo, actor, issue=owner, comment=body)


def lock(state: State, repo: Repo, issue: Issue, actor: str, reason: str | None) -> None:
    issue.locked, issue.lock_reason = True, reason
    touch(state, issue)
    add_event(state, repo, issue.number, "locked", actor, lock_reason=reason)
    notify_issue(state, "locked", repo, issue, actor)


def unlock(state: State, repo: Repo, issue: Issue, actor: str) -> None:
    issue.locked, issue.lock_reason = False, None
    touch(state, issue)
    add_event(state, repo, issue.number, "unlocked", actor, lock_reason=None)
    notify_issue(state, "unlocked", repo, issue, actor)


def referenced(state: State, repo: Repo, text: str, pattern: re.Pattern[str]) -> list[tuple[Repo, Issue]]:
    """Issues that a text names as `#7` or `owner/name#7`."""
    found: dict[int, tuple[Repo, Issue]] = {}
    for full_name, number in pattern.findall(text):
        target = state.store.find_repo(*full_name.split("/", 1)) if full_name else repo
        issue = state.store.find_issue(target.id, int(number)) if target is not None else None
        if target is not None and issue is not None and issue.gone is None:
            found[issue.id] = (target, issue)
    return list(found.values())


def reference(state: State, repo: Repo, source: Issue, text: str, actor: str) -> None:
    """Leave a cross-reference on each issue that `text` mentions for the first time."""
    for target_repo, target in referenced(state, repo, text, MENTION):
        known = state.store.on(Event, target_repo.id, target.number)
        seen = any(row.event == "cross-referenced" and row.extra.get("source") == source.id for row in known)
        if target.id != source.id and not seen:
            add_event(state, target_repo, target.number, "cross-referenced", actor, source=source.id)


def close_by_keywords(state: State, repo: Repo, text: str, actor: str, commit_id: str | None) -> None:
    """Close the issues that `text` says it closes."""
    for target_repo, target in referenced(state, repo, text, CLOSING):
        if not target.is_pull:
            close(state, target_repo, target, actor, commit_id=commit_id)


def delete(state: State, repo: Repo, issue: Issue, actor: str) -> None:
    """Delete as an admin does in the web: afterwards the API answers 410."""
    issue.gone = "deleted"
    touch(state, issue)
    notify_issue(state, "deleted", repo, issue, actor)


def transfer(state: State, repo: Repo, issue: Issue, target: Repo, actor: str) -> Issue:
    """Move an issue with its comments to another repository of the same owner; the old number answers 301."""
    moved = issue.model_copy(
        update={
            "id": state.store.new_id(),
            "repo_id": target.id,
            "number": next_number(state, target),
            "labels": [name for name in issue.labels if find_label(state, target, name)],
        }
    )
    state.store.save(moved)
    for row in state.store.on(Comment, repo.id, issue.number):
        state.store.delete(row)
        state.store.save(row.model_copy(update={"repo_id": target.id, "number": moved.number}))
    issue.gone, issue.moved_to = "transferred", moved.id
    touch(state, issue)
    add_event(state, target, moved.number, "transferred", actor)
    notify_issue(state, "transferred", repo, issue, actor)
    return moved


def is_open_pull(state: State, repo: Repo, pull: Pull) -> bool:
    issue = state.store.find_issue(repo.id, pull.number)
    return issue is not None and issue.state == "open"
