"""The disk of the operator's mirrors is full: what needs git waits and says why, all else goes on, and with room nothing is lost."""

import errno
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.chaos import proof
from tests.e2e.desk import ALICE, Desk
from tests.e2e.lots import Lot, make
from tests.small_disk import on_a_small_disk

from orch.adapters.runners.processes import descendants

_ROOM = 4_000_000
_WORDS = "No space left on device"


def test_a_full_disk_is_waited_for(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=3)
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    filler = _on_a_small_disk(desk)
    gates = {"gates": [{"gate": gate, "when": "Always"} for gate in ("Plan", "Merge")]}
    desk.watch("full", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    lot = Lot(desk, load, {load.repositories[0]: "full"})
    published, planned = lot.take(), lot.take()
    desk.decide(published.approval("Plan"), "Approve")
    asked, plan = published.approval("Merge"), planned.approval("Plan")
    _fill(filler)
    begun = lot.take()
    desk.decide(plan, "Approve")
    desk.decide(asked, "Approve")
    published.until(lambda status: status["pullRequest"]["state"] == "Merged")
    for run in (planned, begun):
        run.until(_says_why)
        assert _WORDS in desk.orch("explain", run.name, user=ALICE)
    assert planned.pulls() == []
    assert len(begun.comments()) == 1
    filler.unlink()
    desk.decide(begun.approval("Plan"), "Approve")
    for run in (planned, begun):
        desk.decide(run.approval("Merge"), "Approve")
    for run in (published, planned, begun):
        run.ends()
        proof.merged_once(run)
        proof.no_attempt_consumed(run)
        proof.no_step_repeated(run)
    proof.pushed_once([published, planned, begun])


def _on_a_small_disk(desk: Desk) -> Path:
    """Start the operator anew with a small disk for its mirrors; the file that takes up what is left of it."""
    desk.world.processes["operator"].stop()
    mirrors = desk.world.folder / "operator" / "mirrors"
    mirrors.mkdir(parents=True, exist_ok=True)
    bwrap, *options = on_a_small_disk(mirrors, _ROOM)
    program = (shutil.which(bwrap) or bwrap, *options, str(Path(sys.executable).with_name("orch")), "operator")
    desk.world.start_operator(program=program)
    inner = descendants(desk.world.processes["operator"].pid)[0]
    return Path(f"/proc/{inner.pid}/root{mirrors}/filler")


def _fill(path: Path) -> None:
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError as err:
        if err.errno != errno.ENOSPC:
            raise


def _says_why(status: dict[str, object]) -> bool:
    conditions = status.get("conditions")
    return isinstance(conditions, list) and any(_WORDS in condition["message"] for condition in conditions)
