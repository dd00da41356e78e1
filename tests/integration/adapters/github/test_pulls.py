"""Pull requests, checks, reviews, rules and merges, over real HTTP and real git."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from orch.errors import (
    Ambiguous,
    CredentialsRefused,
    HeadMoved,
    NotFound,
    NotMergeable,
    StillRunning,
    Terminal,
    Transient,
)
from orch.ports import CheckState, CommitStatus, Forge, Pull, QueuePlace, StatusState

if TYPE_CHECKING:
    from .conftest import MakeForge, World

DEMO = "/repos/octo/demo"
BRANCH = "orch/issue-1-1a2b"


@pytest.fixture
async def pull(forge: Forge, world: World) -> Pull:
    """An open pull request of the bot's."""
    world.push(BRANCH)
    return await forge.open_pull(head=BRANCH, base="main", title="Add", body="Closes nothing")


async def test_open_find_get_closed(forge: Forge, world: World, pull: Pull) -> None:
    assert (pull.state, pull.head_branch, pull.base_branch, pull.draft) == ("open", BRANCH, "main", False)
    found = await forge.find_pull(head=BRANCH)
    assert found is not None
    assert (found.number, found.head_sha) == (pull.number, pull.head_sha)
    assert await forge.find_pull(head="orch/another") is None
    await forge.get_pull(pull.number)
    world.server.settle()
    now = await forge.get_pull(pull.number)
    assert (now.mergeable, now.mergeable_state) == (True, "clean")
    world.as_("octo").patch(f"{DEMO}/pulls/{pull.number}", json={"state": "closed"})
    assert (await forge.get_pull(pull.number)).state == "closed"


async def test_opening_twice_gives_the_same(forge: Forge, pull: Pull) -> None:
    again = await forge.open_pull(head=BRANCH, base="main", title="Other", body="")
    assert again.number == pull.number


async def test_nothing_to_open(forge: Forge, world: World) -> None:
    sha = world.as_("alice").get(f"{DEMO}/git/ref/heads/main").json()["object"]["sha"]
    world.as_("alice").post(f"{DEMO}/git/refs", json={"ref": "refs/heads/same", "sha": sha})
    with pytest.raises(Terminal) as caught:
        await forge.open_pull(head="same", base="main", title="x", body="")
    assert caught.value.reason == "NothingChanged"
    with pytest.raises(Transient) as unseen:  # after a push, GitHub may not see the branch at once
        await forge.open_pull(head="absent", base="main", title="x", body="")
    assert unseen.value.reason == "BranchNotSeen"


async def test_statuses_and_check_runs_are_joined(
    forge: Forge, open_forge: MakeForge, world: World, pull: Pull
) -> None:
    app = world.server.token("ci[bot]", kind="app", permissions={"checks": "write", "statuses": "write"})
    as_app = {"authorization": f"token {app}"}
    for status in ({"state": "pending"}, {"state": "failure", "description": "3 tests failed"}):
        made = world.as_("alice").post(f"{DEMO}/statuses/{pull.head_sha}", json={"context": "legacy", **status})
        assert made.status_code == 201
    runs = (
        {"name": "lint", "conclusion": "failure"},
        {"name": "lint", "conclusion": "neutral"},
        {"name": "build", "status": "in_progress"},
        {"name": "unit", "conclusion": "cancelled", "output": {"title": "Stopped", "summary": "by hand"}},
    )
    for run in runs:
        made = world.control.post(
            f"{DEMO}/check-runs", headers=as_app, json={"head_sha": pull.head_sha, "status": "completed", **run}
        )
        assert made.status_code == 201, made.text
    checks = await forge.checks(pull.head_sha)
    assert checks.readable
    assert [(check.name, check.state) for check in checks.items] == [
        ("build", CheckState.PENDING),
        ("legacy", CheckState.FAILED),
        ("lint", CheckState.PASSED),
        ("unit", CheckState.INTERRUPTED),
    ]
    assert not checks.items[3].can_rerun, "no job of Actions"
    assert await forge.check_log(checks.items[1]) == "3 tests failed"
    assert "by hand" in await forge.check_log(checks.items[3])  # an App's run has no log that GitHub keeps


