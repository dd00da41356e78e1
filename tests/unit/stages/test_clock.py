"""The operator's clock jumps by an hour while an act is under way: nothing happens twice, nothing is given up, nobody waits an hour."""

from datetime import timedelta

import pytest
from tests.fakes.acts import Crash
from tests.unit.stages.world import World

from orch.stages import Done, Waiting

HOUR = timedelta(hours=1)


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["on", "back"])
@pytest.mark.parametrize("act", ["create_comment", "start", "push", "open_pull", "merge", "delete_branch"])
@pytest.mark.parametrize("how", ["crash_before", "crash_after", "lost"])
async def test_a_step_of_the_clock_changes_nothing(act: str, how: str, step: timedelta) -> None:
    world = World()
    setattr(world.acts, how, act)
    for _ in range(12):
        try:
            outcome = await world.settle(rounds=1)
        except Crash:
            break
        if isinstance(outcome, Waiting) and "is unknown" in outcome.message:
            break
    world.acts.heal()
    world.clock.forward(step)
    assert await world.settle() == Done()
    assert [pull.state for pull in world.forge.pulls] == ["merged"]
    assert len(world.forge.said) == 1
    made = [
        name for name in world.acts.made if name in ("push", "open_pull", "merge", "delete_branch", "create_comment")
    ]
    assert sorted(made) == sorted(set(made))
    assert world.run.status.attempts.transient == 0
