"""The circuit breaker as a table: F failed, M merged, in the order of their creation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from orch.api.v1alpha1 import CircuitState, CircuitStatus
from orch.policy.circuit import Ended, consecutive, counted, resumed

BEGAN = datetime(2026, 3, 6, 12, tzinfo=UTC)
NOW = BEGAN + timedelta(days=1)


def runs(word: str) -> list[Ended]:
    return [Ended(BEGAN + timedelta(minutes=n), f"web-{n}-1", letter == "F") for n, letter in enumerate(word)]


@pytest.mark.parametrize(
    ("word", "since", "count"),
    [
        ("", None, 0),
        ("FFFF", None, 4),
        ("FFMF", None, 1),
        ("FFFM", None, 0),
        ("MFF", None, 2),
        ("FFFFF", 2, 2),
        ("FF", 5, 0),
    ],
)
def test_failures_in_a_row(word: str, since: int | None, count: int) -> None:
    moment = None if since is None else BEGAN + timedelta(minutes=since)
    assert consecutive(runs(word), moment) == count
    assert consecutive(reversed(runs(word)), moment) == count, "in whatever order they are listed"


@pytest.mark.parametrize(("word", "state"), [("FFFF", CircuitState.CLOSED), ("FFFFF", CircuitState.OPEN)])
def test_it_opens_at_the_limit(word: str, state: CircuitState) -> None:
    found = counted(CircuitStatus(), runs(word), limit=5, now=NOW)
    assert (found.state, found.consecutive_failures) == (state, len(word))
    assert found.opened_time == (NOW if state is CircuitState.OPEN else None)
    assert counted(found, runs(word), limit=5, now=NOW + timedelta(hours=1)) == found, "stable"


def test_it_stays_open_whoever_deletes_runs_raises_the_limit_or_merges() -> None:
    opened = counted(CircuitStatus(), runs("FFFFF"), limit=5, now=NOW)
    assert counted(opened, [], limit=5, now=NOW) == opened
    assert counted(opened, runs("FFFFF"), limit=50, now=NOW) == opened
    assert counted(opened, runs("FFFFFM"), limit=5, now=NOW) == opened


def test_a_person_closes_it_once_for_each_new_value() -> None:
    opened = counted(CircuitStatus(), runs("FFFFF"), limit=5, now=NOW)
    assert resumed(opened, None, now=NOW) == opened
    closed = resumed(opened, "today", now=NOW)
    assert (closed.state, closed.consecutive_failures, closed.reset_time) == (CircuitState.CLOSED, 0, NOW)
    assert counted(closed, runs("FFFFF"), limit=5, now=NOW).state is CircuitState.CLOSED, "what was before is forgiven"
    again = counted(closed, [Ended(NOW + timedelta(minutes=n), f"{n}", True) for n in range(1, 6)], limit=5, now=NOW)
    assert again.state is CircuitState.OPEN
    assert resumed(again, "today", now=NOW) == again, "an annotation that was obeyed is not obeyed again"
    assert resumed(again, "tomorrow", now=NOW).state is CircuitState.CLOSED
