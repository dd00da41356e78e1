"""The crash matrix of a branch with a merge queue: the operator dies as it puts pull requests in, and as it takes them out.

Beside `test_crash_matrix`, whose runs merge by themselves.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos import effects, money, proof
from tests.chaos.hunt import Webhooks, hunt, unvisited
from tests.e2e import queues
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make

ACTS = ("enqueue", "dequeue")
_RUNS = 3


class Visit:
    """One run: a person suspends it as soon as it is in the queue, resumes it when it is out, then lets the queue merge it."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.is_held = self.was_held = False
        self._said: set[str] = set()

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return bool(self.run.status.get("completionTime"))

    def go_on(self) -> None:
        """The next thing that the person does, if it is time for it."""
        if self.is_over or not self.run.pulls():
            return
        self._say(self.run.pulls()[0]["head"]["sha"])
        is_in = (queues.events(self.run) or [""])[-1] == "added_to_merge_queue"
        if is_in and not self.was_held:
            self._suspend(True)
        elif not is_in and self.is_held:
            self._suspend(False)
        elif is_in and not self.is_held:
            self._say(queues.find_group(self.run) or "")

    def _say(self, sha: str) -> None:
        if sha and sha not in self._said:
            queues.say(self.run, sha)
            self._said.add(sha)

    def _suspend(self, value: bool) -> None:
        self.run.desk.patch("issueruns", self.run.name, {"spec": {"suspend": value}})
        self.is_held, self.was_held = value, True


class Visits:
    """All of them, at once."""

    def __init__(self, lot: Lot) -> None:
        self.all = [Visit(lot.take()) for _ in range(_RUNS)]
        self._webhooks = Webhooks(lot.desk)

    def go_on(self) -> bool:
        """What people do meanwhile; whether all is over."""
        left = [visit for visit in self.all if not visit.is_over]
        for visit in left:
            visit.go_on()
        self._webhooks.tell(visit.run.name for visit in left if visit.run.status)
        return not left


@pytest.mark.timeout(900)
def test_the_operator_dies_at_the_merge_queue(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=_RUNS)
    load.seed["repos"][0]["rules"] = [queues.rule("tests", queues.LATE)]
    load.seed["settings"] = {"limits": {"enabled": False}}
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    desk.watch("queue", load.repositories[0], **load.spec)
    visits = Visits(Lot(desk, load, {load.repositories[0]: "queue"}))
    died = hunt(
        desk, "operator", go_on=visits.go_on, acts=ACTS, what=lambda: [visit.run.status for visit in visits.all]
    )
    assert unvisited(died, ACTS) == []
    runs = [visit.run for visit in visits.all]
    for visit in visits.all:
        proof.queued_once(visit.run, held=visit.was_held)
        proof.no_attempt_consumed(visit.run)
        proof.no_step_repeated(visit.run)
    proof.pushed_once(runs)
    effects.each_once(desk, runs)
    money.is_right(desk, runs)
