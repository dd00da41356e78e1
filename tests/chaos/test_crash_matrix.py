"""The crash matrix: the operator dies at every place of every act, several runs under way; each effect happens once all the same.

Generated from `orch.failpoints`: an act that is named there and not reached here fails the test.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos import proof, test_farewell_matrix, test_queue_matrix
from tests.chaos.attic import Attic
from tests.chaos.hunt import hunt, start
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make

from orch.failpoints import ACTS, points

_OFF_THE_WAY = {
    "delete approvals.orch.dev": "of an earlier run of the same name",
    **dict.fromkeys((*test_farewell_matrix.ACTS, *test_queue_matrix.ACTS), "in a matrix of its own"),
}
"""Acts that no run comes to, and why."""
_GATEWAY = {name for name, act in ACTS.items() if act.where.startswith("gateway/")}
_AT_ONCE = 3


@pytest.fixture
def lot(open_desk: Callable[..., Desk], tmp_path: Path) -> Lot:
    """One repository with many small issues; a person is asked before each merge, and each check is cut short at first."""
    load = make(tmp_path / "load", repositories=1, issues=40)
    load.seed["repos"][0]["checks"][0]["interruptions"] = ["cancelled"]
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S", ORCH_UPKEEP="PT2S")
    gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
    publish = {"labels": ["by-orch"]}
    desk.watch(
        "crash", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates, "publish": publish}
    )
    return Lot(desk, load, {load.repositories[0]: "crash"})


class Shift:
    """Keeps some runs under way, and answers what they ask."""

    def __init__(self, lot: Lot) -> None:
        self.lot, self.runs, self.attic = lot, list[Run](), Attic(lot.desk)

    def keep_busy(self) -> None:
        """Open issues until so many runs are under way as belong there. And there is something old to let go of."""
        self.attic.forget_one()
        under_way = [run for run in self.runs if not run.status.get("completionTime")]
        self.runs += [self.lot.take() for _ in range(_AT_ONCE - len(under_way))]

    def approve(self) -> None:
        """Approve whatever is asked."""
        for approval in self.lot.desk.list("approvals"):
            if not approval["spec"].get("decisions"):
                self.lot.desk.decide(approval["metadata"]["name"], "Approve")

    def wake(self) -> None:
        """Have the runs looked at now, for what they wait for may be there again."""
        self.approve()
        for run in self.runs:
            if run.status and not run.status.get("completionTime"):
                self.lot.desk.poke("issueruns", run.name)
        time.sleep(1)

    def end_all(self) -> None:
        """Wait until all runs are over, and answer what they ask."""

        def all_over() -> bool:
            self.wake()
            return all(run.status.get("completionTime") for run in self.runs)

        self.lot.desk.until(all_over, what=lambda: [run.status for run in self.runs])

    def proves_what_the_gateway_keeps(self) -> None:
        """What is old is gone, and all that the steps told and handed in is there."""
        self.lot.desk.until(self.attic.is_swept, what=lambda: self.attic.forgotten)
        proof.told_once(self.attic, self.runs)


@pytest.mark.timeout(900)
def test_the_operator_dies_everywhere(lot: Lot) -> None:
    desk, shift = lot.desk, Shift(lot)
    places = [place for place in points() if place.partition("@")[0] not in {*_OFF_THE_WAY, *_GATEWAY}]

    def look_after() -> None:
        shift.keep_busy()
        shift.approve()

    died = hunt(desk, "operator", places, feed=look_after, meanwhile=shift.approve)
    assert sorted(died) == sorted(places)
    start(desk, "operator")
    shift.end_all()
    for run in shift.runs:
        proof.merged_once(run)
        proof.no_attempt_consumed(run)
        proof.no_step_repeated(run)
        proof.asked_once(run, "Merge")
        proof.shown_once(run)
    shift.proves_what_the_gateway_keeps()
    proof.pushed_once(shift.runs)
    proof.rerun_once(shift.runs)
    proof.every_call_is_booked(desk, shift.runs)


def test_the_gateway_dies_everywhere(lot: Lot) -> None:
    desk, shift = lot.desk, Shift(lot)
    places = [place for place in points() if place.partition("@")[0] in _GATEWAY]

    died = hunt(desk, "gateway", places, feed=shift.keep_busy, meanwhile=shift.wake)
    assert sorted(died) == sorted(places)
    start(desk, "gateway")
    shift.end_all()
    for run in shift.runs:
        proof.merged_once(run)
        proof.no_attempt_consumed(run)
    shift.proves_what_the_gateway_keeps()
    proof.no_call_is_free(desk, shift.runs)
