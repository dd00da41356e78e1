"""Prices: which model has one, what a call costs, and that no call costs more than its reserve."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.gateway.money import picodollars, usd
from orch.gateway.prices import LongPrompt, Price, Tokens, load_prices
from orch.settings import Settings
from orch.testservers.model.catalog import MODELS

PRICES = load_prices()
HAIKU = "claude-haiku-5-5"


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude-sonnet-5", "claude-sonnet-5"),
        ("claude-sonnet-5-20260630", "claude-sonnet-5"),
        ("claude-sonnet-5-5", "claude-sonnet-5-5"),
        ("claude-sonnet-5-6", None),
        ("claude-sonnet-5-2026063", None),
        ("claude-sonnet", None),
        ("", None),
    ],
)
def test_a_price_is_for_one_model_and_its_dates(model: str, name: str | None) -> None:
    found = PRICES.find(model)
    assert (found[0] if found else None) == name


@pytest.mark.parametrize(
    ("model", "tokens", "dollars"),
    [
        ("claude-sonnet-5", Tokens(input=1_000_000), "2"),
        ("claude-sonnet-5", Tokens(output=1_000_000), "10"),
        ("claude-sonnet-5", Tokens(cache_read=1_000_000), "0.2"),
        ("claude-sonnet-5", Tokens(cache_write_5m=1_000_000), "2.5"),
        ("claude-sonnet-5", Tokens(cache_write_1h=1_000_000), "4"),
        ("claude-sonnet-5", Tokens(1, 1, 1, 1, 1), "0.0000187"),
        (HAIKU, Tokens(input=90_000, cache_read=10_000, output=1_000), "0.0096"),
        (HAIKU, Tokens(input=90_000, cache_read=10_001, output=1_000), "0.04800005"),
        (HAIKU, Tokens(cache_read=1), "0.00000001"),
    ],
)
def test_what_a_call_costs(model: str, tokens: Tokens, dollars: str) -> None:
    found = PRICES.find(model)
    assert found is not None
    assert usd(found[1].charge(tokens)) == Decimal(dollars)


@pytest.mark.parametrize("model", [Settings.model_fields["default_model"].default, *(model.id for model in MODELS)])
def test_the_models_that_we_know_have_a_price(model: str) -> None:
    assert PRICES.find(model) is not None


TOKENS = st.integers(0, 300_000)
RATE = st.decimals(0, 100, places=6)
RATES = dict.fromkeys(("input", "output", "cache_write_5m", "cache_write_1h", "cache_read"), RATE)
PRICE = st.builds(Price, long_prompt=st.none() | st.builds(LongPrompt, above=st.integers(1, 400_000), **RATES), **RATES)


@given(price=PRICE, short=TOKENS, long=TOKENS, read=TOKENS, rest=TOKENS, output=TOKENS, more=st.integers(0, 1_000))
def test_no_call_costs_more_than_its_reserve(
    price: Price, short: int, long: int, read: int, rest: int, output: int, more: int
) -> None:
    tokens = Tokens(rest, output, read, short, long)
    lifetimes = frozenset(["5m"] * bool(short) + ["1h"] * bool(long))
    assert price.charge(tokens) <= price.reserve(tokens.prompt + more, output + more, lifetimes)


@given(st.decimals(0, 9_000_000, places=12))
def test_money_is_exact(amount: Decimal) -> None:
    assert usd(picodollars(amount)) == amount


def test_a_file_changes_adds_and_takes_away(tmp_path: Path) -> None:
    rates = "{input: 1, output: 2, cache_write_5m: 3, cache_write_1h: 4, cache_read: 0.5}"
    file = tmp_path / "mine.yaml"
    file.write_text(f"claude-sonnet-5: {rates}\nlocal-model: {rates}\nclaude-opus-5: null\n")
    prices = load_prices(file)
    sonnet, local = prices.find("claude-sonnet-5"), prices.find("local-model")
    assert sonnet is not None
    assert local is not None
    assert sonnet[1].output == local[1].output == 2
    assert prices.find("claude-opus-5") is None
    assert prices.find("claude-opus-5-5") is not None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("a: {input: 1}", "a.output: Field required"),
        ("a: {input: -1, output: 1, cache_write_5m: 1, cache_write_1h: 1, cache_read: 1}", "a.input: Input should be"),
        ("a: [", "not valid YAML"),
        ("- a", "valid dictionary"),
        ("a: {input: 1, output: 1, cache_write_5m: 1, cache_write_1h: 1, cache_read: 1, x: 1}", "a.x: Extra inputs"),
        ("a: {input: 0.0000001, output: 1, cache_write_5m: 1, cache_write_1h: 1, cache_read: 1}", "6 decimal places"),
    ],
)
def test_a_wrong_file_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"mine\.yaml") as caught:
        load_prices(file)
    assert complaint in str(caught.value)
