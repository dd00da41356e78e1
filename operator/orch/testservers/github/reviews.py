"""Reviews of pull requests: who may give which, and what follows.

Who calls it: the review routes and the GraphQL mutation. Whether a review satisfies a rule is `rules`.
"""

from __future__ import annotations

from typing import Final

from . import issues
from .errors import ApiError, invalid
from .records import Issue, Pull, Repo, Review, ReviewState
from .render import pulls as render
from .render.view import View
from .state import State

EVENTS: Final[dict[str, ReviewState]] = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def state_after(issue: Issue, login: str, event: str | None, body: str, *, has_comments: bool) -> ReviewState:
    """The state that an event gives. Raises GitHub's 422: own pull request, no text, unknown event."""
    if event is None:
        return "PENDING"
    if event not in EVENTS:
        raise invalid("PullRequestReview", "event", "invalid")
    if event != "COMMENT" and issue.user == login:
        word = "approve" if event == "APPROVE" else "request changes on"
        raise ApiError(422, "Unprocessable Entity", errors=[f"Can not {word} your own pull request"])
    if event != "APPROVE" and not body.strip() and not has_comments:
        raise ApiError(422, "Unprocessable Entity", errors=["Body can't be blank"])
    return EVENTS[event]


def add(
    state: State, repo: Repo, pull: Pull, login: str, *, state_name: ReviewState, body: str, commit_id: str
) -> Review:
    row = Review(
        id=state.store.new_id(),
        repo_id=repo.id,
        number=pull.number,
        user=login,
        body=body,
        state=state_name,
        commit_id=commit_id,
        submitted_at=None if state_name == "PENDING" else state.clock(),
    )
    return state.store.save(row)


def submitted(state: State, repo: Repo, issue: Issue, pull: Pull, row: Review) -> None:
    """Tell the world, unless the review is still a draft."""
    if row.state == "PENDING":
        return
    if row.user in pull.requested_reviewers:
        pull.requested_reviewers.remove(row.user)
        state.store.save(pull)
    issues.touch(state, issue)
    view = View(state, state.url)
    shown = render.review(view, repo, row) | {"state": row.state.lower()}
    owner = render.simple_pull(view, repo, issue, pull)
    issues.notify(state, "pull_request_review", "submitted", repo, row.user, review=shown, pull_request=owner)
