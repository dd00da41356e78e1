"""GitHub's refusals as errors of `orch.errors`. The texts are stable (no request id, no clock) and hold no token.

Sources: GitHub REST "Troubleshooting", "Rate limits for the REST API", "Best practices for using the REST API".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final

import requests

from orch.errors import (
    Ambiguous,
    CredentialsRefused,
    HeadMoved,
    NotFound,
    NotMergeable,
    OrchError,
    RateLimited,
    Terminal,
    Transient,
)
from orch.policy.text import one_line

_SHORTEST_WAIT: Final = timedelta(seconds=60)
"""What GitHub asks for when a secondary limit names no time."""

Headers = Mapping[str, str]


def refusal(verb: str, path: str, status: int, headers: Headers, body: str, *, now: datetime) -> OrchError:
    """The error for an answer with a status of 400 or more."""
    what, words = f"{verb} {path}", _words(body)
    if status == HTTPStatus.UNAUTHORIZED:
        return CredentialsRefused("BadCredentials", "GitHub refuses the token: put a valid one into the Secret")
    limited = rate_limit(status, headers, body, now=now)
    if limited is not None:
        return limited
    if status == HTTPStatus.FORBIDDEN:
        lacking = headers.get("x-accepted-github-permissions", "")
        hint = f"; it needs {one_line(lacking, 200)}" if lacking else ""
        return CredentialsRefused("Forbidden", f"the token may not {what}: {words}{hint}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        return NotFound("NotFound", f"{what}: not there, or not visible with this token")
    if status == HTTPStatus.CONFLICT:
        return HeadMoved("HeadMoved", f"{what}: {words}")
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        return NotMergeable("NotMergeable", words)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        text = f"{what}: GitHub answered {status}"
        return Transient("Unreachable", text) if verb == "GET" else Ambiguous("Unreachable", text)
    return Terminal("RequestRefused", f"{what}: GitHub answered {status}: {words}")


def rate_limit(status: int, headers: Headers, body: str, *, now: datetime) -> RateLimited | None:
    """The wait that the answer asks for. Times are relative to the answer's own Date, not to our clock."""
    if status not in (HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS):
        return None
    if after := headers.get("retry-after"):
        return RateLimited("GitHub asks to wait (secondary rate limit)", retry_at=now + timedelta(seconds=_int(after)))
    if headers.get("x-ratelimit-remaining") == "0":
        reset = datetime.fromtimestamp(_int(headers.get("x-ratelimit-reset", "0")), UTC)
        wait = max(reset - _date(headers, now), timedelta(seconds=1))
        return RateLimited("the token's hourly quota at GitHub is used up", retry_at=now + wait)
    if status == HTTPStatus.TOO_MANY_REQUESTS or "rate limit" in body.lower():
        return RateLimited("GitHub asks to wait (rate limit)", retry_at=now + _SHORTEST_WAIT)
    return None


def broken(verb: str, path: str, error: requests.RequestException) -> OrchError:
    """The error for a request without an answer. One that never left is safe to repeat."""
    text = f"{verb} {path}: no answer from GitHub ({type(error).__name__})"
    never_left = isinstance(error, requests.ConnectTimeout) or "NewConnectionError" in repr(error)
    if verb == "GET" or never_left:
        return Transient("Unreachable", text)
    return Ambiguous("Unreachable", text)


def _words(body: str) -> str:
    """GitHub's own explanation, on one line."""
    try:
        document = json.loads(body)
        details = [entry.get("message", "") for entry in document.get("errors") or [] if isinstance(entry, dict)]
        return one_line(": ".join([str(document.get("message", "")), *filter(None, details)]), 400)
    except (ValueError, AttributeError):
        return "no explanation"


def _date(headers: Headers, now: datetime) -> datetime:
    try:
        return parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return now


def _int(text: str) -> int:
    try:
        return max(int(float(text)), 0)
    except ValueError:
        return int(_SHORTEST_WAIT.total_seconds())
