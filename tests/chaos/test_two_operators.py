"""Two operators act at once, for the lease of one is broken: preconditions alone keep each effect to once."""

import sys
from collections.abc import Callable
from pathlib import Path

from tests.chaos import money, proof
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make

_RUNS = 3
LEASELESS = (sys.executable, "-m", "tests.chaos.leaseless")


def test_two_that_both_act(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=_RUNS)
    desk = open_desk(load.seed, [load.script])
    desk.world.start_operator("other", program=LEASELESS)
    gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
    desk.watch("both", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    lot = Lot(desk, load, {load.repositories[0]: "both"})
    runs = [lot.take() for _ in range(_RUNS)]
    for run in runs:
        run.until(bool)
    for run in runs:
        desk.decide(run.approval("Merge"), "Approve")
    for run in runs:
        run.ends()
        _was_safe(run)
    proof.pushed_once(runs)
    money.is_right(desk, runs)
    money.nothing_was_lost(desk)
    for name in ("operator", "other"):
        assert '"effect_done"' in desk.log(name), f"{name} did nothing, so this proves nothing"


def _was_safe(run: Run) -> None:
    proof.merged_once(run)
    proof.no_attempt_consumed(run)
    proof.no_step_repeated(run)
    proof.asked_once(run, "Merge")
