"""The book: no sequence of events lets a run spend more than its limit, and nothing is forgotten."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from orch.gateway.ledger import Ledger, LedgerBusy, Purpose, Shortage
from orch.gateway.prices import Tokens
from orch.ports import Usage

RUN = Purpose("run", "run-plan-1", "m")
CENT = 10**10


def test_a_reservation_becomes_a_cost(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    call = ledger.reserve(RUN, 5 * CENT, limit=100 * CENT)
    assert isinstance(call, int)
    assert ledger.usage("run").reserved_usd == Decimal("0.05")
    ledger.settle(call, Tokens(1, 2, 3, 4, 5), 2 * CENT)
    ledger.settle(call, Tokens(), 50 * CENT)  # settled twice, by a stream's end and its close
    ledger.charge_reserve(call)
    ledger.release(call)
    assert ledger.usage("run") == Usage(1, 1, 2, 3, 9, Decimal("0.02"), Decimal(0), {"run-plan-1": Decimal("0.02")})
    ledger.close()


@pytest.mark.parametrize(("spent", "held", "is_final"), [(95, 0, True), (0, 95, False), (50, 45, False), (91, 5, True)])
def test_a_shortage_says_whether_waiting_helps(tmp_path: Path, spent: int, held: int, is_final: bool) -> None:
    ledger = Ledger(tmp_path)
    paid = ledger.reserve(RUN, spent * CENT, limit=100 * CENT)
    assert isinstance(paid, int)
    ledger.charge_reserve(paid)
    ledger.reserve(RUN, held * CENT, limit=100 * CENT)
    short = ledger.reserve(RUN, 10 * CENT, limit=100 * CENT)
    assert short == Shortage(spent * CENT, held * CENT, 10 * CENT, 100 * CENT)
    assert short.is_final is is_final
    ledger.close()


def test_the_limit_itself_can_be_spent(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    assert isinstance(ledger.reserve(RUN, 100, limit=100), int)
    assert isinstance(ledger.reserve(RUN, 1, limit=100), Shortage)
    assert isinstance(ledger.reserve(Purpose("another", "s", "m"), 100, limit=100), int)
    ledger.close()


def test_a_folder_has_one_gateway(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(LedgerBusy, match="another gateway"):
        Ledger(tmp_path)
    ledger.close()
    Ledger(tmp_path).close()


def test_a_newer_book_is_not_touched(tmp_path: Path) -> None:
    Ledger(tmp_path).close()
    with sqlite3.connect(tmp_path / "ledger.sqlite3") as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(sqlite3.DatabaseError, match="version 99"):
        Ledger(tmp_path)


class AnyHistory(RuleBasedStateMachine):
    """Any order of reservations, ends and crashes, against a model in plain Python."""

    LIMIT = 1_000
    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.ledger = Ledger(Path(self.folder.name))
        self.held: dict[int, int] = {}
        self.spent = 0

    @rule(target=calls, amount=st.integers(0, 600))
    def reserve(self, amount: int) -> int:
        call = self.ledger.reserve(RUN, amount, limit=self.LIMIT)
        fits = self.spent + sum(self.held.values()) + amount <= self.LIMIT
        assert isinstance(call, int) is fits
        if isinstance(call, Shortage):
            return -1
        self.held[call] = amount
        return call

    @rule(call=consumes(calls), part=st.floats(0, 1))
    def settle(self, call: int, part: float) -> None:
        cost = int(self.held.pop(call, 0) * part)
        self.ledger.settle(call, Tokens(), cost)
        self.spent += cost

    @rule(call=consumes(calls))
    def lose(self, call: int) -> None:
        self.ledger.charge_reserve(call)
        self.spent += self.held.pop(call, 0)

    @rule(call=consumes(calls))
    def release(self, call: int) -> None:
        self.ledger.release(call)
        self.held.pop(call, 0)

    @rule()
    def restart(self) -> None:
        self.ledger.close()
        self.ledger = Ledger(Path(self.folder.name))
        assert self.ledger.charged_at_start == len(self.held)
        self.spent += sum(self.held.values())
        self.held.clear()

    @invariant()
    def the_book_is_right_and_the_limit_holds(self) -> None:
        usage = self.ledger.usage("run")
        assert int(usage.cost_usd * 10**12) == self.spent
        assert int(usage.reserved_usd * 10**12) == sum(self.held.values())
        assert self.spent + sum(self.held.values()) <= self.LIMIT

    def teardown(self) -> None:
        self.ledger.close()
        self.folder.cleanup()


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=30, stateful_step_count=20, deadline=None)
