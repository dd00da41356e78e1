"""Bad weather: lost answers, refusals, limits. Nothing is sent twice, and nothing tells the token."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orch.adapters.github import GitHubForges, Host
from orch.errors import (
    Ambiguous,
    CredentialsRefused,
    LeaseEnding,
    NotFound,
    OrchError,
    PolicyDenied,
    RateLimited,
    Terminal,
    Transient,
)
from orch.ports import Forge

if TYPE_CHECKING:
    from .conftest import MakeForge, World

DEMO = "/repos/octo/demo"
COMMENTS = "/issues/1/comments$"
TOKEN = "ghp_bot_value"


def posted(world: World) -> list[str]:
    found = world.as_("alice").get(f"{DEMO}/issues/1/comments").json()
    return [entry["body"] for entry in found]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param({"status": 502, "after": True}, id="answered 502 after the act"),
        pytest.param({"status": 200, "after": True, "body": "<html>"}, id="an answer that is none"),
        pytest.param({"drop": "after"}, id="connection lost after the act"),
        pytest.param({"delay": 3.0, "after": True}, id="no answer in time"),
    ],
)
async def test_a_write_with_a_lost_answer_is_ambiguous_and_sent_once(
    forge: Forge, world: World, fault: dict[str, Any]
) -> None:
    world.fault(method="POST", path=COMMENTS, **fault)
    with pytest.raises(Ambiguous):
        await forge.create_comment(1, "once")
    assert posted(world) == ["once"]
    assert len(world.until(lambda: world.journal(method="POST", path=COMMENTS))) == 1


async def test_a_write_that_happens_late_is_ambiguous(forge: Forge, world: World) -> None:
    world.fault(method="POST", path=COMMENTS, late=0.0)
    with pytest.raises(Ambiguous):
        await forge.create_comment(1, "late")
    assert world.until(lambda: posted(world)) == ["late"]


async def test_a_write_that_was_dropped_before_may_have_happened(forge: Forge, world: World) -> None:
    world.fault(method="POST", path=COMMENTS, drop="before")
    with pytest.raises(Ambiguous):
        await forge.create_comment(1, "never")
    assert posted(world) == []


@pytest.mark.parametrize("fault", [{"status": 502}, {"drop": "before"}, {"delay": 3.0}, {"status": 200, "body": "<p>"}])
async def test_a_read_that_fails_is_worth_another_try(forge: Forge, world: World, fault: dict[str, Any]) -> None:
    world.fault(method="GET", path="/issues/1$", **fault)
    with pytest.raises(Transient) as caught:
        await forge.get_issue(1)
    assert not isinstance(caught.value, Ambiguous)
    assert (await forge.get_issue(1)).number == 1


async def test_an_answer_that_lacks_what_it_should_hold(forge: Forge, world: World) -> None:
    world.fault(method="GET", path="/issues/1$", status=200, body={"number": 1})
    with pytest.raises(Transient):
        await forge.get_issue(1)
    world.fault(method="GET", path="/issues/1/comments$", status=200, body={"message": "no list"})
    with pytest.raises(Transient):
        await forge.comments(1)


async def test_what_never_left_may_be_repeated(host: Host) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens there
        gone = host.model_copy(update={"api_url": f"http://127.0.0.1:{taken.getsockname()[1]}"})
        forges = GitHubForges({"git.example": gone})
        forge = forges.open(
            host="git.example", repository="octo/demo", secret={"token": b"x"}, tenant="t", pinned=1, polling=False
        )
        with pytest.raises(Transient) as caught:
            await forge.create_comment(1, "x")
        assert not isinstance(caught.value, Ambiguous)
        forges.close()


async def test_a_private_address_is_refused_before_anything_is_sent(host: Host, world: World) -> None:
    port = world.url.rpartition(":")[2]
    named = host.model_copy(
        update={"api_url": f"http://localhost:{port}", "git_url": "https://git.invalid", "allow_private": False}
    )
    forges = GitHubForges({"git.example": named})
    forge = forges.open(
        host="git.example", repository="octo/demo", secret={"token": b"x"}, tenant="t", pinned=1, polling=False
    )
    with pytest.raises(PolicyDenied, match="private address"):
        await forge.get_issue(1)
    forges.close()
    assert world.journal(path="/issues/1$") == []


async def _nothing() -> None:
    pass


async def test_a_proxy_of_the_machine_is_used(forge: Forge, monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.delenv("no_proxy")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with pytest.raises(Transient):
        await forge.get_issue(1)
    monkeypatch.setattr(forge, "confirm", _nothing)  # the read before the write had passed
    with pytest.raises(Ambiguous):  # whether a proxy has passed a write on is not for us to know
        await forge.create_comment(1, "x")
    assert world.journal(path="/issues/1") == []


async def test_a_token_that_is_not_known(open_forge: MakeForge) -> None:
    with pytest.raises(CredentialsRefused) as caught:
        await open_forge("ghp_" + "0" * 36).repository()
    assert caught.value.reason == "BadCredentials"


async def test_a_permission_that_is_missing_is_named(open_forge: MakeForge, world: World) -> None:
    token = world.server.token(
        "orch-bot", kind="fine_grained", permissions={"contents": "read", "issues": "read"}, repos=["octo/demo"]
    )
    with pytest.raises(CredentialsRefused) as caught:
        await open_forge(token).create_comment(1, "x")
    assert caught.value.reason == "Forbidden"
    assert "POST /repos/octo/demo/issues/1/comments" in caught.value.message
    headers = {"x-accepted-github-permissions": "issues=write"}
    world.fault(method="POST", path=COMMENTS, status=403, headers=headers, body={"message": "Resource not accessible"})
    with pytest.raises(CredentialsRefused, match="it needs issues=write"):
        await open_forge(token).create_comment(1, "x")


async def test_an_unknown_refusal_ends_the_run_with_its_words(forge: Forge, world: World) -> None:
    body = {"message": "Validation Failed\u202e", "errors": [{"field": "body", "code": "too_long"}]}
    world.fault(method="POST", path=COMMENTS, status=422, body=body)
    with pytest.raises(Terminal, match="422: Validation Failed: body too_long"):
        await forge.create_comment(1, "x")


async def test_a_closed_credential_sends_nothing(forge: Forge, open_forge: MakeForge, world: World) -> None:
    world.fault(method="POST", path=COMMENTS, status=403, headers={"retry-after": "120"}, body={"message": "secondary"})
    started = datetime.now(UTC)
    with pytest.raises(RateLimited) as caught:
        await forge.create_comment(1, "x")
    assert timedelta(seconds=115) < caught.value.retry_at - started < timedelta(seconds=130)
    for other in (forge, open_forge(repository="octo/other", tenant="another")):
        with pytest.raises(RateLimited) as again:
            await other.get_issue(1)
        assert abs(again.value.retry_at - caught.value.retry_at) < timedelta(seconds=1)
    assert len(world.until(lambda: world.journal(path="^/repos/.*/issues"))) == 1
    assert (await open_forge("ghp_alice_value").get_issue(1)).number == 1  # another account is not held back


async def test_the_last_requests_of_the_hour_are_kept_and_none_is_refused(forge: Forge, world: World) -> None:
    world.limits(primary_per_hour=20)
    for number in (1, 2, 3, 1, 2):
        await forge.get_issue(number)
    world.limits(primary_per_hour=4)  # three were counted, the rest was unchanged
    await forge.comments(1)
    with pytest.raises(RateLimited) as caught:
        await forge.get_issue(3)
    assert timedelta(minutes=58) < caught.value.retry_at - datetime.now(UTC) <= timedelta(minutes=61)
    assert "quota" in caught.value.message
    assert {entry["status"] for entry in world.journal(account="orch-bot")} == {200, 304}


async def test_the_hour_was_used_up_by_somebody_else(forge: Forge, world: World) -> None:
    world.limits(primary_per_hour=20)
    await forge.get_issue(1)
    world.limits(primary_per_hour=2)
    assert world.as_("orch-bot").get(f"{DEMO}/issues/2").status_code == 200
    with pytest.raises(RateLimited) as caught:
        await forge.get_issue(3)
    assert timedelta(minutes=58) < caught.value.retry_at - datetime.now(UTC) <= timedelta(minutes=61)
    assert "quota" in caught.value.message


async def test_a_fence_that_closes_keeps_writes_from_leaving(host: Host, world: World) -> None:
    def fence() -> None:
        raise LeaseEnding("LeaseEnding", "somebody else may be leader")

    forges = GitHubForges({"git.example": host}, fence=fence)
    secret, pinned = {"token": TOKEN.encode()}, world.id_of("octo/demo")
    forge = forges.open(
        host="git.example", repository="octo/demo", secret=secret, tenant="t", pinned=pinned, polling=False
    )
    assert (await forge.get_issue(1)).number == 1
    with pytest.raises(LeaseEnding):
        await forge.create_comment(1, "x")
    forges.close()
    assert posted(world) == []


async def test_a_caller_that_is_cancelled_leaves_the_write_alone(
    forge: Forge, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.setattr(forge, "confirm", _nothing)
    world.fault(method="POST", path=COMMENTS, delay=0.3)
    first = asyncio.create_task(forge.create_comment(1, "first"))
    await asyncio.sleep(0.05)
    first.cancel()
    await forge.create_comment(1, "second")  # waits until the thread of the first has come back
    assert posted(world) == ["first", "second"]
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_nothing_tells_the_token(
    open_forge: MakeForge, forge: Forge, world: World, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    failures: list[OrchError] = []
    for order in ({"status": 502}, {"drop": "after"}, {"status": 403}, {"status": 401}, {"status": 422}):
        world.fault(method="POST", path=COMMENTS, **order)
        with pytest.raises(OrchError) as caught:
            await forge.create_comment(1, "x")
        failures.append(caught.value)
    with pytest.raises(NotFound) as lost:
        await forge.get_issue(404)
    failures.append(lost.value)
    shown = [repr(forge), repr(forge.remote(1)), caplog.text]
    shown += ["".join(traceback.format_exception(failure)) for failure in failures]
    assert "POST /repos/octo/demo" in "".join(shown)
    assert TOKEN not in "".join(shown)
