"""The benches at a small size: they run, and what they find is true of any size. Seconds are not looked at.

A bench has a server of its own and fresh processes; here they share one, each in a namespace of its own and alone on it while
it counts requests, and their programs are forked."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from hack.world import World
from hack.world.nursery import Nursery
from tests.bench import approve, burst, events, failover, growth, scale, waiting
from tests.bench.bed import Bed, Beds, bed
from tests.bench.figure import Figure
from tests.bench.scene import Scripts, Seed
from tests.e2e.desk import Desk

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def server(nursery: Nursery) -> Iterator[Bed]:
    with bed(nursery) as first:
        yield first


@pytest.fixture
def beds(server: Bed) -> Beds:
    return lambda: nullcontext(server.beside(f"bench-{secrets.token_hex(4)}"))


def found(figures: Iterable[Figure]) -> dict[str, float]:
    return {figure.id: figure.value for figure in figures}


def test_starting_before_few_and_more_objects_writes_no_finished_one(beds: Beds, tmp_path: Path) -> None:
    figures = list(scale.measure(sizes=(60, 120), active=6, repos=4, beds=beds))
    values = found(figures)
    assert values["scale-60-finished-written"] == values["scale-120-finished-written"] == 0
    few, more = (values[f"scale-{size}-requests-per-500-objects"] * size / 500 for size in (60, 120))
    assert more < few + 4, "about the same requests, whatever the number of finished runs"
    growth.draw(figures, tmp_path / growth.PICTURE)
    assert (tmp_path / growth.PICTURE).read_bytes().startswith(b"\x89PNG")
    lines = growth.page(figures)
    assert any("| 60 | 120 |" in line for line in lines)
    assert any(line.startswith("| memory of each finished run") and "| – |" in line for line in lines)


def test_runs_that_wait_write_nothing_and_an_idle_operator_renews_its_lease_only(beds: Beds) -> None:
    values = found(waiting.measure(runs=8, repos=2, seconds=10, beds=beds))
    assert values["waiting-writes"] == 0
    assert values["idle-requests-besides-lease"] == 0


def test_runs_that_are_created_at_once_all_start(beds: Beds) -> None:
    values = found(burst.created(runs=10, repos=2, beds=beds))
    assert 0 < values["burst-status-writes-per-run"] <= 40
    assert values["burst-looks-per-run"] < 2, "its own writes wake no run"


def test_issues_that_are_labelled_at_once_keep_to_the_cap(beds: Beds) -> None:
    values = found(burst.labelled(issues=10, cap=3, step_seconds=0.5, beds=beds))
    assert values["labelled-most-active"] <= 3
    assert values["labelled-runs"] == 11
    assert values["labelled-duplicates"] == 0


def test_every_object_comes_through(beds: Beds) -> None:
    assert set(found(events.measure(objects=30, rounds=1, beds=beds))) >= {"events-live-ratio", "events-listed-ratio"}


def test_a_standby_follows_a_leader_that_was_killed_and_one_that_was_stopped(beds: Beds) -> None:
    values = found(failover.measure(kills=1, pairs=1, beds=beds))
    assert values["failover-kill-count"] == values["failover-term-count"] == 1


def test_what_is_approved_is_merged(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    def scenes(seed: Seed, scripts: Scripts) -> nullcontext[World]:
        return nullcontext(open_desk(seed(tmp_path), scripts(tmp_path)).world)

    assert found(approve.measure(repositories=1, issues=2, scenes=scenes))["approve-merge-merged"] == 2