async def test_a_token_that_cannot_read_check_runs_sees_statuses(
    open_forge: MakeForge, world: World, pull: Pull
) -> None:
    permissions = {"contents": "write", "issues": "write", "pull_requests": "write", "statuses": "read"}
    token = world.server.token("orch-bot", kind="fine_grained", permissions=permissions, repos=["octo/demo"])
    world.as_("alice").post(f"{DEMO}/statuses/{pull.head_sha}", json={"context": "legacy", "state": "success"})
    fine = open_forge(token)
    checks = await fine.checks(pull.head_sha)
    assert not checks.readable
    assert [(check.name, check.state) for check in checks.items] == [("legacy", CheckState.PASSED)]
    before = world.spent()
    await fine.checks(pull.head_sha)
    assert world.spent() == before  # what was refused is not asked again at once


async def test_a_status_is_found_as_it_was_set_and_the_newest_stands(
    forge: Forge, open_forge: MakeForge, world: World, pull: Pull
) -> None:
    assert await forge.find_status(pull.head_sha, "orch") is None
    world.as_("alice").post(f"{DEMO}/statuses/{pull.head_sha}", json={"context": "other", "state": "error"})
    for status in (
        CommitStatus(StatusState.PENDING, "waits for checks"),
        CommitStatus(StatusState.FAILURE, "ended"),
        CommitStatus(StatusState.SUCCESS, ""),
    ):
        await forge.set_status(pull.head_sha, "orch", status, url="https://git.test/issues/1")
        assert await forge.find_status(pull.head_sha, "ORCH") == status
    before = world.spent()
    await forge.checks(pull.head_sha)
    assert world.spent() - before == 1, "the statuses are known, the check runs are not"
    permissions = {"contents": "write", "issues": "write", "statuses": "read"}
    reader = open_forge(world.server.token("orch-bot", kind="app", permissions=permissions, repos=["octo/demo"]))
    with pytest.raises(CredentialsRefused) as caught:
        await reader.set_status(pull.head_sha, "orch", status, url="")
    assert caught.value.reason == "Forbidden"


async def test_a_commit_that_is_not_seen_yet(forge: Forge) -> None:
    with pytest.raises(Transient) as caught:
        await forge.checks("0" * 40)
    assert caught.value.reason == "CommitNotSeen"


async def test_an_interrupted_job_runs_again_under_another_id(
    forge: Forge, open_forge: MakeForge, world: World
) -> None:
    world.repo(checks=[{"name": "tests", "command": "true", "interruptions": ["cancelled"]}])
    sha = world.push("green")
    (check,) = (await forge.checks(sha)).items
    assert (check.state, check.ending, check.can_rerun) == (CheckState.INTERRUPTED, "cancelled", True)
    permissions = {"contents": "write", "actions": "read", "checks": "read"}
    reader = open_forge(world.server.token("orch-bot", kind="app", permissions=permissions, repos=["octo/demo"]))
    with pytest.raises(CredentialsRefused) as caught:
        await reader.rerun_check(check)
    assert caught.value.reason == "Forbidden"
    with pytest.raises(NotFound):
        await forge.rerun_check(replace(check, id=999_999))
    await forge.rerun_check(check)
    world.server.settle()
    (again,) = (await forge.checks(sha)).items
    assert (again.state, again.ending, again.can_rerun) == (CheckState.PASSED, "", False)
    assert again.id != check.id


async def test_a_job_of_a_workflow_run_that_is_not_over_has_to_wait(forge: Forge, world: World) -> None:
    world.repo(checks=[{"name": "tests", "command": "sleep 600", "interruptions": ["cancelled"]}])
    sha = world.push("slow")
    (check,) = (await forge.checks(sha)).items
    await forge.rerun_check(check)
    with pytest.raises(StillRunning):
        await forge.rerun_check(check)


async def test_the_log_of_a_job_is_its_end(forge: Forge, world: World) -> None:
    command = "python3 -c \"print('x' * 70000); print('\\x1b[31mthe reason\\x1b[0m')\"; exit 1"
    world.repo(checks=[{"name": "tests", "command": command}])
    sha = world.push("red")
    checks = await forge.checks(sha)
    assert [(check.name, check.state) for check in checks.items] == [("tests", CheckState.FAILED)]
    log = await forge.check_log(checks.items[0])
    assert "\nthe reason\n" in log
    assert len(log.encode()) <= 64_000
    fetched = world.until(lambda: world.journal(path="/runs/[0-9]+/log$"))
    assert [entry["account"] for entry in fetched] == [None]  # the token was not sent to where the log is kept


