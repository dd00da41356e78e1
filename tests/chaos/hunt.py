"""Starts a program again and again, each time told to die wherever it has not died yet, until it has nothing left to do.

Used by the crash matrices. Which place comes first is the program's own course, and which there are is what its work leads to:
a new act, or an old one on a new occasion, is one more death.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from hack.world import ProcessError
from tests.e2e.desk import Desk

from orch.failpoints import VARIABLE, points

PATIENCE = 240.0
"""Seconds within which a program that has work reaches a place, or the end of its work: on a busy machine, too."""
_LOOK = 0.05
_QUIET_LOOKS = 3
_ACT = 0.5
"""Seconds between two looks at what others have to do; more often, the test asks the API server for more than the operator does."""
_EVERY = 2.0
_LINGER = 4.0
"""Seconds for which a program lives on when its work is done: what it does by the clock, each two seconds, comes last."""
_WORD = "failpoint: "


def hunt(
    desk: Desk,
    name: str,
    *,
    go_on: Callable[[], bool],
    acts: Iterable[str] | None = None,
    spare: Iterable[str] = (),
    what: Callable[[], object] = str,
) -> list[str]:
    """Have the operator or the gateway (`name`) die once at each place and occasion that it comes to; in which order it did. It
    lives at the end. `acts`: at no other ones than these; `spare`: nor at these places.

    `go_on` is what others do meanwhile, called again and again; true when nothing is left to be done; `what`: for the failure."""
    wanted = None if acts is None else set(acts)
    spared = [*spare, *(place for place in points() if wanted is not None and act_of(place) not in wanted)]
    died = list[str]()
    if desk.world.processes[name].ended() is None:
        desk.world.processes[name].kill()
    while (place := _live(desk, name, [*spared, *died], go_on, what)) is not None:
        died.append(place)
    return died


class Webhooks:
    """Wakes runs now and then, as GitHub's webhooks would: what people do there is seen soon."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._told = desk, 0.0

    def tell(self, runs: Iterable[str]) -> None:
        """Have these runs looked at, if it is time for it."""
        if time.monotonic() - self._told > _EVERY:
            self._told = time.monotonic()
            for name in runs:
                self._desk.poke("issueruns", name)


def act_of(place: str) -> str:
    """The act that a place belongs to."""
    return place.partition("@")[0]


def unvisited(died: Iterable[str], acts: Iterable[str]) -> list[str]:
    """Places of these acts where nothing died, whatever the occasion."""
    seen, wanted = {place.partition("#")[0] for place in died}, set(acts)
    return [place for place in points() if act_of(place) in wanted and place not in seen]


def occasions(died: Iterable[str], act: str) -> set[str]:
    """On which occasions an act was cut."""
    return {place.partition("#")[2] for place in died if act_of(place) == act}


def start(desk: Desk, name: str, **settings: str) -> None:
    """Start the operator or the gateway. What a dead operator held is let go: how long that takes is tested elsewhere."""
    if name == "gateway":
        desk.world.start_gateway(**settings)
        return
    release_lease(desk)
    desk.world.start_operator(**settings)


def release_lease(desk: Desk) -> None:
    """Delete the operator's Lease: its holder is known to be dead."""
    meta = {"name": "orch-operator", "namespace": desk.world.system}
    desk.world.server.take_back({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta})


def _live(desk: Desk, name: str, tried: list[str], go_on: Callable[[], bool], what: Callable[[], object]) -> str | None:
    """Start it and wait until it dies; at which place it did. None: it lives, and all is done."""
    seen, done = _deaths(desk, name), None
    try:
        start(desk, name, **{VARIABLE: "!" + ",".join(tried)})
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            _await_death(desk, name, _ACT)
            done = (done or time.monotonic()) if go_on() else None
            if done is not None and time.monotonic() - done > _LINGER:
                return None
    except ProcessError as err:
        told = _deaths(desk, name)[len(seen) :]
        if len(told) != 1 or told[0] in tried:
            raise AssertionError(f"the {name} died, and not where it was told to: {told}") from err
        _await_quiet(desk)
        return told[0]
    raise AssertionError(f"the {name} came to no place in {PATIENCE:.0f} s, and there is work left: {what()}")


def _await_death(desk: Desk, name: str, seconds: float) -> None:
    """So long it may live on. Raises ProcessError when it does not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        desk.world.processes[name].check()
        time.sleep(_LOOK)


def _await_quiet(desk: Desk) -> None:
    """Until GitHub has done what the dead had asked for: the test's settling time is shorter than a slow machine's answers. Seen
    some times in a row, for it may not have read the last of it yet."""
    deadline, quiet = time.monotonic() + PATIENCE, 0
    while quiet < _QUIET_LOOKS:
        time.sleep(_LOOK)
        quiet = quiet + 1 if desk.is_github_idle() else 0
        if time.monotonic() > deadline:
            raise AssertionError(f"GitHub is still at work after {PATIENCE:.0f} s")


def _deaths(desk: Desk, name: str) -> list[str]:
    return [line.removeprefix(_WORD) for line in desk.log(name).splitlines() if line.startswith(_WORD)]
