"""GitHub's refusals and broken connections as errors of `orch.errors`. Called by `rest` for every answer, by `forge` for 422.

The texts are stable (no request id, no clock) and hold no token. Sources: GitHub REST "Troubleshooting the REST API",
"Rate limits for the REST API", "Merge a pull request", "Update a pull request branch", "Create a pull request".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

from orch.errors import (
    Ambiguous,
    CredentialsRefused,
    HeadMoved,
    NotFound,
    NotMergeable,
    OrchError,
    RateLimited,
    StillRunning,
    Terminal,
    Transient,
)
from orch.policy.text import one_line
from orch.ports import RateLimit

_UNTOLD_WAIT: Final = timedelta(seconds=60)
"""What GitHub asks for when a secondary limit names no time."""
_LONGEST_WAIT: Final = timedelta(hours=2)

Headers = Mapping[str, str]


class Refused(Terminal):
    """GitHub understood and declined (405, 409, 422 and their like). `words` are its own, on one line."""

    def __init__(self, what: str, status: int, words: str) -> None:
        super().__init__("RequestRefused", f"{what}: GitHub answered {status}: {words}")
        self.status, self.words = status, words


def refusal(what: str, status: int, headers: Headers, body: str, *, write: bool, now: datetime) -> OrchError:
    """The error for an answer that is neither a success nor 304. `what`: verb and path."""
    if status == HTTPStatus.UNAUTHORIZED:
        text = "GitHub does not know the token (expired, revoked, or not one of this host): put a valid one into the Secret"
        return CredentialsRefused("BadCredentials", text)
    limited = rate_limit(status, headers, body, now=now)
    if limited is not None:
        return limited
    words = _words(body)
    if status == HTTPStatus.FORBIDDEN:
        return CredentialsRefused("Forbidden", f"the token may not {what}: {words}{_hint(headers)}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotFound("NotFound", f"{what}: not there, or not visible with this token")
    if status in _MOVED:
        return NotFound("NotFound", f"{what}: it has been renamed or transferred to another place")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status < HTTPStatus.BAD_REQUEST:
        return _unsure(f"{what}: GitHub answered {status}", write=write)
    return Refused(what, status, words)


_MOVED: Final = frozenset(
    {
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.FOUND,
        HTTPStatus.TEMPORARY_REDIRECT,
        HTTPStatus.PERMANENT_REDIRECT,
    }
)


def rate_limit(status: int, headers: Headers, body: str, *, now: datetime) -> RateLimited | None:
    """The wait that an answer asks for. Times are taken relative to the answer's own Date, not to our clock."""
    if status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    if (after := headers.get("retry-after")) is not None:
        return RateLimited("GitHub asks to wait (secondary rate limit)", retry_at=now + _seconds(after))
    if headers.get("x-ratelimit-remaining") == "0":
        return RateLimited("the token's hourly quota at GitHub is used up", retry_at=now + until_reset(headers))
    if status == HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in _words(body).lower():
        return RateLimited("GitHub asks to wait (rate limit)", retry_at=now + _UNTOLD_WAIT)
    return None


def quota(headers: Headers) -> RateLimit | None:
    """The core quota as the answer tells it. Its reset is GitHub's own time: it is shown; `until_reset` is waited for."""
    if headers.get("x-ratelimit-resource", "core") != "core":
        return None
    try:
        limit, remaining, reset = (headers[f"x-ratelimit-{part}"] for part in ("limit", "remaining", "reset"))
        return RateLimit(int(limit), int(remaining), datetime.fromtimestamp(int(reset), UTC))
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def broken(what: str, error: Exception, *, write: bool, never_sent: bool) -> OrchError:
    """The error for a request without a whole answer. One that was never sent is safe to repeat."""
    text = f"{what}: no answer from GitHub ({type(error).__name__})"
    return _unsure(text, write=write and not never_sent)


def late(what: str, *, write: bool) -> OrchError:
    """The error for an answer that is not waited for any more."""
    return _unsure(f"{what}: GitHub did not answer in time", write=write)


def unreadable(what: str, *, write: bool) -> OrchError:
    """The error for an answer that is not what GitHub's documentation promises."""
    return _unsure(f"{what}: the answer is not GitHub's (is there something in between?)", write=write)


