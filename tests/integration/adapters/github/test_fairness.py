"""One credential for two namespaces: a busy one does not keep the other from its one issue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import pytest

from orch.adapters.github import GitHubForges, Host
from orch.adapters.github.governor import THREADS
from orch.ports import Forge

if TYPE_CHECKING:
    from .conftest import World

LIMITS = {"points_per_minute": 1500}
RUNS = 60
ISSUE = 3
"""What the other namespace has: nobody else asks about it."""


@pytest.fixture
def forges(world: World, host: Host) -> GitHubForges:
    world.limits(**LIMITS)
    return GitHubForges({"git.example": host.model_copy(update={**LIMITS, "write_interval": 0.5})})


async def for_ever(act: Callable[[], Awaitable[Any]]) -> None:
    while True:
        await act()


async def test_a_namespace_with_one_issue_takes_turns_with_one_that_has_many(
    forges: GitHubForges, world: World
) -> None:
    secret, pinned = {"token": b"ghp_bot_value"}, world.id_of("octo/demo")

    def forge(tenant: str, *, polling: bool = False) -> Forge:
        return forges.open(
            host="git.example", repository="octo/demo", secret=secret, tenant=tenant, pinned=pinned, polling=polling
        )

    busy, polling, other = forge("busy"), forge("busy", polling=True), forge("other", polling=True)
    crowd = [lambda: busy.comments(1), lambda: polling.labelled_issues(["bug"]), lambda: busy.create_comment(1, "work")]
    tasks = [asyncio.create_task(for_ever(act)) for act in crowd for _ in range(RUNS)]
    await asyncio.to_thread(world.until, lambda: len(written(world, 1)) > 1)
    for look in (other.get_issue, other.label_events, other.comments):
        await look(ISSUE)
    before = written(world, 1)
    await other.create_comment(ISSUE, "claimed")
    after = written(world, 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    forges.close()
    places = [number for number, path in enumerate(reads(world)) if path.startswith(f"/repos/octo/demo/issues/{ISSUE}")]
    assert len(places) == 3
    assert places[-1] - places[0] < RUNS, "one turn each, and what goes on while an answer is under way"
    assert len(after) - len(before) < THREADS, "the one under way, and a turn"
    assert {entry["status"] for entry in world.journal(account="orch-bot")} <= {200, 201, 304}


def reads(world: World) -> list[str]:
    """Paths, in the order in which they were answered."""
    return [entry["path"] for entry in world.journal(account="orch-bot") if entry["method"] == "GET"]


def written(world: World, issue: int) -> list[str]:
    path = f"/repos/octo/demo/issues/{issue}/comments"
    return [path for entry in world.journal(account="orch-bot") if (entry["method"], entry["path"]) == ("POST", path)]
