"""The merge queue, by GraphQL and a real git: real checks run on the merge that would land."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from orch.testservers.github.server import serve_in_thread

from .conftest import DEMO, GIT_ENV, TOKENS, Clone, Person, seed_of

ENQUEUE = """mutation ($id: ID!, $sha: GitObjectID) {
  enqueuePullRequest(input: {pullRequestId: $id, expectedHeadOid: $sha}) { mergeQueueEntry { id position state } }
}"""
DEQUEUE = "mutation ($id: ID!) { dequeuePullRequest(input: {id: $id}) { mergeQueueEntry { id } } }"
PLACE = """query ($number: Int!) { repository(owner: "octo", name: "demo") { pullRequest(number: $number) {
  isInMergeQueue isMergeQueueEnabled
  mergeQueueEntry { position state enqueuer { login } headCommit { oid } }
  timelineItems(last: 1, itemTypes: [REMOVED_FROM_MERGE_QUEUE_EVENT]) {
    nodes { ... on RemovedFromMergeQueueEvent { id reason createdAt beforeCommit { oid } } } }
} } }"""
RULE = {"branch": "main", "required_checks": ["ci"], "merge_queue": True, "queue_method": "squash"}
GREEN = "true"
RED_IN_GROUPS = 'test "$GITHUB_EVENT_NAME" != merge_group'


def ask(http: Person, query: str, **variables: object) -> dict[str, Any]:
    answer: dict[str, Any] = http.post("/graphql", json={"query": query, "variables": variables}).json()
    return answer


def refusal(http: Person, query: str, **variables: object) -> str:
    (error,) = ask(http, query, **variables)["errors"]
    assert error["type"] == "UNPROCESSABLE"
    return str(error["message"])


def place(http: Person, number: int = 1) -> dict[str, Any]:
    found: dict[str, Any] = ask(http, PLACE, number=number)["data"]["repository"]["pullRequest"]
    return found


def reason(http: Person, number: int = 1) -> str | None:
    nodes = place(http, number)["timelineItems"]["nodes"]
    return nodes[0]["reason"] if nodes else None


def setting(http: Person, command: str, **rule: object) -> None:
    checks = [{"name": "ci", "command": command}]
    answer = http.patch("/_control/repos/octo/demo", json={"rules": [{**RULE, **rule}], "checks": checks})
    assert answer.status_code == 200, answer.text


@pytest.fixture
def pull(alice, work, github):
    """A pull request with green checks, into a branch that is merged by the queue."""
    setting(alice, GREEN)
    made = alice.open_pull(work)
    github.settle()
    return made


def test_the_base_moves_to_the_commit_that_was_checked(alice, work, pull, github):
    entered = ask(alice, ENQUEUE, id=pull["node_id"], sha=pull["head"]["sha"])
    assert entered["data"]["enqueuePullRequest"]["mergeQueueEntry"]["position"] == 1
    github.settle()
    after = alice.get(f"{DEMO}/pulls/1").json()
    assert (after["merged"], after["merged_by"]["login"]) == (True, "github-merge-queue[bot]")
    work.git("fetch", "--quiet", "--prune")
    tip = work.git("rev-parse", "origin/main")
    assert after["merge_commit_sha"] == tip
    assert work.git("log", "-1", "--format=%P", tip) == pull["base"]["sha"], "the rule's squash, not a merge"
    assert [run["conclusion"] for run in alice.get(f"{DEMO}/commits/{tip}/check-runs").json()["check_runs"]] == [
        "success"
    ]
    assert "gh-readonly-queue" not in work.git("branch", "--remotes")
    assert (place(alice)["isInMergeQueue"], reason(alice)) == (False, "merged")
    events = [event["event"] for event in alice.get(f"{DEMO}/issues/1/events").json()]
    assert events == ["added_to_merge_queue", "removed_from_merge_queue", "merged", "closed"]


def test_a_red_check_gives_it_back_with_the_reason(alice, work, pull, github):
    setting(alice, RED_IN_GROUPS)
    ask(alice, ENQUEUE, id=pull["node_id"])
    github.settle()
    assert alice.get(f"{DEMO}/pulls/1").json()["state"] == "open"
    (removed,) = place(alice)["timelineItems"]["nodes"]
    assert removed["reason"] == "failed_checks"
    (run,) = alice.get(f"{DEMO}/commits/{removed['beforeCommit']['oid']}/check-runs").json()["check_runs"]
    assert run["conclusion"] == "failure"
    work.git("fetch", "--quiet")
    assert work.git("rev-parse", "origin/main") == pull["base"]["sha"]


def test_a_required_status_is_waited_for_on_the_group(alice, pull, github):
    setting(alice, GREEN, required_checks=["ci", "other"])
    alice.post(f"{DEMO}/statuses/{pull['head']['sha']}", json={"state": "success", "context": "other"})
    ask(alice, ENQUEUE, id=pull["node_id"])
    github.settle()
    entry = place(alice)["mergeQueueEntry"]
    assert (entry["state"], entry["enqueuer"]["login"]) == ("AWAITING_CHECKS", "alice")
    alice.post(f"{DEMO}/statuses/{entry['headCommit']['oid']}", json={"state": "success", "context": "other"})
    github.settle()
    assert alice.get(f"{DEMO}/pulls/1").json()["merged"] is True


class TestWaiting:
    """It stands in the queue, and its group's check does not end by itself."""

    @pytest.fixture
    def queued(self, alice, pull, github):
        setting(alice, GREEN, required_checks=["ci", "late"])
        alice.post(f"{DEMO}/statuses/{pull['head']['sha']}", json={"state": "success", "context": "late"})
        assert "data" in ask(alice, ENQUEUE, id=pull["node_id"], sha=pull["head"]["sha"])
        github.settle()
        return pull

    def release(self, alice, number: int = 1) -> None:
        sha = place(alice, number)["mergeQueueEntry"]["headCommit"]["oid"]
        alice.post(f"{DEMO}/statuses/{sha}", json={"state": "success", "context": "late"})

    def test_what_else_would_merge_or_move_it_is_refused(self, alice, queued):
        merged = alice.put(f"{DEMO}/pulls/1/merge", json={})
        assert (merged.status_code, merged.json()["message"]) == (405, "Pull Request is in the merge queue")
        updated = alice.put(f"{DEMO}/pulls/1/update-branch", json={})
        assert updated.json()["message"] == "Branches that are queued for merging cannot be updated"
        assert "already" in refusal(alice, ENQUEUE, id=queued["node_id"])

    def test_it_can_be_taken_out(self, alice, work, queued):
        assert "errors" not in ask(alice, DEQUEUE, id=queued["node_id"])
        assert (place(alice)["mergeQueueEntry"], reason(alice)) == (None, "manual")
        assert "not in the merge queue" in refusal(alice, DEQUEUE, id=queued["node_id"])
        work.git("fetch", "--quiet", "--prune")
        assert "gh-readonly-queue" not in work.git("branch", "--remotes")

    @pytest.mark.parametrize("ending", ["push", "close"])
    def test_a_push_and_a_close_take_it_out(self, alice, work, queued, github, ending):
        if ending == "push":
            work.commit("fix", "More", more_py="y = 2\n")
            work.push("fix")
        else:
            alice.patch(f"{DEMO}/pulls/1", json={"state": "closed"})
        github.settle()
        assert place(alice)["isInMergeQueue"] is False

    def test_a_base_that_moves_has_the_group_built_anew(self, alice, work, queued, github):
        before = place(alice)["mergeQueueEntry"]["headCommit"]["oid"]
        setting(alice, GREEN, required_checks=["ci", "late"], bypass=["alice"])
        work.git("checkout", "--quiet", "main")
        work.commit("main", "Elsewhere", another_py="x = 1\n")
        work.push("main")
        github.settle()
        assert place(alice)["mergeQueueEntry"]["headCommit"]["oid"] != before
        self.release(alice)
        github.settle()
        work.git("fetch", "--quiet")
        assert {"another.py", "calc.py"} <= set(work.git("ls-tree", "--name-only", "origin/main").split())

    def test_the_second_waits_for_the_first(self, alice, work, queued, github):
        second = alice.open_pull(work, "more", more_py="y = 2\n")
        github.settle()
        alice.post(f"{DEMO}/statuses/{second['head']['sha']}", json={"state": "success", "context": "late"})
        ask(alice, ENQUEUE, id=second["node_id"])
        github.settle()
        waiting = place(alice, 2)["mergeQueueEntry"]
        assert (waiting["position"], waiting["state"]) == (2, "QUEUED")
        self.release(alice)
        github.settle()
        assert place(alice, 2)["mergeQueueEntry"]["position"] == 1
        self.release(alice, 2)
        github.settle()
        assert alice.get(f"{DEMO}/pulls/2").json()["merged"] is True


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"merge_queue": False}, "is not enabled"),
        ({"required_reviews": 1}, "Pull request At least 1 approving review is required"),
        ({"required_checks": ["ci", "other"]}, 'Required status check "other" is expected'),
    ],
)
def test_who_may_not_enter_is_told_why(alice, pull, change, words):
    setting(alice, GREEN, **change)
    assert words in refusal(alice, ENQUEUE, id=pull["node_id"])
    assert place(alice)["isInMergeQueue"] is False


