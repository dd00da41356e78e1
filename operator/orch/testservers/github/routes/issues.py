"""Issues, their events and timeline. Source: GitHub REST "Issues", "Issue events", "Timeline events"."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from .. import issues, pulls
from ..access import is_at_least, role_of_caller
from ..errors import ApiError, forbidden, invalid
from ..gitrepo import GitError
from ..records import Comment, Event, Issue, Review
from ..render import commits as render_commits
from ..render import issues as render
from ..render import pulls as render_pulls
from ..rest import Call, Endpoint, no_content, reply
from ..state import State

REPO = "/repos/{owner}/{repo}"
ISSUE = f"{REPO}/issues/{{issue_number}}"
TITLE_LIMIT = 256
REASONS = ("completed", "not_planned", "duplicate", "reopened")
LOCKS = ("off-topic", "too heated", "resolved", "spam")


async def list_issues(call: Call) -> Response:
    """Issues and pull requests alike, as GitHub lists them; a pull request has the key `pull_request`."""
    wanted = call.choice("state", ("open", "closed", "all"), "open")
    rows = [row for row in call.state.store.of(Issue, call.repo.id) if row.gone is None and _matches(call, row, wanted)]
    key = call.choice("sort", ("created", "updated", "comments"), "created")
    newest_first = call.choice("direction", ("asc", "desc"), "desc") == "desc"
    rows.sort(key=_sort_key(call, key), reverse=newest_first)
    page, headers = call.page(rows)
    return reply([render.issue(call.view, call.repo, row) for row in page], headers=headers)


def _sort_key(call: Call, key: str) -> Callable[[Issue], Any]:
    if key == "comments":
        return lambda row: (len(call.state.store.on(Comment, row.repo_id, row.number)), row.number)
    return lambda row: (row.updated_at if key == "updated" else row.created_at, row.number)


def _matches(call: Call, row: Issue, state: str) -> bool:
    labels = {name.lower() for name in call.query("labels").split(",") if name}
    since, assignee = _since(call), call.query("assignee", "*?")
    return (
        state in ("all", row.state)
        and labels <= {name.lower() for name in row.labels}
        and (since is None or row.updated_at >= since)
        and call.query("creator", row.user) == row.user
        and _is_assigned(row, assignee)
    )


def _is_assigned(row: Issue, wanted: str) -> bool:
    """`none`, `*` (anyone) or a login; `*?` stands for not asked."""
    if wanted == "*?":
        return True
    if wanted == "none":
        return not row.assignees
    return bool(row.assignees) if wanted == "*" else wanted in row.assignees


def _since(call: Call) -> datetime | None:
    text = call.query("since").replace(" ", "+")
    if not text:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise invalid("Issue", "since", "invalid") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


async def get_issue(call: Call) -> Response:
    return reply(render.issue(call.view, call.repo, call.issue()))


async def create_issue(call: Call) -> Response:
    """Labels and assignees of callers below triage are silently dropped, as GitHub documents."""
    if not call.repo.has_issues:
        raise ApiError(410, "Issues has been disabled in this repository.")
    title = await call.text("title", required=True, limit=TITLE_LIMIT)
    if not title or not title.strip():
        raise invalid("Issue", "title", "missing_field")
    body, triager = await call.text("body"), is_at_least(role_of_caller(call.repo, call.caller), "triage")
    labels, assignees = await call.names("labels") or [], await _assignees(call) or []
    issue = issues.open_issue(
        call.state,
        call.repo,
        call.login,
        title,
        body,
        labels=labels if triager else (),
        assignees=assignees if triager else (),
    )
    shown = render.issue(call.view, call.repo, issue)
    return reply(shown, 201, {"location": shown["url"]})


async def _assignees(call: Call) -> list[str] | None:
    """`assignees`, or the older `assignee`."""
    named = await call.names("assignees")
    single = (await call.json()).get("assignee")
    return [single] if named is None and isinstance(single, str) and single else named


async def update_issue(call: Call) -> Response:
    """Authors change text and state of their own; labels and the rest ask for triage."""
    issue, body, state, repo = call.issue(), await call.json(), call.state, call.repo
    triager = is_at_least(role_of_caller(repo, call.caller), "triage")
    if not triager and call.login != issue.user:
        raise forbidden("Must have admin rights to Repository.")
    changes: dict[str, str | None] = {
        name: await call.text(name, limit=TITLE_LIMIT if name == "title" else 65536)
        for name in ("title", "body")
        if name in body
    }
    wanted, reason = await _wanted_state(call)
    labels, assignees = await call.names("labels"), await _assignees(call)
    issues.edit(state, repo, issue, call.login, changes)
    if labels is not None and triager:
        issues.set_labels(state, repo, issue, labels, call.login)
    if assignees is not None and triager:
        issues.unassign(state, repo, issue, set(issue.assignees) - set(assignees), call.login)
        issues.assign(state, repo, issue, assignees, call.login)
    if wanted == "closed":
        issues.close(state, repo, issue, call.login, reason=reason)
    elif wanted == "open":
        issues.reopen(state, repo, issue, call.login)
    return reply(render.issue(call.view, repo, issue))


async def _wanted_state(call: Call) -> tuple[str | None, str | None]:
    wanted, reason = await call.text("state"), await call.text("state_reason")
    if wanted not in (None, "open", "closed"):
        raise invalid("Issue", "state", "invalid")
    if reason not in (None, *REASONS):
        raise invalid("Issue", "state_reason", "invalid")
    return wanted, reason


async def add_assignees(call: Call) -> Response:
    issue = call.issue()
    issues.assign(call.state, call.repo, issue, await _assignees(call) or [], call.login)
    return reply(render.issue(call.view, call.repo, issue), 201)


async def remove_assignees(call: Call) -> Response:
    issue = call.issue()
    issues.unassign(call.state, call.repo, issue, await _assignees(call) or [], call.login)
    return reply(render.issue(call.view, call.repo, issue))


async def lock_issue(call: Call) -> Response:
    reason = await call.text("lock_reason")
    if reason not in (None, *LOCKS):
        raise invalid("Issue", "lock_reason", "invalid")
    issues.lock(call.state, call.repo, call.issue(), call.login, reason)
    return no_content()


async def unlock_issue(call: Call) -> Response:
    issues.unlock(call.state, call.repo, call.issue(), call.login)
    return no_content()


_TIMELINE_ONLY = frozenset({"cross-referenced"})


async def list_events(call: Call) -> Response:
    issue = call.issue()
    rows = [e for e in call.state.store.on(Event, call.repo.id, issue.number) if e.event not in _TIMELINE_ONLY]
    page, headers = call.page(rows)
    return reply([render.event(call.view, call.repo, row) for row in page], headers=headers)


async def list_repo_events(call: Call) -> Response:
    rows = [row for row in reversed(call.state.store.of(Event, call.repo.id)) if row.event not in _TIMELINE_ONLY]
    page, headers = call.page(rows)
    return reply([render.event(call.view, call.repo, row, with_issue=True) for row in page], headers=headers)


async def get_event(call: Call) -> Response:
    return reply(render.event(call.view, call.repo, call.owned(Event, "event_id"), with_issue=True))


async def list_timeline(call: Call) -> Response:
    """Events, comments, reviews and commits of one issue, oldest first."""
    issue = call.issue()
    entries = timeline(call, issue)
    if issue.is_pull:
        entries += await _commit_entries(call.state, call, issue)
    entries.sort(key=lambda entry: entry[0])
    page, headers = call.page([body for _, body in entries])
    return reply(list(page), headers=headers)


def timeline(call: Call, issue: Issue) -> list[tuple[tuple[datetime, int], dict[str, Any]]]:
    store, repo, view = call.state.store, call.repo, call.view
    entries: list[tuple[tuple[datetime, int], dict[str, Any]]] = []
    for event in store.on(Event, repo.id, issue.number):
        crossing = event.event == "cross-referenced"
        body = render.cross_reference(view, event) if crossing else render.event(view, repo, event)
        entries.append(((event.created_at, event.id), body))
    entries += [
        ((comment.created_at, comment.id), render.timeline_comment(view, repo, comment))
        for comment in store.on(Comment, repo.id, issue.number)
    ]
    for review in store.on(Review, repo.id, issue.number):
        if review.submitted_at is not None:
            body = render_pulls.review(view, repo, review) | {"event": "reviewed", "state": review.state.lower()}
            entries.append(((review.submitted_at, review.id), body))
    return entries


async def _commit_entries(state: State, call: Call, issue: Issue) -> list[tuple[tuple[datetime, int], dict[str, Any]]]:
    pull = state.store.find_pull(call.repo.id, issue.number)
    if pull is None:
        return []
    try:
        commits = await pulls.commits_of(state, call.repo, pull)
    except GitError:
        return []
    return [
        ((commit.committer.date, 0), {"event": "committed", **render_commits.git_commit(call.view, call.repo, commit)})
        for commit in commits
    ]


READ, WRITE = "issues|pull_requests:read", "issues|pull_requests:write"
ENDPOINTS = [
    Endpoint("GET", f"{REPO}/issues", list_issues, READ),
    Endpoint("POST", f"{REPO}/issues", create_issue, "issues:write"),
    Endpoint("GET", f"{REPO}/issues/events", list_repo_events, READ),
    Endpoint("GET", f"{REPO}/issues/events/{{event_id}}", get_event, READ),
    Endpoint("GET", f"{REPO}/issues/{{issue_number:int}}", get_issue, READ),
    Endpoint("PATCH", f"{REPO}/issues/{{issue_number:int}}", update_issue, WRITE),
    Endpoint("POST", f"{ISSUE}/assignees", add_assignees, WRITE, "triage"),
    Endpoint("DELETE", f"{ISSUE}/assignees", remove_assignees, WRITE, "triage"),
    Endpoint("PUT", f"{ISSUE}/lock", lock_issue, WRITE, "write"),
    Endpoint("DELETE", f"{ISSUE}/lock", unlock_issue, WRITE, "write"),
    Endpoint("GET", f"{ISSUE}/events", list_events, READ),
    Endpoint("GET", f"{ISSUE}/timeline", list_timeline, READ),
]
