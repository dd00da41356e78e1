"""The journal: every request leaves one line, without secrets, over restarts."""

from __future__ import annotations

import base64
import socket
from pathlib import Path
from typing import Any

import httpx2
import pytest

from orch.testservers.github.journal import JournalFile


def test_an_entry_says_who_asked_what_and_what_came_of_it(world: Any) -> None:
    world.client.post("/api/v3/repos/octo/app/issues?x=1", json={"title": "New", "body": "text"})
    [entry] = world.journal()
    assert {name: entry[name] for name in ("seq", "method", "path", "query", "request_body", "account", "token_kind",
                                           "status", "acted_status", "dropped", "fault")} == {
        "seq": 1, "method": "POST", "path": "/repos/octo/app/issues", "query": "x=1",
        "request_body": {"title": "New", "body": "text"}, "account": "octo", "token_kind": "classic",
        "status": 201, "acted_status": 201, "dropped": False, "fault": None,
    }  # fmt: skip
    assert entry["response_headers"]["x-ratelimit-used"] == "1"
    assert entry["request_headers"]["content-type"] == "application/json"
    assert entry["duration_ms"] > 0
    assert "response_body" not in entry, "bodies of answers are kept on demand only"


def test_no_credential_gets_into_it(world: Any) -> None:
    hook = {"config": {"url": f"{world.url}/nowhere", "secret": "hook-s3cret"}}
    world.client.post("/repos/octo/app/hooks", json=hook)
    httpx2.get(f"{world.url}/user", auth=("octo", world.tokens["octo"]), trust_env=False)
    world.git("ls-remote", world.remote("octo"))
    httpx2.get(f"{world.url}/user", headers={"authorization": "Bearer not-a-token"}, trust_env=False)
    written = (world.data_dir / "journal.jsonl").read_text()
    assert '"secret":"***"' in written
    for secret in (*world.tokens.values(), "hook-s3cret", "not-a-token", '"authorization"'):
        assert secret not in written
    assert [entry["status"] for entry in world.journal(path="^/user$")] == [200, 401]


def test_the_unknown_have_no_account(world: Any) -> None:
    world.anonymous.get("/repos/octo/app")
    [entry] = world.journal()
    assert (entry["account"], entry["token_kind"], entry["status"]) == (None, None, 200)


def test_git_packs_are_counted_not_kept(world: Any) -> None:
    clone = world.clone("octo")
    (clone / "big.bin").write_bytes(bytes(range(256)) * 50)
    world.git("add", ".", cwd=clone)
    world.git("commit", "-m", "more", cwd=clone)
    world.git("push", "origin", "HEAD:refs/heads/more", cwd=clone)
    [entry] = world.journal(method="POST", path="git-receive-pack$")
    assert entry["account"] == "octo"
    assert entry["moved"] == {"refs/heads/more": [None, world.git("rev-parse", "HEAD", cwd=clone)]}
    assert entry["request_body"] is None
    assert entry["request_size"] > 100


def test_a_push_that_was_cut_short_moved_nothing(world: Any) -> None:
    """git's own server may have answered 200 by then: the status alone does not count pushes."""
    host, port = world.url.removeprefix("http://").split(":")
    login = base64.b64encode(f"x:{world.tokens['octo']}".encode()).decode()
    lines = (
        "POST /octo/app.git/git-receive-pack HTTP/1.1",
        f"host: {host}",
        f"authorization: Basic {login}",
        "content-type: application/x-git-receive-pack-request",
        "content-length: 1000",
    )
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall("\r\n".join((*lines, "", "")).encode() + b"00a0")
    [entry] = world.until(lambda: world.journal(method="POST", path="git-receive-pack$"))
    assert entry["moved"] == {}


def test_a_large_body_is_counted_not_kept(world: Any) -> None:
    world.client.post("/repos/octo/app/issues", json={"title": "x", "body": "y" * 65_000, "z": "z" * 65_000})
    [entry] = world.journal()
    assert entry["request_body"] is None
    assert entry["request_size"] > 130_000


def test_what_is_no_json_is_text(world: Any) -> None:
    world.client.post("/repos/octo/app/issues", content=b"\xff not json")
    [entry] = world.journal()
    assert (entry["request_body"], entry["status"]) == ("\ufffd not json", 400)


def test_the_control_api_leaves_no_line(world: Any) -> None:
    world.anonymous.get("/_control/faults")
    world.anonymous.get("/_control/limits")
    assert world.journal() == []


def test_a_client_that_hangs_up_is_told_apart(world: Any) -> None:
    world.fault(path="^/user$", delay=0.3)
    with pytest.raises(httpx2.ReadTimeout):
        world.client.get("/user", timeout=0.05)
    [entry] = world.until(lambda: world.journal(path="^/user$"))
    assert (entry["status"], entry["dropped"], entry["acted_status"]) == (None, True, 200)


def test_questions(world: Any) -> None:
    world.client.get("/user")
    world.other.get("/user")
    world.client.get("/repos/octo/app")
    world.client.post("/repos/octo/app/labels", json={"name": "calm", "color": "00ff00"})

    def asked(query: str) -> tuple[list[int], int]:
        answer = world.anonymous.get(f"/_control/journal?{query}").json()
        return [entry["seq"] for entry in answer["entries"]], answer["last"]

    assert asked("") == ([1, 2, 3, 4], 4)
    assert asked("since=2") == ([3, 4], 4)
    assert asked("method=POST") == ([4], 4)
    assert asked("path=^/user$") == ([1, 2], 4)
    assert asked("account=mate&path=user") == ([2], 4)
    assert asked("limit=1&since=1") == ([2], 2)
    assert asked("since=99") == ([], 99)


@pytest.mark.parametrize("query", ["since=never", "limit=x", "path=("])
def test_a_wrong_question_is_refused(world: Any, query: str) -> None:
    assert world.anonymous.get(f"/_control/journal?{query}").status_code == 422


def test_numbers_go_on_after_a_restart(world: Any) -> None:
    world.client.get("/user")
    world.restart()
    world.client.get("/user")
    assert [(entry["seq"], entry["path"]) for entry in world.journal()] == [(1, "/user"), (2, "/user")]


def test_a_line_that_a_crash_cut_short_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(b'{"seq":1,"path":"/a"}\n{"seq":2,"pa')
    journal = JournalFile(path)
    journal.append({"path": "/b"})
    journal.close()
    assert list(JournalFile(path).since(0)) == [{"seq": 1, "path": "/a"}, {"seq": 2, "path": "/b"}]