async def test_reviews_are_the_last_word_of_each(forge: Forge, world: World, pull: Pull) -> None:
    line = {"path": "fix.py", "line": 1, "body": "Why True?"}
    reviews = f"{DEMO}/pulls/{pull.number}/reviews"
    world.as_("octo").post(reviews, json={"event": "APPROVE"})
    world.as_("octo").post(reviews, json={"event": "REQUEST_CHANGES", "body": "No", "comments": [line]})
    world.as_("alice").post(reviews, json={"event": "COMMENT", "body": "Hm"})
    world.as_("alice").post(reviews, json={"event": "APPROVE", "body": "Fine"})
    world.as_("alice").post(reviews, json={"event": "COMMENT", "body": "By the way"})
    found = await forge.reviews(pull.number)
    assert [(review.author, review.state, review.body) for review in found] == [
        ("octo", "CHANGES_REQUESTED", "No"),
        ("alice", "APPROVED", "Fine"),
        ("alice", "COMMENTED", "By the way"),
    ]
    assert found[0].comments == ("fix.py:1: Why True?",)
    assert found[0].sha == pull.head_sha


async def test_rules_of_both_kinds_are_joined(forge: Forge, open_forge: MakeForge, world: World) -> None:
    world.repo(
        rules=[
            {"branch": "main", "required_checks": ["unit"], "required_reviews": 2, "merge_queue": True},
            {
                "branch": "main",
                "kind": "protection",
                "required_checks": ["lint"],
                "required_reviews": 3,
                "strict": True,
            },
        ]
    )
    rules = await open_forge("ghp_octo_value").branch_rules("main")
    assert (rules.required_checks, rules.required_approvals) == ({"unit", "lint"}, 3)
    assert (rules.up_to_date, rules.merge_queue) == (True, True)
    seen = await forge.branch_rules("main")  # a writer may not read classic protection in full
    assert (seen.required_checks, seen.required_approvals) == ({"unit", "lint"}, 2)
    before = world.spent()
    await forge.branch_rules("main")
    assert world.spent() == before


async def test_what_a_branch_does_not_take_is_told_the_same_by_rulesets_and_by_protection(
    open_forge: MakeForge, world: World
) -> None:
    rule = {"branch": "*", "linear_history": True, "signatures": True, "locked": True}
    owner = open_forge("ghp_octo_value")
    for kind in ("ruleset", "protection"):
        world.repo(rules=[{**rule, "kind": kind, "merge_methods": ["squash", "rebase"]}])
        rules = await owner.branch_rules("main", again=True)
        assert (rules.linear_history, rules.signatures, rules.locked, rules.pull_request) == (True,) * 4
        assert rules.merge_methods == ({"Squash", "Rebase"} if kind == "ruleset" else None)
        unborn = await owner.rules_by_name("orch/issue-0")
        assert unborn.locked is (kind == "ruleset"), "classic protection is told of branches that are there"
    world.repo(merge_methods=["squash"])
    assert (await owner.repository()).merge_methods == {"Squash"}


async def test_what_a_token_may_not_read_is_asked_again_when_a_person_asks(forge: Forge, world: World) -> None:
    world.repo(rules=[{"branch": "main", "kind": "protection", "required_reviews": 1}])
    assert (await forge.branch_rules("main")).hidden
    before = world.spent()
    assert (await forge.branch_rules("main")).hidden
    assert world.spent() == before, "a refusal has no ETag"
    world.repo(collaborators={"orch-bot": "admin"})
    rules = await forge.branch_rules("main", again=True)
    assert (rules.hidden, rules.required_approvals) == (False, 1)


async def test_a_plan_without_rulesets_has_no_rules(forge: Forge, world: World) -> None:
    text = "Upgrade to GitHub Pro or make this repository public to enable this feature."
    world.fault(method="GET", path="/rules/branches/", status=403, body={"message": text})
    assert (await forge.branch_rules("main")).required_checks == frozenset()


