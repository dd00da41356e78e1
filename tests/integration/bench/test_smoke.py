"""The benches at a small size: they run, and what they find is true of any size. Seconds are not looked at."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.bench import approve, burst, events, failover, growth, scale, waiting
from tests.bench.figure import Figure

pytestmark = pytest.mark.timeout(400)


def found(figures: Iterable[Figure]) -> dict[str, float]:
    return {figure.id: figure.value for figure in figures}


def test_starting_before_few_and_more_objects_writes_no_finished_one(tmp_path: Path) -> None:
    figures = list(scale.measure(sizes=(60, 120), active=6, repos=4))
    values = found(figures)
    assert values["scale-60-finished-written"] == values["scale-120-finished-written"] == 0
    few, more = (values[f"scale-{size}-requests-per-500-objects"] * size / 500 for size in (60, 120))
    assert more < few + 4, "about the same requests, whatever the number of finished runs"
    growth.draw(figures, tmp_path / growth.PICTURE)
    assert (tmp_path / growth.PICTURE).read_bytes().startswith(b"\x89PNG")
    assert any("| 60 | 120 |" in line for line in growth.page(figures))


def test_runs_that_wait_write_nothing_and_an_idle_operator_renews_its_lease_only() -> None:
    values = found(waiting.measure(runs=8, repos=2, seconds=10))
    assert values["waiting-writes"] == 0
    assert values["idle-requests-besides-lease"] == 0


def test_runs_that_are_created_at_once_all_start() -> None:
    values = found(burst.created(runs=10, repos=2))
    assert 0 < values["burst-status-writes-per-run"] <= 40
    assert values["burst-looks-per-run"] < 2, "its own writes wake no run"


def test_issues_that_are_labelled_at_once_keep_to_the_cap() -> None:
    values = found(burst.labelled(issues=10, cap=3, step_seconds=0.5))
    assert values["labelled-most-active"] <= 3
    assert values["labelled-runs"] == 11
    assert values["labelled-duplicates"] == 0


def test_every_object_comes_through() -> None:
    assert set(found(events.measure(objects=30, rounds=1))) >= {"events-live-ratio", "events-listed-ratio"}


def test_a_standby_follows_a_leader_that_was_killed_and_one_that_was_stopped() -> None:
    values = found(failover.measure(kills=1, pairs=1))
    assert values["failover-kill-count"] == values["failover-term-count"] == 1


def test_what_is_approved_is_merged() -> None:
    assert found(approve.measure(repositories=1, issues=2))["approve-merge-merged"] == 2
