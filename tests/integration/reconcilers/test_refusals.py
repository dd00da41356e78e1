"""A credential that is refused: tried ever more seldom, noticed when it is put right, nobody else's trouble."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Desk

WRONG = "ghp_nobody_has_this"
_MINUTE = timedelta(minutes=1)


def _tries(desk: Desk, status: int) -> int:
    """Requests so far that were answered like this."""
    entries = desk.control.get("/_control/journal").json()["entries"]
    return sum(entry["status"] == status for entry in entries)


async def _rests(desk: Desk, namespace: str, name: str, *, count: int, status: int) -> list[timedelta]:
    """The rests after the next `count` looks, each when it is due; in between, the object wakes for nothing."""
    rests: list[timedelta] = []
    for _ in range(count):
        before = _tries(desk, status)
        rest = (await desk.look(namespace, name, later=rests[-1] if rests else _MINUTE)).requeue_after
        assert rest is not None
        assert _tries(desk, status) == before + 1
        rests.append(rest)
        # its own new status wakes it, and so does a run that moves
        woken = (await desk.look(namespace, name, later=timedelta(seconds=1))).requeue_after
        assert woken is not None
        assert woken <= rest - timedelta(seconds=1)
        assert _tries(desk, status) == before + 1
    return rests


@pytest.mark.parametrize(
    ("token", "repository", "reason", "status"),
    [
        pytest.param(WRONG, "octo/demo", "BadCredentials", 401, id="a wrong token"),
        pytest.param("ghp_bot_value", "octo/nowhere", "RepositoryNotFound", 404, id="no such repository"),
    ],
)
async def test_it_is_tried_ever_more_seldom_and_another_goes_on(
    desk: Desk, namespace: str, other: str, token: str, repository: str, reason: str, status: int
) -> None:
    desk.apply(namespace, "wrong", token=token, repository=repository, mode="Manual", interval="1m")
    desk.apply(other, "right", mode="Manual", interval="1m")
    rests = await _rests(desk, namespace, "wrong", count=5, status=status)
    assert (await desk.condition(namespace, "wrong"))[:2] == ("False", reason)
    assert all(0.99 * longer > shorter for shorter, longer in pairwise(rests[:4])), rests
    assert rests[-1] <= timedelta(minutes=5)
    assert rests[0] <= _MINUTE
    going_on = await desk.look(other, "right")
    assert (await desk.condition(other, "right"))[:2] == ("True", "Available")
    assert going_on.requeue_after is not None
    assert going_on.requeue_after <= _MINUTE


async def test_one_that_is_put_right_is_used_and_polled_as_before(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo", token=WRONG, mode="Manual", interval="1m")
    await _rests(desk, namespace, "demo", count=4, status=401)
    desk.apply(namespace, "demo", mode="Manual", interval="1m")
    rest = (await desk.look(namespace, "demo", later=timedelta(minutes=5))).requeue_after
    assert (await desk.condition(namespace, "demo"))[:2] == ("True", "Available")
    assert rest is not None
    assert rest <= _MINUTE
