"""The upkeep's rounds, whatever becomes of them: it runs beside the operator's work and must not end it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from orch.errors import OrchError, Transient
from orch.reconcilers.upkeep import Times, Upkeep


@dataclass(frozen=True)
class Stumbling(Upkeep):
    """Its first round fails in this way, its second one is the last."""

    fault: Exception = field(kw_only=True)
    rounds: list[str] = field(default_factory=list)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def round(self) -> None:
        self.rounds.append("tried")
        if len(self.rounds) == 1:
            raise self.fault
        self.over.set()


@pytest.mark.parametrize(
    "fault", [Transient("GatewayUnreachable", "no answer"), KeyError("items")], ids=["known", "bug"]
)
async def test_a_round_that_fails_is_followed_by_another(fault: OrchError | KeyError) -> None:
    nothing: Any = None
    upkeep = Stumbling(nothing, nothing, times=Times(first=0, period=60, retry=0), fault=fault)
    task = asyncio.create_task(upkeep.run())
    await asyncio.wait_for(upkeep.over.wait(), 20)
    task.cancel()
    assert upkeep.rounds == ["tried", "tried"]


@pytest.mark.parametrize(
    ("period", "times"),
    [
        pytest.param(timedelta(days=1), Times(300, 86_400, 3_600), id="the default"),
        pytest.param(timedelta(minutes=10), Times(300, 600, 600), id="tried again no later than there is a round"),
        pytest.param(timedelta(seconds=2), Times(2, 2, 2), id="nor is the first one"),
    ],
)
def test_nothing_waits_longer_than_a_period(period: timedelta, times: Times) -> None:
    assert Times.within(period) == times
