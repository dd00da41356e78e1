"""A leader is frozen in the middle of an act, at each kind of act in turn. Its successor goes on, and when it wakes it writes nothing.

That a successor waits until the lease has ended is tests/e2e/test_failover.py's; here it is let go, and time passes for the frozen.
"""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos import money, proof
from tests.chaos.hunt import release_lease, start
from tests.chaos.shift import Shift
from tests.e2e.desk import Desk
from tests.e2e.lots import Lot, make

from orch.failpoints import VARIABLE

_MARK = "failpoint: "
_PROGRAM = ("-m", "tests.chaos.paused")
_PLACES = (
    "create-comment@before",
    "patch issueruns.orch.dev/status@before:5",
    "push@before",
    "open-pull@before",
    "merge@before",
)
_KINDS = ("issueruns", "approvals", "rollbackpoints")
_RUNS = 2
_QUIET = 1.0
"""Seconds in which a git that is at work asks for something."""


def test_who_wakes_without_the_lease_writes_nothing(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=_RUNS)
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
    desk.watch("frozen", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    desk.world.processes["operator"].kill()
    shift = Shift(Lot(desk, load, {load.repositories[0]: "frozen"}), _RUNS)
    left, frozen = list(_PLACES), list[str]()
    while left:
        frozen.append(f"leader-{len(left)}")
        place = _freeze(shift, frozen[-1], left)
        left = [other for other in left if other.partition(":")[0] != place]
        if len(frozen) > 1:  # its successor stands still: whatever is written now is by who wakes
            _wake(desk, frozen[-2])
    start(desk, "operator")
    shift.end_all()
    desk.world.processes["operator"].kill()
    _wake(desk, frozen[-1])
    for run in shift.runs:
        proof.merged_once(run)
        proof.no_attempt_consumed(run)
        proof.no_step_repeated(run)
        proof.asked_once(run, "Merge")
    proof.pushed_once(shift.runs)
    money.is_right(desk, shift.runs)
    money.nothing_was_lost(desk)


def _freeze(shift: Shift, name: str, places: list[str]) -> str:
    """Start an operator and wait until it stands still; at which of the places."""
    desk = shift.desk
    release_lease(desk)
    desk.world.start_operator(name, program=_PROGRAM, **{VARIABLE: ",".join(places)})

    def stands_still() -> bool:
        shift.wake()
        return _MARK in desk.log(name)

    desk.until(stands_still, what=lambda: (places, [run.status for run in shift.runs]), all_live=False)
    return desk.log(name).partition(_MARK)[2].partition("\n")[0]


def _wake(desk: Desk, name: str) -> None:
    """Let one go on that was frozen: it ends by itself, and has written nothing."""
    _await_silence(desk)
    before, stored = len(desk.journal()), _versions(desk)
    process = desk.world.processes.pop(name)
    process.kill(signal.SIGCONT)
    desk.until(lambda: process.ended() is not None, what=lambda: f"{name} goes on without the lease", all_live=False)
    _await_silence(desk)
    assert [entry for entry in desk.journal()[before:] if entry["method"] != "GET"] == [], name
    assert _versions(desk) == stored, name


def _await_silence(desk: Desk) -> None:
    """Until what the children of a frozen operator were at is over."""
    heard = -1
    while len(desk.journal()) != heard or not desk.is_github_idle():
        heard = len(desk.journal())
        time.sleep(_QUIET)


def _versions(desk: Desk) -> dict[str, str]:
    """Every write changes one."""
    found = (document["metadata"] for kind in _KINDS for document in desk.list(kind))
    return {meta["uid"]: meta["resourceVersion"] for meta in found}
