"""GitHub's limits, as a client meets them: headers, refusals and how long they last."""

from __future__ import annotations

import socket
from datetime import datetime, timedelta
from typing import Any

import httpx2
import pytest
from github import Auth, Github, GithubException, RateLimitExceededException
from hypothesis import given
from hypothesis import strategies as st

from orch.testservers.github.limits import Window


@pytest.fixture
def clock(world: Any) -> Any:
    """The server's clock, standing still until a test moves it."""
    clock = Clock(world.state.clock())
    world.state.clock = clock
    return clock


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def limit(world: Any, **settings: Any) -> None:
    assert world.anonymous.patch("/_control/limits", json=settings).status_code == 200


def comment(world: Any) -> httpx2.Response:
    return world.client.post("/repos/octo/app/issues/1/comments", json={"body": "hello"})


def test_each_request_counts_and_the_headers_say_so(world: Any, clock: Clock) -> None:
    world.client.get("/user")
    headers = world.client.get("/repos/octo/app").headers
    assert {name: headers[f"x-ratelimit-{name}"] for name in ("limit", "used", "remaining", "resource")} == {
        "limit": "5000",
        "used": "2",
        "remaining": "4998",
        "resource": "core",
    }
    assert int(headers["x-ratelimit-reset"]) == int(clock.now.timestamp()) + 3600


def test_the_rate_limit_endpoint_costs_nothing(world: Any) -> None:
    world.client.get("/user")
    for _ in range(3):
        assert world.client.get("/rate_limit").json()["rate"]["used"] == 1


def test_tokens_of_one_account_share_its_quota(world: Any) -> None:
    world.client.get("/user")
    assert world.second.get("/user").headers["x-ratelimit-used"] == "2"
    assert world.other.get("/user").headers["x-ratelimit-used"] == "1"


@pytest.mark.parametrize("status", [403, 429])
def test_an_exhausted_quota_refuses_until_its_reset(world: Any, clock: Clock, status: int) -> None:
    limit(world, primary_per_hour=1, primary_status=status)
    world.client.get("/user")
    refused = world.client.get("/user")
    assert refused.status_code == status
    assert refused.json()["message"].startswith("API rate limit exceeded for user ID ")
    assert refused.headers["x-ratelimit-remaining"] == "0"
    clock.pass_by(3599)
    assert world.client.get("/user").status_code == status
    clock.pass_by(1)
    assert world.client.get("/user").status_code == 200


def test_without_a_token_the_quota_is_the_address_s(world: Any) -> None:
    limit(world, anonymous_per_hour=1)
    assert world.anonymous.get("/repos/octo/app").status_code == 200
    refused = world.anonymous.get("/repos/octo/app")
    assert refused.status_code == 403
    assert refused.json()["message"].startswith("API rate limit exceeded for 127.0.0.1.")
    assert world.client.get("/user").status_code == 200


def test_pygithub_recognises_both_refusals(world: Any) -> None:
    github = Github(base_url=f"{world.url}/api/v3", auth=Auth.Token(world.tokens["octo"]), retry=None)
    limit(world, content_per_minute=1)
    issue = github.get_repo("octo/app").get_issue(1)
    issue.create_comment("first")
    with pytest.raises(RateLimitExceededException) as secondary:
        issue.create_comment("second")
    assert int(secondary.value.headers["retry-after"]) in range(1, 61)
    limit(world, primary_per_hour=0)
    with pytest.raises(RateLimitExceededException) as primary:
        github.get_user().login  # noqa: B018
    assert isinstance(primary.value, GithubException)
    assert primary.value.headers["x-ratelimit-remaining"] == "0"
    github.close()


def test_a_304_is_free_for_the_authorised_only(world: Any) -> None:
    for client, used in ((world.client, "1"), (world.anonymous, "2")):
        etag = client.get("/repos/octo/app").headers["etag"]
        again = client.get("/repos/octo/app", headers={"if-none-match": etag})
        assert (again.status_code, again.headers["x-ratelimit-used"]) == (304, used)