def test_another_head_is_refused(alice, pull):
    assert "was modified" in refusal(alice, ENQUEUE, id=pull["node_id"], sha="0" * 40)


def test_a_reader_may_not_let_it_in(reader, pull):
    (error,) = ask(reader, ENQUEUE, id=pull["node_id"])["errors"]
    assert error["type"] == "FORBIDDEN"


def test_a_conflict_with_the_one_in_front_gives_it_back(alice, work, pull, github):
    other = alice.open_pull(work, "other", calc_py="def add(a, b):\n    return b + a\n")
    github.settle()
    for one in (pull, other):
        ask(alice, ENQUEUE, id=one["node_id"])
    github.settle()
    assert [reason(alice, number) for number in (1, 2)] == ["merged", "merge_conflict"]


def test_a_restart_keeps_the_queue(tmp_path, project):
    seed = seed_of(project)
    seed["repos"][0] |= {"rules": [{**RULE, "required_checks": ["late"]}]}
    folder = tmp_path / "clone"
    with serve_in_thread(tmp_path / "data", seed) as server, Person(server, TOKENS["alice"]) as alice:
        url = f"{server.url.replace('://', '://x-access-token:ghp_alice@')}/octo/demo.git"
        subprocess.run(["git", "clone", "--quiet", url, str(folder)], env=GIT_ENV, check=True, timeout=60)
        pull = alice.open_pull(Clone(folder, server.url))
        alice.post(f"{DEMO}/statuses/{pull['head']['sha']}", json={"state": "success", "context": "late"})
        assert "errors" not in ask(alice, ENQUEUE, id=pull["node_id"])
        server.settle()
        before = place(alice)
    with serve_in_thread(tmp_path / "data", seed) as server, Person(server, TOKENS["alice"]) as alice:
        server.settle()
        assert place(alice) == before
        sha = before["mergeQueueEntry"]["headCommit"]["oid"]
        alice.post(f"{DEMO}/statuses/{sha}", json={"state": "success", "context": "late"})
        server.settle()
        assert alice.get(f"{DEMO}/pulls/1").json()["merged"] is True
