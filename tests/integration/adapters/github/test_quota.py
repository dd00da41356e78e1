"""What it costs: an idle repository nothing, a whole run at most 25 requests of the hour. And threads never mix."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from orch.adapters.github import GitHubForges, Host
from orch.errors import NotFound
from orch.ports import Forge

if TYPE_CHECKING:
    from .conftest import MakeForge, World

DEMO = "/repos/octo/demo"
BRANCH = "orch/issue-1"


async def poll(forge: Forge) -> None:
    """What the reconciler of a repository asks each interval."""
    await forge.repository()
    for issue in await forge.labelled_issues(["orch"]):
        for event in await forge.label_events(issue.number):
            await forge.permission(event.actor)


async def look(forge: Forge, number: int, sha: str) -> None:
    """What the stages of a run ask each time."""
    await forge.get_issue(1)
    await forge.get_pull(number)
    await forge.checks(sha)
    await forge.reviews(number)
    await forge.branch_rules("main")
    await forge.permission("alice")


async def test_an_idle_repository_costs_nothing(open_forge: MakeForge, world: World) -> None:
    await poll(open_forge())
    before = world.spent()
    for _ in range(3):
        await poll(open_forge())  # as each reconcile does: what is kept outlives the Forge
    assert world.spent() == before
    statuses = {entry["status"] for entry in world.journal(account="orch-bot")[-3:]}
    assert statuses == {304}


async def test_a_poll_that_finds_a_stranger_costs_nothing_twice(forge: Forge, world: World) -> None:
    await forge.permission("some-app[bot]")
    before = world.spent()
    await forge.permission("some-app[bot]")
    assert world.spent() == before


async def test_a_whole_run_costs_at_most_25(open_forge: MakeForge, world: World) -> None:
    world.repo(rules=[{"branch": "main", "required_checks": ["tests"]}])
    world.repo(checks=[{"name": "tests", "command": "true"}])
    forge = open_forge()
    await poll(forge)
    before = world.spent()
    assert await forge.comments(1) == []
    await forge.permission("alice")
    claim = await forge.create_comment(1, "mine")
    await forge.comments(1)
    sha = world.push(BRANCH)
    assert await forge.find_pull(head=BRANCH) is None
    pull = await forge.open_pull(head=BRANCH, base="main", title="Add", body="")
    await forge.add_labels(pull.number, ["orch/pr"])
    for _ in range(5):
        await look(open_forge(), pull.number, sha)
        world.server.settle()
    await forge.edit_comment(claim.id, "nearly")
    await forge.merge(pull.number, sha=sha, method="Squash", title="Add", message="")
    await forge.get_pull(pull.number)
    await forge.delete_branch(BRANCH)
    await forge.edit_comment(claim.id, "done")
    assert world.spent() - before <= 25


async def test_a_look_at_a_run_in_the_merge_queue_costs_one_point_of_graphql(forge: Forge, world: World) -> None:
    world.repo(rules=[{"branch": "main", "required_checks": ["late"], "merge_queue": True}])
    sha = world.push(BRANCH)
    pull = await forge.open_pull(head=BRANCH, base="main", title="Add", body="")
    world.as_("octo").post(f"{DEMO}/statuses/{sha}", json={"state": "success", "context": "late"})
    await forge.enqueue(pull.number, sha=sha)
    world.server.settle()

    async def look_there() -> int:
        """What the stages ask each time; how many requests that were."""
        first = len(world.journal(account="orch-bot"))
        await forge.get_pull(pull.number)
        await forge.get_issue(1)
        await forge.reviews(pull.number)
        await forge.branch_rules("main")
        assert (await forge.queue_place(pull.number)).entry is not None
        return len(world.journal(account="orch-bot")) - first

    await look_there()
    core, graphql, points = world.spent(), world.used("graphql"), world.used("points_per_minute")
    there = await look_there()
    assert (world.spent() - core, world.used("graphql") - graphql) == (0, 1)
    assert world.used("points_per_minute") - points == there == 6, "one about the queue in place of two about checks"


async def test_another_token_does_not_see_what_one_was_answered(open_forge: MakeForge, world: World) -> None:
    secret = {"owner": "octo", "name": "secret", "private": True, "issues": [{"title": "Hidden"}]}
    assert world.control.post("/_control/repos", json=secret).status_code == 201
    assert (await open_forge("ghp_octo_value", "octo/secret").get_issue(1)).title == "Hidden"
    with pytest.raises(NotFound):
        await open_forge("ghp_alice_value", "octo/secret").get_issue(1)


async def test_many_at_once_never_mix(open_forge: MakeForge, world: World) -> None:
    titles = {}
    for number in range(4, 34):
        made = world.as_("alice").post(f"{DEMO}/issues", json={"title": f"Issue {number}", "labels": ["many"]}).json()
        titles[made["number"]] = made["title"]
    forges = [open_forge(token) for token in ("ghp_bot_value", "ghp_octo_value", "ghp_alice_value")]

    async def read(number: int) -> tuple[int, str]:
        issue = await forges[number % 3].get_issue(number)
        return issue.number, issue.title

    async def write(number: int) -> tuple[int, str]:
        comment = await forges[number % 3].create_comment(number, f"for {number}")
        return number, comment.body

    reads = [read(number) for _ in range(4) for number in titles]
    writes = [write(number) for number in titles]
    found = await asyncio.gather(*reads, *writes)
    assert found[: len(reads)] == [(number, title) for _ in range(4) for number, title in titles.items()]
    assert found[len(reads) :] == [(number, f"for {number}") for number in titles]
    for number in titles:
        assert [entry.body for entry in await forges[0].comments(number)] == [f"for {number}"]
    done = world.until(lambda: world.journal(method="POST", path="/comments$"))
    assert len(done) == len(titles)
    for entry in done:
        assert entry["path"] == f"{DEMO}/issues/{entry['request_body']['body'].split()[1]}/comments"


async def test_writes_of_one_credential_keep_their_distance(host: Host, world: World) -> None:
    slow = GitHubForges({"git.example": host.model_copy(update={"write_interval": 0.2})})
    open_slow = {
        "host": "git.example",
        "secret": {"token": b"ghp_bot_value"},
        "pinned": world.id_of("octo/demo"),
        "polling": False,
    }
    forges = [slow.open(repository="octo/demo", tenant=tenant, **open_slow) for tenant in ("a", "b", "c")]  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    started = loop.time()
    await asyncio.gather(*(forge.create_comment(1, str(number)) for number, forge in enumerate(forges)))
    assert loop.time() - started >= 0.4  # a lower bound: no load makes it shorter
    slow.close()
