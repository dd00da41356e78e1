"""Asked for more than GitHub gives, the adapter waits or says when to come back. GitHub never has to refuse."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from orch.adapters.github import GitHubForges, Host

if TYPE_CHECKING:
    from .conftest import World

TIGHT = {"points_per_minute": 150, "content_per_minute": 6, "content_per_hour": 60}


@pytest.fixture
def tight(world: World, host: Host) -> Iterator[GitHubForges]:
    """Both sides keep to the same limits, as in life."""
    world.limits(**TIGHT)
    made = GitHubForges({"git.example": host.model_copy(update=TIGHT)})
    yield made
    made.close()


async def press(world: World, acts: list[Awaitable[Any]]) -> Counter[int]:
    """Start all at once, give up what has not had its turn after a while; GitHub's answers by status."""
    tasks = [asyncio.ensure_future(act) for act in acts]
    await asyncio.wait(tasks, timeout=4)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return Counter(entry["status"] for entry in world.journal(account="orch-bot"))


async def test_too_many_reads_wait(tight: GitHubForges, world: World) -> None:
    secret, pinned = {"token": b"ghp_bot_value"}, world.id_of("octo/demo")
    forges = [
        tight.open(
            host="git.example", repository="octo/demo", secret=secret, tenant=tenant, pinned=pinned, polling=polling
        )
        for tenant, polling in (("a", False), ("b", True))
    ]
    answers = await press(world, [forge.comments(1 + number % 3) for number in range(90) for forge in forges])
    assert set(answers) <= {200, 304}
    assert 0 < answers.total() < TIGHT["points_per_minute"]


async def test_too_many_writes_wait(tight: GitHubForges, world: World) -> None:
    secret, pinned = {"token": b"ghp_bot_value"}, world.id_of("octo/demo")
    forge = tight.open(
        host="git.example", repository="octo/demo", secret=secret, tenant="a", pinned=pinned, polling=False
    )
    answers = await press(world, [forge.create_comment(1, str(number)) for number in range(12)])
    assert set(answers) <= {200, 201, 304}
    assert 0 < answers[201] <= TIGHT["content_per_minute"]
