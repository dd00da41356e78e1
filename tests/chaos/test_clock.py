"""The operator's clock steps by an hour while runs are under way, and later back. That no act of the way minds is
tests/unit/stages/test_clock.py's."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos import money, proof
from tests.e2e.desk import Desk
from tests.e2e.lots import Lot, make

_STEPPED = (sys.executable, "-m", "tests.chaos.stepped")
_HOUR = 3_600


def test_an_hour_loses_and_repeats_nothing(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=2)
    desk = open_desk(load.seed, [load.script])
    clock = tmp_path / "clock"
    desk.world.processes["operator"].stop()
    desk.world.start_operator(program=_STEPPED, CLOCK_STEP=str(clock))
    gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
    desk.watch("clock", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    lot = Lot(desk, load, {load.repositories[0]: "clock"})
    ahead, behind = runs = lot.take(), lot.take()
    ahead.until(lambda status: status.get("steps"))
    clock.write_text(str(_HOUR))
    desk.decide(ahead.approval("Merge"), "Approve")
    ahead.ends()
    asked = behind.approval("Merge")
    clock.write_text(str(-_HOUR))
    desk.decide(asked, "Approve")
    behind.until(_says_why)
    clock.write_text("0")
    behind.ends()
    for run in runs:
        proof.merged_once(run)
        proof.asked_once(run, "Merge")
        proof.no_attempt_consumed(run)
    money.is_right(desk, list(runs))
    money.nothing_was_lost(desk)


def _says_why(status: dict[str, Any]) -> bool:
    """An hour behind, the operator's tickets have expired before the gateway sees them: nothing goes on until the clock is right."""
    return any("clocks must agree" in condition["message"] for condition in status.get("conditions", ()))
