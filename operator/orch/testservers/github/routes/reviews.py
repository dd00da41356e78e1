"""Reviews and review comments. Source: GitHub REST "Pull request reviews", "Pull request review comments"."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import issues, pulls, reviews
from ..access import is_at_least, role_of_caller
from ..errors import ApiError, forbidden, invalid, not_found
from ..gitrepo import FileDiff
from ..records import Issue, Pull, Review, ReviewComment
from ..render import pulls as render
from ..rest import Call, Endpoint, no_content, reply

REPO = "/repos/{owner}/{repo}"
PULL = f"{REPO}/pulls/{{pull_number}}"
REVIEW = f"{PULL}/reviews/{{review_id}}"
COMMENT = f"{REPO}/pulls/comments/{{comment_id}}"


async def list_reviews(call: Call) -> Response:
    _, pull = call.pull()
    rows = call.state.store.on(Review, call.repo.id, pull.number)
    visible = [row for row in rows if row.state != "PENDING" or (call.caller and row.user == call.login)]
    page, headers = call.page(visible)
    return reply([render.review(call.view, call.repo, row) for row in page], headers=headers)


def _review(call: Call) -> Review:
    _, pull = call.pull()
    row = call.owned(Review, "review_id")
    if row.number != pull.number:
        raise not_found()
    return row


async def get_review(call: Call) -> Response:
    return reply(render.review(call.view, call.repo, _review(call)))


async def create_review(call: Call) -> Response:
    issue, pull = call.pull()
    event, body = await call.text("event"), await call.text("body") or ""
    commit_id = await call.text("commit_id") or pull.head_sha
    comments = (await call.json()).get("comments") or []
    state = reviews.state_after(issue, call.login, event, body, has_comments=bool(comments))
    files = await pulls.files_of(call.state, call.repo, pull) if comments else []
    drafts = [_draft(entry, files) for entry in comments]
    row = reviews.add(call.state, call.repo, pull, call.login, state_name=state, body=body, commit_id=commit_id)
    for draft in drafts:
        _save_comment(call, pull, row.id, commit_id, draft)
    reviews.submitted(call.state, call.repo, issue, pull, row)
    return reply(render.review(call.view, call.repo, row))


async def submit_review(call: Call) -> Response:
    """Send off a pending review."""
    issue, pull = call.pull()
    row = _review(call)
    if row.state != "PENDING" or row.user != call.login:
        raise not_found()
    event, body = await call.text("event", required=True), await call.text("body") or row.body
    row.state = reviews.state_after(issue, call.login, event, body, has_comments=False)
    row.body, row.submitted_at = body, call.state.clock()
    call.state.store.save(row)
    reviews.submitted(call.state, call.repo, issue, pull, row)
    return reply(render.review(call.view, call.repo, row))


async def dismiss_review(call: Call) -> Response:
    message, row = await call.text("message", required=True), _review(call)
    if row.state not in ("APPROVED", "CHANGES_REQUESTED"):
        raise ApiError(422, "Can not dismiss a commented pull request review")
    pulls.dismiss(call.state, call.repo, row, call.login, message)
    return reply(render.review(call.view, call.repo, row))


async def list_review_comments(call: Call) -> Response:
    row = _review(call)
    rows = call.state.store.on(ReviewComment, call.repo.id, row.number)
    page, headers = call.page([comment for comment in rows if comment.review_id == row.id])
    return reply([render.review_comment(call.view, call.repo, entry) for entry in page], headers=headers)


async def list_comments(call: Call) -> Response:
    _, pull = call.pull()
    page, headers = call.page(call.state.store.on(ReviewComment, call.repo.id, pull.number))
    return reply([render.review_comment(call.view, call.repo, row) for row in page], headers=headers)


async def list_repo_comments(call: Call) -> Response:
    page, headers = call.page(call.state.store.of(ReviewComment, call.repo.id))
    return reply([render.review_comment(call.view, call.repo, row) for row in page], headers=headers)


async def create_comment(call: Call) -> Response:
    issue, pull = call.pull()
    body = await call.json()
    if "in_reply_to" in body:
        return _replied(call, issue, pull, body["in_reply_to"], await call.text("body", required=True) or "")
    await call.text("body", required=True)
    commit_id = await call.text("commit_id", required=True) or pull.head_sha
    draft = _draft(body, await pulls.files_of(call.state, call.repo, pull))
    row = reviews.add(call.state, call.repo, pull, call.login, state_name="COMMENTED", body="", commit_id=commit_id)
    return _told(call, issue, pull, _save_comment(call, pull, row.id, commit_id, draft))


async def reply_to_comment(call: Call) -> Response:
    issue, pull = call.pull()
    return _replied(call, issue, pull, call.number("comment_id"), await call.text("body", required=True) or "")


def _replied(call: Call, issue: Issue, pull: Pull, to: Any, body: str) -> Response:
    parent = call.state.store.find(ReviewComment, to) if isinstance(to, int) else None
    if parent is None or (parent.repo_id, parent.number) != (call.repo.id, pull.number):
        raise ApiError(404, "Parent comment not found")
    draft = {
        **parent.model_dump(include={"path", "line", "start_line", "side", "diff_hunk", "subject_type"}),
        "body": body,
    }
    row = _save_comment(call, pull, parent.review_id, pull.head_sha, draft)
    row.in_reply_to_id = parent.in_reply_to_id or parent.id
    call.state.store.save(row)
    return _told(call, issue, pull, row)


def _told(call: Call, issue: Issue, pull: Pull, row: ReviewComment) -> Response:
    shown = render.review_comment(call.view, call.repo, row)
    issues.touch(call.state, issue)
    issues.notify(
        call.state, "pull_request_review_comment", "created", call.repo, row.user,
        comment=shown, pull_request=render.simple_pull(call.view, call.repo, issue, pull),
    )  # fmt: skip
    return reply(shown, 201, {"location": shown["url"]})


def _draft(entry: Any, files: list[FileDiff]) -> dict[str, Any]:
    """Check a comment's place against the diff. Raises 422 as GitHub does for lines outside of it."""
    body = entry.get("body") if isinstance(entry, dict) else None
    if not isinstance(body, str) or not body.strip():
        raise invalid("PullRequestReviewComment", "body", "missing_field")
    found = next((row for row in files if row.path == entry.get("path")), None)
    if found is None:
        raise ApiError(422, "Unprocessable Entity", errors=["Path could not be resolved"])
    subject = "file" if entry.get("subject_type") == "file" else "line"
    line, side = entry.get("line", entry.get("position")), entry.get("side", "RIGHT")
    if subject == "line" and (not isinstance(line, int) or line not in _lines(found, side)):
        raise ApiError(422, "Unprocessable Entity", errors=["Line could not be resolved"])
    start = entry.get("start_line")
    return {
        "body": body,
        "path": found.path,
        "line": line if subject == "line" else None,
        "start_line": start if isinstance(start, int) else None,
        "side": "LEFT" if side == "LEFT" else "RIGHT",
        "subject_type": subject,
        "diff_hunk": "\n".join((found.patch or "").splitlines()[:8]),
    }


