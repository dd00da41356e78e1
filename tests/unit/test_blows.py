"""The soak's bad weather repeats with its seed."""

from collections import Counter

from tests.chaos.blows import SERVERS, WORLD, schedule


def test_the_same_seed_gives_the_same_blows() -> None:
    assert schedule(7, 60) == schedule(7, 60)
    assert schedule(7, 60) != schedule(8, 60)


def test_blows_come_in_order_and_strike_everything() -> None:
    blows = schedule(1, 3600)
    assert [blow.at for blow in blows] == sorted(blow.at for blow in blows)
    assert all(0 < blow.at < 3600 for blow in blows)
    struck = Counter((blow.kind, blow.target) for blow in blows)
    assert set(struck) == {(kind, name) for kind in ("kill", "freeze") for name in (*WORLD, *SERVERS)} | {
        ("fault", "github")
    }
