"""A work step dies in the middle of a model call: another is started, no attempt is consumed, and the call is in the book."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos import money, proof
from tests.e2e.desk import Desk, Run, together
from tests.e2e.lots import Lot, make, read_script, script

from orch.adapters.runners.processes import Process

_STAGES = ("Analyse", "Plan", "Implement")
_HELD = 40
"""Seconds that the model takes for the answer during which the step dies. The step that takes its place is quick, so the run
would be over before the call is."""


def test_a_step_dies_in_the_middle_of_a_call(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=len(_STAGES))
    for issue, stage in zip(load.issues, _STAGES, strict=True):
        first, *rest = read_script(load, issue.title)[stage]
        script(load, issue.title, {}, first={stage: [{**first, "delay": _HELD}, *rest]})
    desk = open_desk(load.seed, [load.script])
    desk.watch("crash", load.repositories[0], **load.spec)
    lot = Lot(desk, load, {load.repositories[0]: "crash"})
    runs = [lot.take() for _ in _STAGES]
    together(*(_scene(run, stage) for run, stage in zip(runs, _STAGES, strict=True)))
    money.is_right(desk, runs)


def _scene(run: Run, stage: str) -> Callable[[], None]:
    def a_step_dies() -> None:
        step = run.until(lambda status: _running(status, stage))
        run.desk.until(lambda: money.is_reserved(run.desk, step["name"]))
        run.desk.until(lambda: "prompt" in _transcript(run, step["name"]) or None)
        process = Process.parse(step["runnerUID"])
        assert process is not None
        process.kill(signal.SIGKILL)
        status = run.ends()
        proof.merged_once(run)
        states = [(entry["name"].removeprefix(f"{run.name}-"), entry["state"]) for entry in status["steps"]]
        assert (f"{stage.lower()}-1", "Lost") in states
        assert (f"{stage.lower()}-2", "Succeeded") in states
        assert {name: n for name, n in status["attempts"].items() if n} == {"implement": 1}
        assert "prompt" in _transcript(run, step["name"]), "what the dead step did is still there"

    a_step_dies.__name__ = stage
    return a_step_dies


def _transcript(run: Run, step: str) -> str:
    """What a person reads of a step."""
    world = run.desk.world
    orch = [Path(sys.executable).with_name("kubectl-orch"), "transcript", run.name, step, "-n", run.desk.namespace]
    options = ["--kubeconfig", str(world.kubeconfig), "--gateway", world.gateway_url]
    return subprocess.run(
        [*orch, *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    ).stdout


def _running(status: dict[str, Any], stage: str) -> dict[str, Any] | None:
    steps = [entry for entry in status.get("steps") or [] if f"-{stage.lower()}-1" in entry["name"]]
    return steps[0] if steps and steps[0]["state"] == "Running" else None
