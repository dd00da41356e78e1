"""The operator is killed in the middle and started again: what was begun is found again, and no effect happens twice."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hack.projects import Stress
from tests.e2e.desk import Desk
from tests.e2e.lots import Lot, make, read_script, script

_HELD = 40
"""Seconds that the model keeps a step waiting: longer than all need to reach their places. The next step is quick."""


@pytest.fixture
def lot(open_desk: Callable[..., Desk], tmp_path: Path) -> Lot:
    """Three issues: one whose Analyse step hangs at first, one whose Implement step does, one that goes through."""
    load = make(tmp_path / "load", repositories=1, issues=3)
    for number, stage in ((0, "Analyse"), (1, "Implement")):
        _hold(load, number, stage)
    desk = open_desk(load.seed, [load.script])
    desk.watch("crash", load.repositories[0], **load.spec)
    return Lot(desk, load, {load.repositories[0]: "crash"})


def test_killed_and_started_again(lot: Lot) -> None:
    desk = lot.desk
    claimed, implementing, published = lot.take(), lot.take(), lot.take()
    published.until(lambda status: status.get("pullRequest"))
    claimed.until(lambda status: _runs(status, "analyse"))
    implementing.until(lambda status: _runs(status, "implement"))
    desk.world.processes["operator"].kill()
    desk.world.start_operator()
    for run in (published, claimed, implementing):
        status = run.ends()
        assert run.condition("Succeeded")["reason"] == "Merged", status
        assert len(run.comments()) == 1
        assert len(run.pulls()) == 1
        assert len(run.merges()) == 1
        names = [step["name"] for step in status["steps"]]
        assert len(names) == len(set(names))
    for run in (claimed, implementing):  # the steps went on without the operator, and were adopted
        assert {step["state"] for step in run.status["steps"]} == {"Succeeded"}
        assert all(step["name"].endswith("-1") for step in run.status["steps"])
    assert len(published.pushes()) == 3


def _hold(load: Stress, number: int, stage: str) -> None:
    """Have the first step of `stage` wait for its first answer."""
    title = load.issues[number].title
    first, *rest = read_script(load, title)[stage]
    script(load, title, {}, first={stage: [{**first, "delay": _HELD}, *rest]})


def _runs(status: dict[str, Any], stage: str) -> bool:
    steps = status.get("steps") or []
    return any(f"-{stage}-" in step["name"] and step["state"] == "Running" for step in steps)
