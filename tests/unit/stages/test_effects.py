"""An effect happens once: whatever crashes when, and whatever answer is lost."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from orch.api.v1alpha1 import EffectState, IssueRun, IssueRunSpec, LocalRef, ObjectMeta, Trigger, TriggerType
from orch.errors import Ambiguous, LeaseEnding, RateLimited
from orch.stages.contract import Waiting
from orch.stages.effects import done, find_effect, once

KEY = "pull-request"
BEGAN = datetime(2026, 11, 23, 12, tzinfo=UTC)
SETTLE = timedelta(seconds=60)


class Crash(BaseException):
    """The process is gone: nothing after this line ran."""


class World:
    """What happened outside, and a run whose status survives only what was saved."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.now = BEGAN
        self.crash = ""
        self.answer: Exception | None = None
        self.late = False
        self.since_step = timedelta.max
        self.saves = 0
        self.renewed = [True]
        """Whether the lease has long enough to run, at each question; the last answer stands."""
        self.run = IssueRun(
            metadata=ObjectMeta(name="web-1-1", namespace="team"),
            spec=IssueRunSpec(
                repository_ref=LocalRef(name="web"),
                issue_number=1,
                trigger=Trigger(type=TriggerType.MANUAL, username="alice"),
            ),
        )
        self._saved = self.run.deep_copy()

    async def play(self) -> str | Waiting:
        """One reconcile; a crash loses what was not saved."""
        context: Any = SimpleNamespace(
            run=self.run,
            clock=lambda: self.now,
            settle=SETTLE,
            save=self._save,
            fence=self._fence,
            since_step=lambda: self.since_step,
            lines=lambda *_: None,
        )
        try:
            outcome = await once(context, KEY, find=self._find, act=self._act)
            await self._save()
        except Crash:
            self.run = self._saved.deep_copy()
            raise
        return outcome

    async def _save(self) -> None:
        self.saves += 1
        if self.crash == "before saving":
            raise Crash
        self._saved = self.run.deep_copy()

    def _fence(self) -> None:
        if not (self.renewed.pop(0) if len(self.renewed) > 1 else self.renewed[0]):
            raise LeaseEnding("LeaseEnding", "the lease may end before the answer")

    async def _find(self) -> str | None:
        return self.made[0] if self.made else None

    async def _act(self) -> str:
        if self.crash == "before the act":
            raise Crash
        if not self.late:
            self.made.append("7")
        if self.crash == "after the act":
            raise Crash
        if self.answer is not None:
            raise self.answer
        return "7"


async def test_it_is_made_recorded_and_never_made_again() -> None:
    world = World()
    assert await world.play() == "7"
    assert await world.play() == "7"
    assert world.made == ["7"]
    assert done(world.run, KEY) == "7"


@pytest.mark.parametrize("crash", ["before saving", "before the act", "after the act"])
async def test_after_a_crash_anywhere_it_exists_once(crash: str) -> None:
    world = World()
    world.crash = crash
    with pytest.raises(Crash):
        await world.play()
    world.crash = ""
    outcomes = []
    for _ in range(4):
        outcomes.append(await world.play())
        world.now += SETTLE
    assert outcomes[-1] == "7"
    assert world.made == ["7"]


async def test_a_lost_answer_is_waited_for_and_adopted() -> None:
    world = World()
    world.answer = Ambiguous("Unreachable", "no answer")
    waiting = await world.play()
    assert isinstance(waiting, Waiting)
    assert waiting.retry_after == SETTLE
    world.answer = None
    assert await world.play() == "7"
    assert world.made == ["7"]


async def test_an_act_that_lands_late_is_not_repeated() -> None:
    world = World()
    world.answer, world.late = Ambiguous("Unreachable", "no answer"), True
    await world.play()
    world.now += timedelta(seconds=30)
    assert isinstance(await world.play(), Waiting)
    world.made.append("7")
    world.answer, world.late = None, False
    world.now += SETTLE
    assert await world.play() == "7"
    assert world.made == ["7"]


async def test_a_clock_that_is_set_forward_makes_no_act_old() -> None:
    world = World()
    world.answer, world.late = Ambiguous("Unreachable", "no answer"), True
    await world.play()
    world.answer, world.late = None, False
    world.now += timedelta(hours=1)
    for world.since_step in (timedelta(0), SETTLE - timedelta(seconds=5)):
        waiting = await world.play()
        assert isinstance(waiting, Waiting)
        assert waiting.retry_after == SETTLE - world.since_step
    world.made.append("7")
    world.since_step = SETTLE
    assert await world.play() == "7"
    assert world.made == ["7"]


async def test_an_act_that_never_landed_is_looked_for_twice_and_then_repeated() -> None:
    world = World()
    world.answer, world.late = Ambiguous("Unreachable", "no answer"), True
    await world.play()
    world.answer, world.late = None, False
    world.now += SETTLE
    first = await world.play()
    assert isinstance(first, Waiting)
    assert world.made == []
    world.now += timedelta(seconds=2)
    assert await world.play() == "7"
    assert world.made == ["7"]


async def test_a_refusal_withdraws_the_intent() -> None:
    world = World()
    world.answer, world.late = RateLimited("wait", retry_at=BEGAN), True
    with pytest.raises(RateLimited):
        await world.play()
    assert find_effect(world.run, KEY) is None
    world.answer, world.late = None, False
    assert await world.play() == "7"


@pytest.mark.parametrize("saves", [0, 1])
async def test_what_may_not_be_done_while_the_lease_may_end_is_not_intended_either(saves: int) -> None:
    world = World()
    world.renewed = [*[True] * saves, False]
    with pytest.raises(LeaseEnding):
        await world.play()
    assert find_effect(world.run, KEY) is None
    assert world.saves == saves
    world.renewed = [True]
    assert await world.play() == "7"
    assert world.made == ["7"]


async def test_the_intent_is_saved_before_the_act() -> None:
    world = World()
    world.crash = "after the act"
    with pytest.raises(Crash):
        await world.play()
    effect = find_effect(world.run, KEY)
    assert effect is not None
    assert effect.state is EffectState.INTENDED


async def test_a_clock_that_is_set_back_prolongs_the_wait_by_no_more_than_itself() -> None:
    world = World()
    world.answer, world.late = Ambiguous("Unreachable", "no answer"), True
    await world.play()
    world.answer, world.late = None, False
    world.now -= timedelta(hours=1)
    waiting = await world.play()
    assert isinstance(waiting, Waiting)
    assert waiting.retry_after == SETTLE
    world.now += SETTLE
    await world.play()
    assert world.made == []
    world.now += timedelta(seconds=2)
    assert await world.play() == "7"
