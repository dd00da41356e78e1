"""What was charged is what was used: the gateway's book beside the model's own journal, call by call. Used by the crash tests.

Neither knows of the other. A call that the model answered stands in the book at the price of what its answer says; one whose answer
the gateway never saw stands there at its reserve, which is no less.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from tests.e2e.desk import Desk, Run

from orch.gateway.money import usd
from orch.gateway.prices import Tokens, load_prices

_SHOWN = Decimal("0.000001")
"""A status tells millionths of a dollar, and rounds up."""


class Spending(NamedTuple):
    """One call: of which step (`<identity>/<stage>/<n>`), what it used, and its picodollars."""

    step: str
    input: int
    output: int
    cache_read: int
    cache_write: int
    cost: int


@dataclass(frozen=True)
class Charge:
    """One entry of the gateway's book."""

    identity: str
    state: str
    reserved: int
    spending: Spending


def is_right(desk: Desk, runs: list[Run]) -> None:
    """Each answer that the model gave was charged once, and nothing else was; the runs say so too."""
    book = charges(desk)
    assert [charge for charge in book if charge.state == "Reserved" or charge.reserved] == []
    heard = Counter(charge.spending for charge in book if charge.state == "Settled")
    said = Counter(answers(desk))
    assert heard <= said, f"charged, and not used: {heard - said}"
    _are_covered(said - heard, [charge.spending for charge in book if charge.state == "Lost"])
    for run in runs:
        usage, mine = run.status["usage"], [charge for charge in book if charge.identity == run.status["identity"]]
        assert usage.get("modelCalls", 0) == len(mine), (run.name, usage, mine)
        cost = usd(sum(charge.spending.cost for charge in mine))
        assert abs(Decimal(usage.get("costUSD", "0")) - cost) < _SHOWN, (run.name, usage, cost)
        assert Decimal(usage.get("reservedUSD", "0")) == 0, usage


def nothing_was_lost(desk: Desk) -> None:
    """No answer got lost, so nobody paid for more than was used."""
    assert [charge for charge in charges(desk) if charge.state != "Settled"] == []


def is_reserved(desk: Desk, step: str) -> bool:
    """Whether a model call of the step of this name is under way."""
    return bool(_ask(desk, "SELECT 1 FROM call WHERE state = 'Reserved' AND step = ?", step))


def charges(desk: Desk) -> list[Charge]:
    """All that the gateway's book says."""
    columns = "identity, step, state, reserved, input, output, cache_read, cache_write, cost"
    return [
        Charge(identity, state, reserved, Spending(_place(identity, step), *spent))
        for identity, step, state, reserved, *spent in _ask(desk, f"SELECT {columns} FROM call")
    ]


def answers(desk: Desk) -> list[Spending]:
    """The answers that the model gave, at the price of what they say that they used."""
    path = desk.world.folder / "model" / "journal.jsonl"
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return [_spending(entry) for entry in entries if entry["status"] == 200 and "usage" in entry]


def _are_covered(unheard: Counter[Spending], lost: list[Spending]) -> None:
    """Every answer that nobody heard is paid for by the reserve of a call of its step."""
    for step in {spending.step for spending in unheard}:
        used = sorted((spending.cost for spending in unheard.elements() if spending.step == step), reverse=True)
        paid = sorted((spending.cost for spending in lost if spending.step == step), reverse=True)
        assert len(used) <= len(paid), f"{step}: the model gave answers that are charged to nobody: {used}, {paid}"
        assert all(reserve >= cost for reserve, cost in zip(paid, used, strict=False)), (step, used, paid)


def _spending(entry: dict[str, Any]) -> Spending:
    usage, body = entry["usage"], entry["body"]
    found = load_prices().find(body["model"])
    assert found is not None, body["model"]
    written = usage.get("cache_creation") or {}
    tokens = Tokens(
        input=usage["input_tokens"],
        output=usage["output_tokens"],
        cache_read=usage.get("cache_read_input_tokens") or 0,
        cache_write_5m=written.get("ephemeral_5m_input_tokens", 0),
        cache_write_1h=written.get("ephemeral_1h_input_tokens", 0),
    )
    step = body["metadata"]["user_id"].removeprefix("orch/")
    cost = found[1].charge(tokens)
    return Spending(step, tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, cost)


def _place(identity: str, step: str) -> str:
    """As the model is told of a step, which the book knows by its name `<run>-<stage>-<n>`."""
    _, stage, number = step.rsplit("-", 2)
    return f"{identity}/{stage.title()}/{number}"


def _ask(desk: Desk, question: str, *values: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{desk.world.folder / 'gateway' / 'ledger.sqlite3'}?mode=ro", uri=True)) as book:
        return book.execute(question, values).fetchall()
