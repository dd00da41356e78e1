"""A watch that is silent for too long is told from one on which nothing happens."""

from __future__ import annotations

from orch.runtime.pulse import Pulse


def test_each_watch_must_be_heard() -> None:
    now = [0.0]
    pulse = Pulse(dead_after=90, clock=lambda: now[0])
    assert pulse.problems() == [], "nothing is expected yet"
    pulse.expect(["/a", "/b"])
    now[0] = 90
    assert pulse.problems() == []
    pulse.heard("/a")
    now[0] = 91
    assert pulse.problems() == ["the watch on /b has been silent for more than 90 s"]
    assert pulse.ages() == {"/a": 1, "/b": 91}
    pulse.heard("/b")
    pulse.heard("/not-ours")
    assert pulse.problems() == []
    assert set(pulse.ages()) == {"/a", "/b"}


def test_an_opening_counts_once_until_something_is_heard() -> None:
    now = [0.0]
    pulse = Pulse(dead_after=90, clock=lambda: now[0])
    pulse.expect(["/a"])
    for now[0], age in ((70, 0), (140, 70)):
        pulse.opened("/a")
        assert pulse.ages() == {"/a": age}
        assert not pulse.is_proven("/a")
    pulse.heard("/a")
    assert pulse.is_proven("/a")
    now[0] = 200
    pulse.fell_silent("/a")
    pulse.opened("/a")
    assert pulse.ages() == {"/a": 60}
