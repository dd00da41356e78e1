"""GitHub's refusals as our errors."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from orch.adapters.github.translate import Refused, broken, of_graphql, of_merge, of_rerun, quota, rate_limit, refusal
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

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
RESET = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int((NOW + timedelta(minutes=30)).timestamp()))}


def said(message: str, **more: object) -> str:
    return json.dumps({"message": message, **more})


@pytest.mark.parametrize(
    ("status", "headers", "body", "write", "kind", "text"),
    [
        pytest.param(401, {}, said("Bad credentials"), False, CredentialsRefused, "does not know the token", id="401"),
        pytest.param(
            403, {"x-accepted-github-permissions": "issues=write"}, said("No"), True, CredentialsRefused,
            "may not POST /x: No; it needs issues=write", id="a permission",
        ),
        pytest.param(
            403, {"x-github-sso": "required; url=https://x/?token=abc"}, said("SAML"), False, CredentialsRefused,
            "single sign-on", id="single sign-on; the address in it is for its owner alone",
        ),
        pytest.param(404, {}, said("Not Found"), True, NotFound, "not visible", id="404"),
        pytest.param(410, {}, said("This issue was deleted"), False, NotFound, "not there", id="deleted"),
        pytest.param(301, {"location": "https://x"}, "", False, NotFound, "renamed or transferred", id="moved"),
        pytest.param(502, {}, "<html>", False, Transient, "answered 502", id="5xx on a read"),
        pytest.param(502, {}, "<html>", True, Ambiguous, "answered 502", id="5xx on a write"),
        pytest.param(
            422, {}, said("Validation Failed", errors=[{"field": "head", "code": "invalid"}, "two", {"message": "three"}]),
            True, Refused, "Validation Failed: head invalid; two; three", id="422 with reasons",
        ),
        pytest.param(422, {}, "[]", True, Refused, "no explanation", id="a body that is none of GitHub's"),
        pytest.param(422, {}, said("a\nb\u202e\x1b[31m"), True, Refused, "a b[31m", id="one harmless line"),
        pytest.param(451, {}, said("Blocked"), False, Terminal, "Blocked", id="anything else"),
    ],
)  # fmt: skip
def test_refusals(
    status: int, headers: dict[str, str], body: str, write: bool, kind: type[OrchError], text: str
) -> None:
    error = refusal(f"{'POST' if write else 'GET'} /x", status, headers, body, write=write, now=NOW)
    assert type(error) is kind or kind is Terminal
    assert isinstance(error, kind)
    assert text in error.message
    assert "token=abc" not in error.message


@pytest.mark.parametrize(
    ("status", "headers", "body", "wait"),
    [
        pytest.param(403, {"retry-after": "30"}, said("x"), 30, id="a secondary limit names a time"),
        pytest.param(429, {"retry-after": "0"}, said("x"), 1, id="never at once"),
        pytest.param(429, {"retry-after": "soon"}, said("x"), 60, id="a time that is none"),
        pytest.param(429, {"retry-after": "1e99"}, said("x"), 7200, id="a time without end"),
        pytest.param(403, {}, said("You have exceeded a secondary rate limit."), 60, id="a secondary limit without a time"),
        pytest.param(429, {}, "", 60, id="too many requests"),
        pytest.param(403, {**RESET, "date": format_datetime(NOW)}, said("x"), 1800, id="the hour"),
        pytest.param(
            403, {**RESET, "date": format_datetime(NOW + timedelta(minutes=10))}, said("x"), 1200,
            id="the hour, by the server's clock",
        ),
        pytest.param(403, {**RESET, "date": "Thu, 01 Jan 1970 00:00:00 -0000"}, said("x"), 7200, id="a clock astray"),
        pytest.param(403, {**RESET, "date": "yesterday"}, said("x"), 60, id="no readable date"),
        pytest.param(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "inf"}, said("x"), 60, id="no readable reset"),
    ],
)  # fmt: skip
def test_waits(status: int, headers: dict[str, str], body: str, wait: float) -> None:
    found = rate_limit(status, headers, body, now=NOW)
    assert isinstance(found, RateLimited)
    assert found.retry_at - NOW == timedelta(seconds=wait)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        pytest.param(403, {"x-ratelimit-remaining": "17"}, said("Resource not accessible"), id="a permission"),
        pytest.param(422, {"retry-after": "30"}, said("x"), id="another status"),
        pytest.param(
            403, {}, said("x", errors=None, documentation_url="…/rate limit"), id="words that are not its message"
        ),
    ],
)
def test_what_is_no_limit(status: int, headers: dict[str, str], body: str) -> None:
    assert rate_limit(status, headers, body, now=NOW) is None


def test_the_same_refusal_has_the_same_text() -> None:
    texts = {
        refusal("GET /x", 502, {"x-github-request-id": str(n), "date": str(n)}, str(n), write=False, now=NOW).message
        for n in range(3)
    }
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("write", "never_sent", "kind"), [(False, False, Transient), (True, True, Transient), (True, False, Ambiguous)]
)
def test_broken_connections(write: bool, never_sent: bool, kind: type[OrchError]) -> None:
    error = broken("POST /x", requests.ConnectionError("http://token@host"), write=write, never_sent=never_sent)
    assert type(error) is kind
    assert "token@" not in error.message


@pytest.mark.parametrize(
    ("status", "kind"), [(405, NotMergeable), (409, HeadMoved), (422, NotMergeable), (400, Refused)]
)
def test_a_merge(status: int, kind: type[OrchError]) -> None:
    assert type(of_merge(Refused("PUT /x", status, "words"))) is kind


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("The workflow run containing this job is already running", StillRunning),
        ("This workflow is already running", StillRunning),
        ("Resource not accessible by personal access token", CredentialsRefused),
    ],
)
def test_a_job_that_is_to_run_again(words: str, kind: type[OrchError]) -> None:
    refused = refusal("POST /x", 403, {}, said(words), write=True, now=NOW)
    assert isinstance(refused, CredentialsRefused)
    assert type(of_rerun(refused)) is kind


def test_quota() -> None:
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "1777636800"}
    found = quota(headers)
    assert found is not None
    assert (found.limit, found.remaining, found.reset_time) == (5000, 7, NOW)
    assert quota({**headers, "x-ratelimit-resource": "search"}) is None
    assert quota({**headers, "x-ratelimit-limit": "many"}) is None
    assert quota({}) is None


@pytest.mark.parametrize(
    ("errors", "write", "kind", "text"),
    [
        pytest.param(
            [{"type": "NOT_FOUND", "message": "Could not resolve"}], False, NotFound, "not visible", id="nothing there"
        ),
        pytest.param(
            [{"type": "FORBIDDEN", "message": "Resource not accessible"}],
            True,
            CredentialsRefused,
            "not accessible",
            id="403",
        ),
        pytest.param(
            [{"type": "INSUFFICIENT_SCOPES", "message": "needs repo"}],
            True,
            CredentialsRefused,
            "needs repo",
            id="scopes",
        ),
        pytest.param(
            [{"type": "RATE_LIMITED", "message": "exceeded"}], False, RateLimited, "used up", id="the hour's points"
        ),
        pytest.param(
            [{"type": "UNPROCESSABLE", "message": "Pull request\nis closed"}],
            True,
            Refused,
            "Pull request is closed",
            id="no",
        ),
        pytest.param(
            [{"message": "Something went wrong"}], True, Ambiguous, "went wrong", id="a write that may have happened"
        ),
        pytest.param([{"message": "Something went wrong"}], False, Transient, "went wrong", id="a read"),
    ],
)
def test_what_graphql_says_with_status_200(
    errors: list[dict[str, str]], write: bool, kind: type[OrchError], text: str
) -> None:
    found = of_graphql(errors, RESET, write=write)
    assert type(found) is kind
    assert text in found.message
