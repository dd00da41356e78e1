"""A clock that somebody sets is told from one that only goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orch.runtime.clock import WallClock


class Machine:
    """The two clocks of a machine."""

    def __init__(self) -> None:
        self.wall, self.uptime = 1_800_000_000.0, 5.0
        self.clock = WallClock(wall=lambda: self.wall, monotonic=lambda: self.uptime)

    def passes(self, seconds: float, *, drift: float = 0.0) -> None:
        self.wall += seconds + drift
        self.uptime += seconds


def test_it_tells_the_wall_time() -> None:
    machine = Machine()
    assert machine.clock() == datetime.fromtimestamp(1_800_000_000, UTC)
    machine.passes(7)
    assert machine.clock() == datetime.fromtimestamp(1_800_000_007, UTC)
    assert machine.clock.since_step() == timedelta.max


@pytest.mark.parametrize("step", [3_600, -3_600, 3])
def test_a_step_is_remembered(step: float) -> None:
    machine = Machine()
    machine.passes(60, drift=step)
    assert machine.clock.since_step() == timedelta(0)
    machine.passes(30)
    machine.clock()
    assert machine.clock.since_step() == timedelta(seconds=30)


def test_slewing_is_no_step() -> None:
    machine = Machine()
    for _ in range(100):
        machine.passes(600, drift=0.3)
        machine.clock()
    assert machine.clock.since_step() == timedelta.max
