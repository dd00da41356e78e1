"""An operator that was frozen past its lease: the standby goes on with its work, and it writes nothing when it wakes."""

import signal
import time
from collections.abc import Callable
from pathlib import Path

from hack.world.process import Process, ProcessError
from tests.e2e.desk import PATIENCE, Desk
from tests.e2e.lots import Lot, make


def test_a_frozen_leader_writes_nothing_to_github_when_it_wakes(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=1)
    desk = open_desk(load.seed, [load.script])
    desk.watch("frozen", load.repositories[0], **load.spec)
    run = Lot(desk, load, {load.repositories[0]: "frozen"}).take()
    run.until(lambda status: status.get("steps"))
    leader = desk.world.processes["operator"]
    desk.world.start_operator("standby")
    leader.kill(signal.SIGSTOP)
    run.until(lambda status: status.get("plan"))
    assert len(run.comments()) == 1
    standby = desk.world.processes["standby"]
    standby.kill(signal.SIGSTOP)  # whatever reaches GitHub from here on is the old leader's
    try:
        before = len(desk.journal())
        leader.kill(signal.SIGCONT)
        _await_end(leader)
        assert [entry for entry in desk.journal()[before:] if entry["method"] != "GET"] == []
    finally:
        standby.kill(signal.SIGCONT)


def _await_end(process: Process) -> None:
    deadline = time.monotonic() + PATIENCE
    while not _has_ended(process):
        assert time.monotonic() < deadline, "it goes on without the lease"
        time.sleep(0.1)


def _has_ended(process: Process) -> bool:
    try:
        process.check()
    except ProcessError:
        return True
    return False