def test_a_write_weighs_five_reads(world: Any, clock: Clock) -> None:
    limit(world, points_per_minute=11)
    assert comment(world).status_code == 201
    clock.pass_by(20)
    assert comment(world).status_code == 201
    assert world.client.get("/user").status_code == 200
    refused = world.client.get("/user")
    assert refused.status_code == 403
    assert refused.json()["message"].startswith("You have exceeded a secondary rate limit")
    assert refused.headers["retry-after"] == "40"
    clock.pass_by(40)
    assert world.client.get("/user").status_code == 200


@pytest.mark.parametrize(("setting", "span"), [("content_per_minute", 60), ("content_per_hour", 3600)])
def test_content_has_limits_of_its_own(world: Any, clock: Clock, setting: str, span: int) -> None:
    limit(world, **{setting: 2})
    assert [comment(world).status_code for _ in range(2)] == [201, 201]
    refused = comment(world)
    assert (refused.status_code, refused.headers["retry-after"]) == (403, str(span))
    assert world.client.get("/repos/octo/app/issues/1/comments").json().__len__() == 2
    label = world.client.post("/repos/octo/app/labels", json={"name": "calm", "color": "00ff00"})
    assert label.status_code == 201, "a label notifies nobody"
    clock.pass_by(span)
    assert comment(world).status_code == 201


def test_too_many_at_once_are_refused(world: Any) -> None:
    limit(world, concurrent=1)
    host, port = world.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as slow:
        slow.sendall(
            f"POST /repos/octo/app/issues HTTP/1.1\r\nHost: {host}\r\nUser-Agent: slow\r\nAuthorization: token {world.tokens['octo']}\r\n"
            "Content-Length: 15\r\n\r\n".encode()
        )
        world.until(lambda: world.usage("octo").get("concurrent") == 1)
        refused = world.client.get("/user")
        assert (refused.status_code, refused.headers["retry-after"]) == (403, "60")
        slow.sendall(b'{"title": "now"}'[:15])
    world.until(lambda: world.usage("octo").get("concurrent") == 0)
    assert world.client.get("/user").status_code == 200


def test_limits_can_be_turned_off(world: Any) -> None:
    limit(world, primary_per_hour=1, content_per_minute=1, enabled=False)
    answers = [comment(world) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert {answer.headers["x-ratelimit-remaining"] for answer in answers} == {"1"}, "or a client would stop by itself"
    assert world.client.get("/rate_limit").json()["rate"]["remaining"] == 1


@pytest.mark.parametrize("body", ['{"no_such_limit": 1}', '{"concurrent": 0}', "[1]", "not json"])
def test_a_wrong_setting_is_refused_and_changes_nothing(world: Any, body: str) -> None:
    before = world.anonymous.get("/_control/limits").json()["settings"]
    assert world.anonymous.patch("/_control/limits", content=body).status_code == 422
    assert world.anonymous.get("/_control/limits").json()["settings"] == before


def test_usage_can_be_forgotten(world: Any) -> None:
    limit(world, primary_per_hour=1)
    world.client.get("/user")
    assert world.client.get("/user").status_code == 403
    world.anonymous.delete("/_control/limits")
    assert world.client.get("/user").status_code == 200


def test_git_and_the_control_api_are_not_counted(world: Any) -> None:
    limit(world, primary_per_hour=0)
    assert world.anonymous.get("/octo/app.git/info/refs?service=git-upload-pack").status_code == 200
    assert world.usage("octo") == {}


@given(
    marks=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 5)), max_size=20),
    points=st.integers(1, 5),
    limit=st.integers(5, 40),
)
def test_a_window_asks_to_wait_exactly_as_long_as_needed(marks: list[tuple[int, int]], points: int, limit: int) -> None:
    window, now = Window(60), 0.0
    for gap, weight in marks:
        now += gap
        window.add(now, weight)
    wait = window.wait(now, points, limit)
    if wait > 1:
        assert window.wait(now + wait - 1, points, limit) > 0, "one second earlier is too early"
    assert window.wait(now + wait, points, limit) == 0, "then it fits"
