"""Starts a program again and again, each time told to die at one of the places that are left, until it has died at all.

Used by the crash matrix. Which place comes first is the program's own course; several runs at once bring it past all.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from hack.world import ProcessError
from tests.e2e.desk import Desk

from orch.failpoints import VARIABLE

PATIENCE = 90.0
"""Seconds within which a program that has work reaches one of its places."""
_LOOK = 0.1
_WORD = "failpoint: "


def hunt(
    desk: Desk, name: str, places: Iterable[str], *, feed: Callable[[], object], meanwhile: Callable[[], object]
) -> list[str]:
    """Have the operator or the gateway (`name`) die at each of `places`; in which order it did. It is dead at the end.

    `feed` is called before each start: it sees to it that there is work; `meanwhile` again and again while it lives.
    Fails when a place is not reached."""
    left, died = list(places), list[str]()
    desk.world.processes[name].kill()
    while left:
        feed()
        place = _die_once(desk, name, left, meanwhile)
        left.remove(place)
        died.append(place)
    return died


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


def _die_once(desk: Desk, name: str, places: list[str], meanwhile: Callable[[], object]) -> str:
    """Start it, wait until it dies; at which place it did."""
    seen = _deaths(desk, name)
    try:
        start(desk, name, **{VARIABLE: ",".join(places)})
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            desk.world.processes[name].check()
            meanwhile()
            time.sleep(_LOOK)
    except ProcessError as err:
        told = _deaths(desk, name)[len(seen) :]
        if len(told) != 1 or told[0] not in places:
            raise AssertionError(f"the {name} died, and not where it was told to: {told}") from err
        _await_quiet(desk)
        return told[0]
    raise AssertionError(f"the {name} did not come to any of: {', '.join(places)}")


def _await_quiet(desk: Desk) -> None:
    """Until GitHub has done what the dead had asked for: the test's settling time is shorter than a slow machine's answers."""
    deadline = time.monotonic() + PATIENCE
    while not desk.is_github_idle():
        if time.monotonic() > deadline:
            raise AssertionError(f"GitHub is still at work after {PATIENCE:.0f} s")
        time.sleep(_LOOK)


def _deaths(desk: Desk, name: str) -> list[str]:
    return [line.removeprefix(_WORD) for line in desk.log(name).splitlines() if line.startswith(_WORD)]
