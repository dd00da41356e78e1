"""Following checks: asked ever more seldom, never so seldom that people notice."""

from datetime import timedelta

import pytest
from tests.unit.stages.world import at

from orch.api.v1alpha1.reasons import WaitingReason
from orch.ports import Check, CheckState
from orch.stages.checks import checks, pace
from orch.stages.contract import Waiting


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


@pytest.mark.parametrize("there", [(Check("tests", CheckState.PENDING),), ()], ids=["too long", "none at all"])
async def test_a_person_who_is_waited_for_costs_no_more_looks_than_checks(there: tuple[Check, ...]) -> None:
    world = await at(checks)
    world.forge.checked[world.head] = there
    world.clock.forward(timedelta(hours=2))
    outcome = await checks(world.context())
    assert isinstance(outcome, Waiting)
    assert (outcome.reason, outcome.retry_after) == (WaitingReason.AWAITING_HUMAN, timedelta(minutes=5))
