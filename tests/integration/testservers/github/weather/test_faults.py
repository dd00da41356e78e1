"""Faults on demand: what the client sees, and whether the act was done, for each of them; over REST and over git."""

from __future__ import annotations

import subprocess
from typing import Any

import httpx2
import pytest

ISSUES = "/repos/octo/app/issues"


def open_issue(world: Any, **options: Any) -> int | str:
    """Status of the answer, or the name of what came instead."""
    try:
        answer = world.client.post(f"/api/v3{ISSUES}", json={"title": "Once"}, **options)
    except httpx2.HTTPError as err:
        return type(err).__name__
    return int(answer.status_code)


def opened(world: Any) -> int:
    """How many issues of that title there are."""
    return sum(issue["title"] == "Once" for issue in world.client.get(ISSUES).json())


@pytest.mark.parametrize(
    ("order", "seen", "acts"),
    [
        pytest.param({"status": 502}, 502, 0, id="an error instead of the act"),
        pytest.param({"status": 502, "after": True}, 502, 1, id="an error though the act is done"),
        pytest.param({"drop": "before"}, "RemoteProtocolError", 0, id="connection lost before"),
        pytest.param({"drop": "after"}, "RemoteProtocolError", 1, id="connection lost after"),
        pytest.param({"delay": 0.01}, 201, 1, id="slow to act"),
        pytest.param({"delay": 0.01, "after": True}, 201, 1, id="slow to answer"),
        pytest.param({"delay": 0.01, "drop": "before"}, "RemoteProtocolError", 0, id="slow, then lost before"),
        pytest.param({"delay": 0.01, "drop": "after"}, "RemoteProtocolError", 1, id="slow, then lost after"),
        pytest.param({"delay": 0.01, "status": 504, "after": True}, 504, 1, id="a gateway gave up"),
    ],
)
def test_a_fault(world: Any, order: dict[str, Any], seen: int | str, acts: int) -> None:
    fault = world.fault(method="POST", path=f"^{ISSUES}$", **order)
    assert open_issue(world) == seen
    assert opened(world) == acts
    [entry] = world.journal(method="POST", path="issues$")
    assert entry["fault"] == fault["id"]
    assert entry["status"] == (seen if isinstance(seen, int) else None)
    assert entry["dropped"] is isinstance(seen, str)
    assert entry["acted_status"] == (201 if acts else None)
    assert open_issue(world) == 201, "it was ordered once"


def test_the_act_may_come_after_the_client_has_given_up(world: Any) -> None:
    world.fault(method="POST", path=f"^{ISSUES}$", late=0.05)
    assert open_issue(world, timeout=0.2) == "ReadTimeout"
    [entry] = world.until(lambda: world.journal(method="POST", path="issues$"))
    assert (entry["status"], entry["dropped"], entry["acted_status"]) == (None, True, 201)
    assert opened(world) == 1


def test_a_late_act_can_drop_its_client_at_once(world: Any) -> None:
    world.fault(method="POST", path=f"^{ISSUES}$", late=0.05, drop="before")
    assert open_issue(world) == "RemoteProtocolError"
    world.until(lambda: opened(world) == 1)


def test_a_client_that_gives_up_does_not_stop_a_slow_act(world: Any) -> None:
    world.fault(method="POST", path=f"^{ISSUES}$", delay=0.4)
    assert open_issue(world, timeout=0.1) == "ReadTimeout"
    world.until(lambda: opened(world) == 1)


def test_count_and_skip(world: Any) -> None:
    world.fault(method="POST", path=f"^{ISSUES}$", status=500, count=2, skip=1)
    assert [open_issue(world) for _ in range(5)] == [201, 500, 500, 201, 201]


def test_a_fault_for_ever_ends_when_it_is_cleared(world: Any) -> None:
    fault = world.fault(path="^/user$", status=503, count=None)
    assert [world.client.get("/user").status_code for _ in range(3)] == [503, 503, 503]
    shown = world.anonymous.get("/_control/faults").json()
    assert [(entry["id"], entry["hits"], entry["spent"]) for entry in shown] == [(fault["id"], 3, False)]
    assert world.anonymous.delete(f"/_control/faults/{fault['id']}").status_code == 204
    assert world.client.get("/user").status_code == 200
    assert world.anonymous.delete(f"/_control/faults/{fault['id']}").status_code == 404


def test_only_what_matches_is_hit(world: Any) -> None:
    world.fault(method="DELETE", path="^/user$", status=500)
    world.fault(method="GET", path="^/users$", status=500)
    assert world.client.get("/user").status_code == 200
    assert world.anonymous.delete("/_control/faults").status_code == 204
    assert world.anonymous.get("/_control/faults").json() == []


def test_the_first_order_wins(world: Any) -> None:
    world.fault(path="^/user$", status=500)
    world.fault(path="^/user$", status=502)
    assert [world.client.get("/user").status_code for _ in range(3)] == [500, 502, 200]


def test_headers_and_body_can_be_chosen(world: Any) -> None:
    world.fault(path="^/user$", status=429, headers={"retry-after": "7"}, body={"message": "slow down"})
    world.fault(path="^/user$", status=502, body="<html>Unicorn!</html>")
    first, second = world.client.get("/user"), world.client.get("/user")
    assert (first.headers["retry-after"], first.json()) == ("7", {"message": "slow down"})
    assert (second.headers["content-type"], second.text) == ("text/html; charset=utf-8", "<html>Unicorn!</html>")


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        pytest.param({"path": "("}, "not a regular expression", id="pattern"),
        pytest.param({"path": "x"}, "say what goes wrong", id="nothing wrong"),
        pytest.param({"path": "x", "status": 500, "drop": "after"}, "neither drop nor late", id="status and drop"),
        pytest.param({"path": "x", "delay": 1, "body": "x"}, "set status", id="body without status"),
        pytest.param({"path": "x", "drop": "before", "after": True}, "drop: before", id="before and after"),
        pytest.param({"path": "x", "late": 1, "delay": 1}, "late goes with", id="late and delay"),
        pytest.param({"path": "x", "status": 500, "count": 0}, "count", id="no count"),
        pytest.param({"path": "x", "status": 500, "often": 3}, "often", id="unknown field"),
        pytest.param({"status": 500}, "path", id="no path"),
    ],
)
def test_a_contradictory_order_is_refused_with_its_reason(world: Any, order: dict[str, Any], reason: str) -> None:
    answer = world.anonymous.post("/_control/faults", json=order)
    assert answer.status_code == 422
    assert reason in answer.json()["message"]
    assert world.anonymous.get("/_control/faults").json() == []


@pytest.mark.parametrize(("drop", "moved"), [("before", False), ("after", True)])
def test_a_push_can_lose_its_connection(world: Any, drop: str, moved: bool) -> None:
    clone = world.clone("octo")
    world.git("commit", "--allow-empty", "-m", "more", cwd=clone)
    wanted = world.git("rev-parse", "HEAD", cwd=clone)
    world.fault(method="POST", path="git-receive-pack$", drop=drop, count=None)  # curl tries again by itself
    with pytest.raises(subprocess.CalledProcessError):
        world.git("push", "origin", "HEAD:refs/heads/more", cwd=clone)
    seen = world.git("ls-remote", "origin", "refs/heads/more", cwd=clone)
    assert seen == (f"{wanted}\trefs/heads/more" if moved else "")


def test_a_fetch_can_fail(world: Any) -> None:
    world.fault(path="info/refs$", status=503)
    with pytest.raises(subprocess.CalledProcessError, match="503"):
        world.clone("octo")