def _lines(row: FileDiff, side: str) -> set[int]:
    """Line numbers of one side that the patch shows."""
    shown: set[int] = set()
    old = new = 0
    for text in (row.patch or "").splitlines():
        if text.startswith("@@"):
            before, after = text.split("@@")[1].split()
            old, new = (int(part[1:].split(",")[0]) for part in (before, after))
            continue
        if text[:1] in (" ", "-", ""):
            shown |= {old} if side == "LEFT" else set()
            old += 1
        if text[:1] in (" ", "+", ""):
            shown |= {new} if side != "LEFT" else set()
            new += 1
    return shown


def _save_comment(
    call: Call, pull: Pull, review_id: int | None, commit_id: str, draft: dict[str, Any]
) -> ReviewComment:
    now = call.state.clock()
    row = ReviewComment(
        id=call.state.store.new_id(), repo_id=call.repo.id, number=pull.number, review_id=review_id, user=call.login,
        commit_id=commit_id, original_commit_id=commit_id, created_at=now, updated_at=now, **draft,
    )  # fmt: skip
    return call.state.store.save(row)


async def get_comment(call: Call) -> Response:
    return reply(render.review_comment(call.view, call.repo, call.owned(ReviewComment, "comment_id")))


def _own_comment(call: Call) -> ReviewComment:
    row = call.owned(ReviewComment, "comment_id")
    if row.user != call.login and not is_at_least(role_of_caller(call.repo, call.caller), "write"):
        raise forbidden("Must have admin rights to Repository.")
    return row


async def update_comment(call: Call) -> Response:
    row = _own_comment(call)
    row.body, row.updated_at = await call.text("body", required=True) or "", call.state.clock()
    call.state.store.save(row)
    return reply(render.review_comment(call.view, call.repo, row))


async def delete_comment(call: Call) -> Response:
    call.state.store.delete(_own_comment(call))
    return no_content()


READ, WRITE = "pull_requests:read", "pull_requests:write"
ENDPOINTS = [
    Endpoint("GET", f"{PULL}/reviews", list_reviews, READ),
    Endpoint("POST", f"{PULL}/reviews", create_review, WRITE),
    Endpoint("GET", REVIEW, get_review, READ),
    Endpoint("POST", f"{REVIEW}/events", submit_review, WRITE),
    Endpoint("PUT", f"{REVIEW}/dismissals", dismiss_review, WRITE, "write"),
    Endpoint("GET", f"{REVIEW}/comments", list_review_comments, READ),
    Endpoint("GET", f"{REPO}/pulls/comments", list_repo_comments, READ),
    Endpoint("GET", COMMENT, get_comment, READ),
    Endpoint("PATCH", COMMENT, update_comment, WRITE),
    Endpoint("DELETE", COMMENT, delete_comment, WRITE),
    Endpoint("GET", f"{PULL}/comments", list_comments, READ),
    Endpoint("POST", f"{PULL}/comments", create_comment, WRITE),
    Endpoint("POST", f"{PULL}/comments/{{comment_id}}/replies", reply_to_comment, WRITE),
]
