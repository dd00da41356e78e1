"""GitHub's JSON as facts: the corners that no stand-in shows."""

from __future__ import annotations

from typing import Any

import pytest

from orch.adapters.github import facts
from orch.adapters.github.etags import Kept
from orch.adapters.github.line import Reply
from orch.adapters.github.rest import Answer
from orch.adapters.github.rules import of_rulesets
from orch.errors import Ambiguous, Transient
from orch.ports import CheckState, Permission


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"permission": "read", "role_name": "triage"}, Permission.TRIAGE),
        ({"permission": "write", "role_name": "maintain"}, Permission.MAINTAIN),
        pytest.param(
            {"permission": "write", "role_name": "releaser"}, Permission.WRITE, id="an organisation's own role"
        ),
        pytest.param({"permission": "admin"}, Permission.ADMIN, id="an old server"),
        ({"permission": "none", "role_name": "none"}, Permission.NONE),
        ({"permission": "god"}, Permission.NONE),
    ],
)
def test_permissions(document: dict[str, Any], expected: Permission) -> None:
    assert facts.permission(document) is expected


@pytest.mark.parametrize(
    ("status", "conclusion", "expected"),
    [
        *[("completed", name, CheckState.PASSED) for name in ("success", "neutral", "skipped")],
        *[("completed", name, CheckState.FAILED) for name in ("failure", "timed_out", "something new", None)],
        *[
            ("completed", name, CheckState.INTERRUPTED)
            for name in ("cancelled", "stale", "startup_failure", "action_required")
        ],
        *[(name, None, CheckState.PENDING) for name in ("queued", "in_progress", "waiting", "requested", "pending")],
    ],
)
def test_conclusions(status: str, conclusion: str | None, expected: CheckState) -> None:
    assert facts.check_run({"id": 1, "name": "x", "status": status, "conclusion": conclusion}).state is expected


@pytest.mark.parametrize(
    ("conclusion", "app", "can_rerun"),
    [
        ("cancelled", {"slug": "github-actions"}, True),
        ("startup_failure", {"slug": "github-actions"}, True),
        ("action_required", {"slug": "github-actions"}, False),
        ("failure", {"slug": "github-actions"}, False),
        ("cancelled", {"slug": "some-ci"}, False),
        ("cancelled", None, False),
    ],
)
def test_jobs_of_actions_can_run_again(conclusion: str, app: dict[str, str] | None, can_rerun: bool) -> None:
    found = facts.check_run({"id": 1, "name": "x", "status": "completed", "conclusion": conclusion, "app": app})
    assert found.can_rerun is can_rerun
    assert found.ending == ("" if conclusion == "failure" else conclusion)


def test_a_status_of_error_is_no_verdict() -> None:
    found = facts.status({"context": "ci", "state": "error"})
    assert (found.state, found.ending, found.can_rerun) == (CheckState.INTERRUPTED, "error", False)
    assert facts.status({"context": "ci", "state": "failure"}).state is CheckState.FAILED


def test_a_rerun_replaces_the_run_of_the_same_app_only() -> None:
    runs = [
        {"id": 3, "name": "x", "app": {"id": 1}},
        {"id": 9, "name": "x", "app": {"id": 2}},
        {"id": 10, "name": "x", "app": {"id": 1}},
        {"id": 4, "name": "x", "app": None},
    ]
    assert sorted(run["id"] for run in facts.newest_runs(runs)) == [4, 9, 10]


def review(number: int, person: str | None, state: str, minute: int) -> dict[str, Any]:
    user = {"login": person} if person else None
    return {"id": number, "user": user, "state": state, "submitted_at": f"2026-05-01T12:{minute:02}:00Z"}


def test_the_last_word_of_each_in_order_of_time() -> None:
    documents = [
        review(1, "ann", "CHANGES_REQUESTED", 1),
        review(2, "bob", "COMMENTED", 2),
        review(3, "ann", "APPROVED", 9),
        review(4, None, "DISMISSED", 5),
        {"id": 5, "user": {"login": "bob"}, "state": "PENDING"},
    ]
    assert [entry["id"] for entry in facts.latest_reviews(documents)] == [2, 4, 3]


def test_a_branch_of_that_name_in_a_fork_is_not_ours() -> None:
    def pull(number: int, head_repository: int | None) -> dict[str, Any]:
        head = {"sha": "a", "ref": "b", "repo": {"id": head_repository} if head_repository else None}
        base = {"ref": "main", "repo": {"id": 1}}
        return {"number": number, "html_url": "u", "state": "open", "merged_at": None, "head": head, "base": base}

    found = facts.own_pull([pull(9, 2), pull(8, None), pull(7, 1), pull(6, 1)])
    assert found is not None
    assert found.number == 7
    assert facts.own_pull([pull(9, 2)]) is None


def test_an_open_pull_has_no_merge_commit() -> None:
    # GitHub shows the commit of its test merge there
    head, base = {"sha": "a", "ref": "b"}, {"ref": "main"}
    document = {"number": 1, "html_url": "u", "state": "open", "head": head, "base": base, "merge_commit_sha": "c"}
    assert facts.pull(document).merge_sha is None
    assert facts.pull({**document, "merged_at": "2026-05-01T12:00:00Z"}).merge_sha == "c"


def test_a_deleted_account_is_a_ghost() -> None:
    assert facts.login(None) == "ghost"


def test_a_time_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="zone"):
        facts.time("2026-05-01T12:00:00")


def test_rulesets_add_up() -> None:
    rules = [
        {"type": "pull_request", "parameters": {"required_approving_review_count": 1}},
        {"type": "pull_request", "parameters": {"required_approving_review_count": 2}},
        {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": "a"}]}},
        {"type": "deletion"},
    ]
    found = of_rulesets(rules)
    assert (found.required_approvals, found.required_checks, found.up_to_date) == (2, {"a"}, False)


@pytest.mark.parametrize("document", [None, [], {}, "text", {"login": {}}, 7])
def test_an_answer_that_is_not_githubs(document: Any) -> None:
    def parse(found: Any) -> str:
        return str(found["login"]["name"])

    with pytest.raises(Transient) as read:
        Answer("GET /x", document).read(parse)
    assert not isinstance(read.value, Ambiguous)
    with pytest.raises(Ambiguous):
        Answer("POST /x", document, is_write=True).read(parse)


def reply(text: str, etag: str | None = "e") -> Reply:
    return Reply(200, {"etag": etag} if etag else {}, text)


def test_kept_answers_are_bounded_and_apart() -> None:
    kept = Kept(largest=10)
    kept.put("one", "/a", reply("12345"))
    kept.put("two", "/a", reply("67890"))
    assert kept.find("one", "/a") == reply("12345")
    kept.put("one", "/b", reply("x"))  # the least used goes
    assert kept.find("two", "/a") is None
    assert kept.find("one", "/a") is not None
    kept.put("one", "/a", reply("new", etag=None))
    assert kept.find("one", "/a") is None
    kept.put("one", "/c", reply("far too long for it"))
    assert kept.find("one", "/c") is None
    assert kept.find("one", "/b") is not None
