"""How long a step waits: as the server says, and never without end."""

from __future__ import annotations

import pytest

from orch.agent.patience import GaveUp, Patience, Trouble

BUSY = Trouble("api_error", "", status=500)
REFUSED = Trouble("connection", "")
CUT = Trouble("cut", "")
LIMITED = Trouble("", "", status=429, retry_after=60)


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def now(self) -> float:
        return self.time


def patience(clock: Clock, *, deadline: float = 1_000, total: float = 900) -> Patience:
    return Patience(deadline, total=total, sleep=clock.sleep, now=clock.now)


def test_the_servers_word_counts() -> None:
    clock = Clock()
    patience(clock).wait([Trouble("rate_limit_error", "", status=429, retry_after=17)])
    assert clock.slept == [17]


def test_without_a_word_it_doubles_up_to_a_minute() -> None:
    clock = Clock()
    waiting = patience(clock)
    for attempts in range(1, 8):
        waiting.wait([BUSY] * attempts)
    whole = [min(60, 2 ** (n - 1)) for n in range(1, 8)]
    assert all(most / 2 <= slept <= most for slept, most in zip(clock.slept, whole, strict=True)), clock.slept


@pytest.mark.parametrize(
    "failed",
    [
        pytest.param([BUSY] * 8, id="eight attempts"),
        pytest.param([CUT] * 4, id="four broken streams"),
        pytest.param([CUT, REFUSED] * 3 + [CUT], id="four of them broken streams"),
        pytest.param([Trouble("rate_limit_error", "", status=429, retry_after=1_001)], id="past the deadline"),
        pytest.param([Trouble("rate_limit_error", "", status=429, retry_after=901)], id="past all patience"),
    ],
)
def test_it_ends(failed: list[Trouble]) -> None:
    clock = Clock()
    with pytest.raises(GaveUp):
        patience(clock).wait(failed)
    assert clock.slept == []


def test_one_broken_stream_after_refused_connections_is_one_of_its_kind() -> None:
    clock = Clock()
    patience(clock).wait([*[REFUSED] * 5, CUT])
    assert len(clock.slept) == 1


def test_patience_is_used_up_over_all_calls() -> None:
    clock = Clock()
    waiting = patience(clock, total=100)
    waiting.wait([LIMITED])
    with pytest.raises(GaveUp):
        waiting.wait([LIMITED])
