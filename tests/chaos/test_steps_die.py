"""A work step dies in the middle of a model call: another is started, no attempt is consumed, and the call is in the book."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.chaos import proof
from tests.e2e.desk import Desk
from tests.e2e.lots import Lot, make, read_script, script

from orch.adapters.runners.processes import Process

_HELD = 5
"""Seconds that the model takes for the answer during which the step dies."""


@pytest.mark.parametrize("stage", ["Analyse", "Plan", "Implement"])
def test_a_step_dies_in_the_middle_of_a_call(open_desk: Callable[..., Desk], tmp_path: Path, stage: str) -> None:
    load = make(tmp_path / "load", repositories=1, issues=1)
    title = load.issues[0].title
    first, *rest = read_script(load, title)[stage]
    script(load, title, {}, first={stage: [{**first, "delay": _HELD}, *rest]})
    desk = open_desk(load.seed, [load.script])
    desk.watch("crash", load.repositories[0], **load.spec)
    run = Lot(desk, load, {load.repositories[0]: "crash"}).take()
    step = run.until(lambda status: _running(status, stage))
    desk.until(lambda: proof.is_money_reserved(desk))
    process = Process.parse(step["runnerUID"])
    assert process is not None
    process.kill(signal.SIGKILL)
    status = run.ends()
    proof.merged_once(run)
    states = [(entry["name"].removeprefix(f"{run.name}-"), entry["state"]) for entry in status["steps"]]
    assert (f"{stage.lower()}-1", "Lost") in states
    assert (f"{stage.lower()}-2", "Succeeded") in states
    assert {name: n for name, n in status["attempts"].items() if n} == {"implement": 1}
    proof.no_call_is_free(desk, [run])


def _running(status: dict[str, Any], stage: str) -> dict[str, Any] | None:
    steps = [entry for entry in status.get("steps") or [] if f"-{stage.lower()}-1" in entry["name"]]
    return steps[0] if steps and steps[0]["state"] == "Running" else None
