"""Following checks: asked ever more seldom, never so seldom that people notice."""

from datetime import timedelta

import pytest
from tests.unit.stages.world import at

from orch.stages.checks import checks, pace


@pytest.mark.parametrize(
    ("waited", "rest"),
    [
        (timedelta(seconds=5), timedelta(seconds=2)),
        (timedelta(minutes=20), timedelta(minutes=2)),
        (timedelta(hours=5), timedelta(minutes=5)),
    ],
    ids=["at first", "a tenth of the wait", "at most five minutes"],
)
async def test_the_next_look_comes_later_the_longer_checks_take(waited: timedelta, rest: timedelta) -> None:
    world = await at(checks)
    world.clock.forward(waited)
    assert pace(world.context()) == rest
