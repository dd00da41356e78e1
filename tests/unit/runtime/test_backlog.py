"""No key is lost, none runs twice at once, and groups take turns."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from orch.runtime.backlog import Backlog

KEYS = st.sampled_from([f"{group}{number}" for group in "abc" for number in range(3)])


def by_letter(key: str) -> str:
    return key[0]


def a_backlog() -> Backlog[str]:
    return Backlog(by_letter)


class BacklogMachine(RuleBasedStateMachine):
    """The model: which keys are owed a run from now, or from when; and who runs."""

    def __init__(self) -> None:
        super().__init__()
        self.backlog = a_backlog()
        self.now = 0.0
        self.owed: set[str] = set()
        self.later: dict[str, float] = {}
        self.running: set[str] = set()

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.backlog.add(key)
        self.owed.add(key)

    @rule(key=KEYS, wait=st.integers(0, 5))
    def add_later(self, key: str, wait: int) -> None:
        self.backlog.add_at(key, self.now + wait)
        self.later[key] = min(self.later.get(key, self.now + wait), self.now + wait)

    @rule(seconds=st.integers(0, 3))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        self.backlog.promote(self.now)
        due = {key for key, when in self.later.items() if when <= self.now}
        self.owed |= due
        self.later = {key: when for key, when in self.later.items() if key not in due}

    @rule()
    def take(self) -> None:
        key = self.backlog.take()
        if key is None:
            assert not self.owed - self.running, "something is due and nobody gets it"
        else:
            assert key in self.owed
            assert key not in self.running, "twice at once"
            self.owed.discard(key)
            self.running.add(key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.running.discard(key)
        self.backlog.done(key)

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.backlog) == len(self.owed - self.running)
        assert self.backlog.processing == len(self.running)
        assert self.backlog.delayed == len(self.later)
        assert self.backlog.next_due() == (min(self.later.values()) if self.later else None)


TestBacklog = BacklogMachine.TestCase


def test_groups_take_turns() -> None:
    backlog = a_backlog()
    for key in ("a1", "a2", "a3", "b1", "c1", "b2"):
        backlog.add(key)
    assert [backlog.take() for _ in range(6)] == ["a1", "b1", "c1", "a2", "b2", "a3"]


def test_a_key_that_became_dirty_while_it_ran_runs_once_more() -> None:
    backlog = a_backlog()
    backlog.add("a1")
    assert backlog.take() == "a1"
    backlog.add("a1")
    backlog.add("a1")
    assert backlog.take() is None
    backlog.done("a1")
    assert backlog.take() == "a1"
    backlog.done("a1")
    assert backlog.take() is None
