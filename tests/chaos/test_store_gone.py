"""The gateway's artifacts are lost while runs stand between their stages, and with them the text that people had trusted: these runs
end and say so, and nothing of theirs is pushed any more. What begins afterwards finds a store that works."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos import proof
from tests.chaos.hunt import start
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make, read_script, script

_HANDED_IN = 1
_HELD = 4
"""Seconds that a step is kept waiting, so that it does not end before the operator is dead."""
_GATES = ("Plan", "Publish", "Merge")


def test_what_the_gateway_kept_is_lost(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=4)
    first, *rest = read_script(load, load.issues[_HANDED_IN].title)["Implement"]
    script(load, load.issues[_HANDED_IN].title, {"Implement": [{**first, "delay": _HELD}, *rest]})
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    gates = {"gates": [{"gate": gate, "when": "Always"} for gate in _GATES]}
    desk.watch("lost", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    lot = Lot(desk, load, {load.repositories[0]: "lost"})
    planned, handed_in, judged = lot.take(), lot.take(), lot.take()
    desk.decide(judged.approval("Plan"), "Approve")
    publish, plan = judged.approval("Publish"), planned.approval("Plan")
    desk.decide(handed_in.approval("Plan"), "Approve")
    handed_in.until(_implements)
    desk.world.processes["operator"].kill()
    desk.until(lambda: _has_ended(handed_in), all_live=False)
    _empty(desk.world.folder / "gateway" / "artifacts")
    start(desk, "operator")
    fresh = lot.take()
    desk.decide(plan, "Approve")
    desk.decide(publish, "Approve")
    for gate in _GATES:
        desk.decide(fresh.approval(gate), "Approve")
    for run in (planned, handed_in, judged):
        run.ends()
        proof.ended_explained(run)
        assert run.status["failure"]["reason"] == "ArtifactMissing", run.status["failure"]
        assert run.pulls() == []
    fresh.ends()
    proof.merged_once(fresh)
    proof.no_attempt_consumed(fresh)
    proof.pushed_once([fresh])


def _implements(status: dict[str, Any]) -> bool:
    return any("-implement-" in step["name"] and step["state"] == "Running" for step in status.get("steps", ()))


def _has_ended(run: Run) -> bool:
    """Whether the run's newest step has handed in its report, whoever knows of it."""
    (step,) = [step for step in run.status["steps"] if step["state"] == "Running"]
    steps = run.desk.world.folder / "operator" / "steps"
    return any(step["name"] in result.parent.name for result in steps.glob("*/result.json"))


def _empty(folder: Path) -> None:
    """As when somebody has cleared a disk: the folder is all that is left."""
    for entry in folder.iterdir():
        shutil.rmtree(entry)
