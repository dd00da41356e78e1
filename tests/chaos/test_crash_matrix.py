"""The crash matrix: the operator dies at every place of every act, on each of its occasions; each effect happens once all the same.

Generated from `orch.failpoints` and from what runs of all ways come to: an act that is named there and not reached here fails the
test, and one that is reached on a new occasion is one more death.
"""

import itertools
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from tests.chaos import effects, money, proof, test_farewell_matrix, test_queue_matrix, test_restore, ways
from tests.chaos.attic import Attic
from tests.chaos.hunt import hunt, occasions, unvisited
from tests.e2e.desk import Desk
from tests.e2e.lots import make

from orch.failpoints import ACTS

_OFF_THE_WAY = {*test_farewell_matrix.ACTS, *test_queue_matrix.ACTS, *test_restore.ACTS}
"""Acts that no run here comes to: each in a matrix of its own."""
_GATEWAY = {name for name, act in ACTS.items() if act.where.startswith("gateway/")}
_STEPS = {name for name, act in ACTS.items() if act.where.startswith("agent/")}
"""Tried in `test_steps_die`."""
_OPERATOR = ACTS.keys() - _GATEWAY - _STEPS - _OFF_THE_WAY
_OCCASIONS: Mapping[str, set[str]] = {
    "push": {"Implement", "Implement moves", "Checks moves", "Review moves", "Merge moves"},
    "edit-comment": {"merged", "ends unmerged", "ends unpublished"},
}
"""Those of acts that differ most by them: that the ways really lead there. Only what several runs come to, or what is cut at
several moments: an act may be sent just as the operator dies at another one's place, and that one is told."""
_PLAIN = 3


@pytest.fixture
def crowd(open_desk: Callable[..., Desk], tmp_path: Path) -> Callable[..., ways.Crowd]:
    """`crowd(kinds)`: a world in which runs of these ways are under way."""
    numbers = itertools.count(1)

    def gather(*kinds: type[ways.Way]) -> ways.Crowd:
        folder = tmp_path / f"crowd-{next(numbers)}"
        load = make(folder / "load", repositories=3, issues=len(kinds))
        ways.prepare(load, kinds)
        desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S", ORCH_UPKEEP="PT2S")
        return ways.Crowd(ways.watch(desk, load), folder, kinds)

    return gather


@pytest.mark.timeout(900)
def test_the_operator_dies_everywhere(crowd: Callable[..., ways.Crowd]) -> None:
    died = list[str]()
    for kinds in ways.CROWDS:
        some = crowd(*kinds)
        attic = Attic(some.desk)
        attic.forget_one()
        died += hunt(some.desk, "operator", go_on=some.go_on, spare=died, what=some.standing)
        _proves_the_whole(some, attic)
        money.nothing_was_lost(some.desk)
        some.desk.world.processes["operator"].stop()
    assert unvisited(died, _OPERATOR) == []
    for act, expected in _OCCASIONS.items():
        assert expected <= occasions(died, act), (act, expected - occasions(died, act))


@pytest.mark.timeout(900)
def test_the_gateway_dies_everywhere(crowd: Callable[..., ways.Crowd]) -> None:
    plain = crowd(*[ways.Way] * _PLAIN)
    attic = Attic(plain.desk)
    attic.forget_one()
    died = hunt(plain.desk, "gateway", go_on=plain.go_on, what=plain.standing)
    assert unvisited(died, _GATEWAY) == []
    _proves_the_whole(plain, attic)


def _proves_the_whole(crowd: ways.Crowd, attic: Attic) -> None:
    """Each run went as where nothing dies, all that was done was done once, and paid once."""
    for way in crowd.ways:
        way.prove()
    effects.each_once(crowd.desk, crowd.runs)
    effects.told_once(crowd.desk, crowd.runs)
    proof.told_once(attic, crowd.runs)
    crowd.desk.until(attic.is_swept, what=lambda: attic.forgotten)
    money.is_right(crowd.desk, crowd.runs)
