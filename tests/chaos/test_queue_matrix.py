"""The crash matrix of a branch with a merge queue: the operator dies as it puts pull requests in, and as it takes them out.

Beside `test_crash_matrix`, whose runs merge by themselves.
"""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.chaos import proof
from tests.chaos.hunt import hunt, start
from tests.e2e import queues
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make

from orch.failpoints import points

ACTS = ("enqueue", "dequeue")
_AT_ONCE = 2
_LOOK = 1.5


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
    """Keeps some runs under way."""

    def __init__(self, lot: Lot) -> None:
        self.lot, self.all = lot, list[Visit]()
        self._looked = 0.0

    def keep_busy(self) -> None:
        """Open issues until so many runs are under way as belong there."""
        missing = _AT_ONCE - sum(not visit.is_over for visit in self.all)
        self.all += [Visit(self.lot.take()) for _ in range(missing)]

    def go_on(self) -> None:
        """What people do meanwhile. They look at GitHub now and then: it takes 900 requests a minute from each."""
        if time.monotonic() - self._looked < _LOOK:
            return
        self._looked = time.monotonic()
        for visit in self.all:
            visit.go_on()

    def end_all(self) -> None:
        """Until all runs are over."""

        def all_over() -> bool:
            self.go_on()
            for visit in self.all:
                if visit.run.status and not visit.is_over:
                    self.lot.desk.poke("issueruns", visit.run.name)
            return all(visit.is_over for visit in self.all)

        self.lot.desk.until(all_over, what=lambda: [visit.run.status for visit in self.all])


@pytest.mark.timeout(900)
def test_the_operator_dies_at_the_merge_queue(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=20)
    load.seed["repos"][0]["rules"] = [queues.rule("tests", queues.LATE)]
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    desk.watch("queue", load.repositories[0], **load.spec)
    visits = Visits(Lot(desk, load, {load.repositories[0]: "queue"}))
    places = [place for place in points() if place.partition("@")[0] in ACTS]

    died = hunt(desk, "operator", places, feed=visits.keep_busy, meanwhile=visits.go_on)
    assert sorted(died) == sorted(places)
    start(desk, "operator")
    visits.end_all()
    for visit in visits.all:
        proof.queued_once(visit.run, held=visit.was_held)
        proof.no_attempt_consumed(visit.run)
        proof.no_step_repeated(visit.run)
    proof.pushed_once([visit.run for visit in visits.all])
