"""What the reconciler tells of a credential's rights and limits."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Desk

FINE = {
    "login": "orch-bot",
    "value": "github_pat_fine",
    "kind": "fine_grained",
    "permissions": {"contents": "write", "issues": "write", "pull_requests": "write", "statuses": "read"},
    "repos": ["octo/demo"],
}


async def test_a_token_that_reads_check_runs(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo", mode="Manual")
    await desk.look(namespace, "demo")
    shown = await desk.condition(namespace, "demo", "ChecksReadable")
    assert shown[:2] == ("True", "CheckRunsReadable")


async def test_a_token_that_cannot_says_what_to_grant_and_is_asked_again(desk: Desk, namespace: str) -> None:
    assert desk.control.post("/_control/tokens", json=FINE).status_code == 201
    desk.apply(namespace, "demo", token="github_pat_fine", mode="Manual")
    await desk.look(namespace, "demo")
    status, reason, message = await desk.condition(namespace, "demo", "ChecksReadable")
    assert (status, reason) == ("False", "CheckRunsRefused")
    assert "Checks (read)" in message
    assert (await desk.condition(namespace, "demo"))[0] == "True", "commit statuses are enough to work"
    asked = desk.spent()
    await desk.look(namespace, "demo")
    assert desk.spent() == asked, "a refusal has no ETag: it is not asked for again and again"
    assert desk.control.post("/_control/tokens/revoke", json={"value": FINE["value"]}).status_code == 204
    classic = {"login": "orch-bot", "value": FINE["value"]}
    assert desk.control.post("/_control/tokens", json=classic).status_code == 201
    desk.kubectl("annotate", "orepo", "demo", "-n", namespace, "orch.dev/requestedAt=now")
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo", "ChecksReadable"))[0] == "True"


async def test_a_wait_within_the_interval_is_no_news_and_a_longer_one_is(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo", mode="Manual", interval="10m")
    await desk.look(namespace, "demo", later=timedelta(0))
    for seconds, shown in ((30, ("True", "Available")), (3000, ("Unknown", "RateLimited"))):
        wait = {"status": 429, "headers": {"retry-after": str(seconds)}, "path": "/repos/octo/demo$"}
        assert desk.control.post("/_control/faults", json=wait).status_code == 201
        desk.start()
        result = await desk.look(namespace, "demo", later=timedelta(0))
        assert result.requeue_after is not None
        assert result.requeue_after <= timedelta(seconds=seconds), "not an interval later"
        assert (await desk.condition(namespace, "demo"))[:2] == shown