def of_graphql(errors: list[dict[str, Any]], headers: Headers, *, write: bool) -> OrchError:
    """What an answer of status 200 says in `errors`. Source: GitHub GraphQL "Forming calls", "Rate limits and query limits": a
    primary limit is told so as well, with nothing left in the headers. A refusal of a mutation has the type UNPROCESSABLE."""
    kinds, words = {str(entry.get("type") or "") for entry in errors}, one_line("; ".join(map(_detail, errors)), 400)
    if kinds & {"RATE_LIMITED", "RATE_LIMIT"}:
        return RateLimited(
            "the token's hourly quota at GitHub is used up", retry_at=datetime.now(UTC) + until_reset(headers)
        )
    if kinds & {"FORBIDDEN", "INSUFFICIENT_SCOPES"}:
        return CredentialsRefused("Forbidden", f"the token may not do that by POST /graphql: {words}")
    if "NOT_FOUND" in kinds:
        return NotFound("NotFound", "POST /graphql: not there, or not visible with this token")
    if kinds - {""}:
        return Refused("POST /graphql", HTTPStatus.UNPROCESSABLE_ENTITY, words)
    return _unsure(f"POST /graphql: {words}", write=write)


def of_merge(error: Refused) -> OrchError:
    """409 means that the head is another one; 405 and 422 that a rule blocks, and the words name it."""
    if error.status == HTTPStatus.CONFLICT:
        return HeadMoved("HeadMoved", error.words)
    if error.status in (HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.UNPROCESSABLE_ENTITY):
        return NotMergeable("NotMergeable", error.words)
    return error


def of_new_pull(error: Refused) -> OrchError:
    """A branch that was pushed a moment ago may not be seen yet; without a commit on it there is nothing to open."""
    words = error.words.lower()
    if "no commits between" in words:
        return Terminal("NothingChanged", error.words)
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "head invalid" in words:
        return Transient("BranchNotSeen", "GitHub does not see the pushed branch yet")
    return error


def of_rerun(error: CredentialsRefused) -> OrchError:
    """403 "The workflow run containing this job is already running" is no lack of a permission: one job runs again at a time."""
    if "already running" in error.message.lower():
        return StillRunning("StillRunning", "other jobs of the same workflow run are not over")
    return error


def of_commit(error: Refused) -> OrchError:
    """A commit that was pushed a moment ago may not be seen yet."""
    if error.status == HTTPStatus.UNPROCESSABLE_ENTITY and "no commit found" in error.words.lower():
        return Transient("CommitNotSeen", "GitHub does not see the pushed commit yet")
    return error


def _unsure(text: str, *, write: bool) -> OrchError:
    return Ambiguous("Unreachable", text) if write else Transient("Unreachable", text)


def _hint(headers: Headers) -> str:
    """Which permission is missing, in GitHub's own terms."""
    if lacking := headers.get("x-accepted-github-permissions"):
        return f"; it needs {one_line(lacking, 200)}"
    if "required" in headers.get("x-github-sso", ""):
        return "; it has to be authorised for the organisation's single sign-on"
    return ""


def _words(body: str) -> str:
    """GitHub's own explanation on one line: its message, then the parts of `errors` (field and code, or a sentence)."""
    try:
        document: Any = json.loads(body)
        details = [_detail(entry) for entry in document.get("errors") or []]
        return one_line(": ".join(filter(None, [str(document.get("message") or ""), "; ".join(details)])), 400)
    except (ValueError, AttributeError, TypeError, RecursionError):
        return "no explanation"


def _detail(entry: Any) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    return str(entry.get("message") or " ".join(str(entry[key]) for key in ("field", "code") if entry.get(key)))


def until_reset(headers: Headers) -> timedelta:
    """How long until the quota's reset, by the answer's own Date: our clock may be another one."""
    try:
        reset = datetime.fromtimestamp(float(headers.get("x-ratelimit-reset", "")), UTC)
        said = parsedate_to_datetime(headers.get("date", ""))
        wait = reset - (said if said.tzinfo else said.replace(tzinfo=UTC))
    except (ValueError, OverflowError, OSError, TypeError):
        wait = _UNTOLD_WAIT
    return min(max(wait, timedelta(seconds=1)), _LONGEST_WAIT)


def _seconds(text: str) -> timedelta:
    try:
        asked = float(text)
    except ValueError:
        return _UNTOLD_WAIT
    return timedelta(seconds=min(max(1.0, asked), _LONGEST_WAIT.total_seconds()))
