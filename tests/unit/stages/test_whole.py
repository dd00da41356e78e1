"""The whole way of a run: whatever crashes or is lost at whichever act, the world ends as if nothing had happened."""

import pytest
from tests.fakes.acts import Crash
from tests.unit.stages.world import World

from orch.stages import PIPELINE, Done, Waiting

_EFFECTS = ("create_comment", "start", "push", "open_pull", "set_status", "merge", "delete_branch")
_IDEMPOTENT = ("record_rollback_point",)


def _is_as_it_should_be(world: World) -> None:
    assert len(world.forge.said) == 1
    assert [pull.state for pull in world.forge.pulls] == ["merged"]
    assert list(world.forge.branches) == ["main"]
    assert len(world.records.points) == 1
    once = [act for act in world.acts.made if act not in (*_IDEMPOTENT, "start")]
    assert sorted(once) == sorted(set(once)), once
    assert [step.name for step in world.run.status.steps] == [
        "web-7-1-analyse-1",
        "web-7-1-plan-1",
        "web-7-1-implement-1",
    ]


async def test_the_good_way() -> None:
    world = World()
    assert await world.settle() == Done()
    _is_as_it_should_be(world)
    assert world.run.status.attempts.implement == 1


async def test_the_end_is_the_end() -> None:
    world = World()
    await world.settle()
    status, made, writes = world.run.status.model_copy(deep=True), list(world.acts.made), world.writes
    for _ in range(2):
        assert await world.reconcile() == Done()
    assert (world.run.status, world.acts.made, world.writes) == (status, made, writes)


@pytest.mark.parametrize("act", [*_EFFECTS, *_IDEMPOTENT])
@pytest.mark.parametrize("how", ["crash_before", "crash_after"])
async def test_a_crash_leaves_one_effect(act: str, how: str) -> None:
    world = World()
    setattr(world.acts, how, act)
    with pytest.raises(Crash):
        await world.settle()
    world.acts.heal()
    assert await world.settle() == Done()
    _is_as_it_should_be(world)


@pytest.mark.parametrize("act", _EFFECTS)
@pytest.mark.parametrize("how", ["lost", "late"])
async def test_a_lost_answer_leaves_one_effect(act: str, how: str) -> None:
    world = World()
    setattr(world.acts, how, act)
    for _ in range(12):  # until it has gone wrong
        outcome = await world.reconcile()
        if isinstance(outcome, Waiting) and outcome.message.endswith(" runs"):
            await world.runner.finish()
        elif isinstance(outcome, Waiting):
            break
    world.acts.heal()
    world.acts.land()
    assert await world.settle() == Done()
    _is_as_it_should_be(world)


@pytest.mark.parametrize("stage", PIPELINE, ids=lambda stage: stage.__name__)
async def test_a_stage_that_is_done_does_nothing_when_it_runs_again(stage: object) -> None:
    world = World()
    await world.settle()
    made, writes = list(world.acts.made), world.writes
    for earlier in PIPELINE[: PIPELINE.index(stage) + 1]:  # type: ignore[arg-type]
        assert await world.play(earlier) == Done()
    assert (world.acts.made, world.writes) == (made, writes)
