"""Comments on issues and pull requests. Source: GitHub REST "Issue comments"."""

from __future__ import annotations

from starlette.responses import Response

from .. import issues
from ..access import is_at_least, role_of_caller
from ..errors import ApiError, forbidden, invalid, unsupplied
from ..records import Comment, Issue
from ..render import issues as render
from ..render.view import stamp
from ..rest import Call, Endpoint, no_content, reply

REPO = "/repos/{owner}/{repo}"
ISSUE = f"{REPO}/issues/{{issue_number}}"
COMMENT = f"{REPO}/issues/comments/{{comment_id}}"


async def list_comments(call: Call) -> Response:
    rows = call.state.store.on(Comment, call.repo.id, call.issue().number)
    since = call.query("since")
    if since:
        rows = [row for row in rows if (stamp(row.updated_at) or "") >= since]
    page, headers = call.page(rows)
    return reply([render.comment(call.view, call.repo, row) for row in page], headers=headers)


async def list_repo_comments(call: Call) -> Response:
    """Of the whole repository, by id, or as asked by `sort`, `direction` and `since`."""
    rows = call.state.store.of(Comment, call.repo.id)
    since = call.query("since")
    rows = [row for row in rows if not since or (stamp(row.updated_at) or "") >= since]
    if call.query("sort"):
        key = call.choice("sort", ("created", "updated"), "created")
        rows.sort(key=lambda row: row.updated_at if key == "updated" else row.created_at)
        if call.query("direction") == "desc":
            rows.reverse()
    page, headers = call.page(rows)
    return reply([render.comment(call.view, call.repo, row) for row in page], headers=headers)


async def create_comment(call: Call) -> Response:
    issue = call.issue()
    if issue.locked and not is_at_least(role_of_caller(call.repo, call.caller), "write"):
        raise ApiError(403, "Unable to create comment because issue is locked.")
    body = await _body(call)
    app = call.login.removesuffix("[bot]") if call.caller is not None and call.caller.kind == "app" else None
    row = issues.add_comment(call.state, call.repo, issue, call.login, body, app)
    shown = render.comment(call.view, call.repo, row)
    return reply(shown, 201, {"location": shown["url"]})


async def _body(call: Call) -> str:
    body = await call.text("body", required=True)
    if body is None:
        raise unsupplied("body")
    if not body.strip():
        raise invalid("IssueComment", "body", "custom", "Body cannot be blank")
    return body


async def get_comment(call: Call) -> Response:
    return reply(render.comment(call.view, call.repo, call.owned(Comment, "comment_id")))


def _owner(call: Call, row: Comment) -> Issue:
    """The comment's issue; only the author and people with write access change a comment."""
    issue = call.state.store.find_issue(call.repo.id, row.number)
    assert issue is not None, "a comment belongs to an issue"
    if row.user != call.login and not is_at_least(role_of_caller(call.repo, call.caller), "write"):
        raise forbidden("Must have admin rights to Repository.")
    return issue


async def update_comment(call: Call) -> Response:
    row = call.owned(Comment, "comment_id")
    issue = _owner(call, row)
    row.body, row.updated_at = await _body(call), call.state.clock()
    call.state.store.save(row)
    issues.touch(call.state, issue)
    issues.notify_comment(call.state, "edited", call.repo, issue, row, call.login)
    return reply(render.comment(call.view, call.repo, row))


async def delete_comment(call: Call) -> Response:
    row = call.owned(Comment, "comment_id")
    issue = _owner(call, row)
    call.state.store.delete(row)
    issues.touch(call.state, issue)
    issues.notify_comment(call.state, "deleted", call.repo, issue, row, call.login)
    return no_content()


READ, WRITE = "issues|pull_requests:read", "issues|pull_requests:write"
ENDPOINTS = [
    Endpoint("GET", f"{REPO}/issues/comments", list_repo_comments, READ),
    Endpoint("GET", COMMENT, get_comment, READ),
    Endpoint("PATCH", COMMENT, update_comment, WRITE),
    Endpoint("DELETE", COMMENT, delete_comment, WRITE),
    Endpoint("GET", f"{ISSUE}/comments", list_comments, READ),
    Endpoint("POST", f"{ISSUE}/comments", create_comment, WRITE),
]