async def test_merge_and_what_stands_against_it(forge: Forge, world: World, pull: Pull) -> None:
    async def merge(sha: str) -> str:
        return await forge.merge(pull.number, sha=sha, method="Squash", title="Add (#1)", message="Ours")

    with pytest.raises(HeadMoved):
        await merge("0" * 40)
    world.repo(rules=[{"branch": "main", "required_reviews": 1}])
    with pytest.raises(NotMergeable, match="approving review is required") as caught:
        await merge(pull.head_sha)
    assert "\n" not in caught.value.message
    world.repo(rules=[])
    sha = await merge(pull.head_sha)
    merged = await forge.get_pull(pull.number)
    assert (merged.state, merged.merge_sha) == ("merged", sha)
    message = world.as_("octo").get(f"{DEMO}/commits/{sha}").json()["commit"]["message"]
    assert message == "Add (#1)\n\nOurs"


async def test_the_merge_queue_takes_what_it_tests_and_tells_why_it_gives_back(
    forge: Forge, open_forge: MakeForge, world: World, pull: Pull
) -> None:
    rule = {"branch": "main", "required_checks": ["late"], "merge_queue": True, "queue_method": "rebase"}
    world.repo(rules=[rule])
    rules = await forge.branch_rules("main")
    assert (rules.merge_queue, rules.queue_method) == (True, "Rebase")
    assert await forge.queue_place(pull.number) == QueuePlace()
    with pytest.raises(NotMergeable, match='status check "late" is expected'):
        await forge.enqueue(pull.number, sha=pull.head_sha)
    await _late(world, pull.head_sha)
    with pytest.raises(NotMergeable, match="was modified"):
        await forge.enqueue(pull.number, sha="0" * 40)
    entry = await forge.enqueue(pull.number, sha=pull.head_sha)
    assert entry.position == 1
    with pytest.raises(NotMergeable, match="already in the merge queue"):
        await forge.enqueue(pull.number, sha=pull.head_sha)
    world.server.settle()
    place = await forge.queue_place(pull.number)
    assert place.entry is not None
    assert (place.entry.id, place.removal) == (entry.id, None)
    await forge.dequeue(pull.number)
    place = await forge.queue_place(pull.number)
    assert place.removal is not None
    assert (place.entry, place.removal.reason) == (None, "manual")
    with pytest.raises(NotMergeable, match="not in the merge queue"):
        await forge.dequeue(pull.number)
    again = await forge.enqueue(pull.number, sha=pull.head_sha)
    assert again.id != entry.id
    world.server.settle()
    group = (await forge.queue_place(pull.number)).entry
    assert group is not None
    assert group.group_sha is not None
    await _late(world, group.group_sha, "failure")
    world.server.settle()
    red = (await forge.queue_place(pull.number)).removal
    assert red is not None
    assert (red.reason, red.group_sha) == ("failed_checks", group.group_sha)
    assert red.id != place.removal.id
    with pytest.raises(CredentialsRefused):
        await open_forge(world.server.token("carol")).enqueue(pull.number, sha=pull.head_sha)


async def _late(world: World, sha: str, state: str = "success") -> None:
    answer = world.as_("octo").post(f"{DEMO}/statuses/{sha}", json={"state": state, "context": "late"})
    assert answer.status_code == 201


async def test_an_act_by_graphql_is_on_the_pinned_repository_and_its_lost_answer_is_not_repeated(
    forge: Forge, world: World, pull: Pull
) -> None:
    world.repo(rules=[{"branch": "main", "merge_queue": True, "required_checks": ["late"]}])
    await _late(world, pull.head_sha)
    world.fault(method="POST", path="/graphql$", drop="after")
    with pytest.raises(Ambiguous):
        await forge.enqueue(pull.number, sha=pull.head_sha)
    assert (await forge.queue_place(pull.number)).entry is not None, "it has happened"


async def test_deleting_a_branch_twice(forge: Forge, world: World, pull: Pull) -> None:
    await forge.delete_branch(BRANCH)
    assert BRANCH not in world.branches()
    await forge.delete_branch(BRANCH)
    with pytest.raises(Terminal, match="no name of a branch"):
        await forge.delete_branch("../../issues/1")


async def test_there_is_no_such_pull(forge: Forge) -> None:
    with pytest.raises(NotFound):
        await forge.get_pull(404)
