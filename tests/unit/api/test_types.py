"""Scalar types: what they read, what they write, and that nothing is lost on the way."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from orch.api.v1alpha1.types import (
    Duration,
    Money,
    Time,
    format_duration,
    format_money,
    parse_duration,
    parse_money,
)

MONEY: TypeAdapter[Decimal] = TypeAdapter(Money)
DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)
TIME: TypeAdapter[datetime] = TypeAdapter(Time)


@given(st.decimals(min_value=0, max_value=Decimal("9999999.999999"), places=6))
def test_money_survives_the_wire(amount: Decimal) -> None:
    assert parse_money(format_money(amount)) == amount


@given(st.from_regex(r"[0-9]{1,7}(\.[0-9]{1,6})?", fullmatch=True))
def test_money_on_the_wire_keeps_its_value(text: str) -> None:
    wire = MONEY.dump_python(MONEY.validate_python(text), mode="json")
    assert Decimal(wire) == Decimal(text)
    assert "E" not in wire


@pytest.mark.parametrize(
    ("amount", "wire"),
    [
        pytest.param(Decimal("100"), "100", id="no exponent"),
        pytest.param(Decimal("5.00"), "5", id="no trailing zeros"),
        pytest.param(Decimal(0), "0", id="zero"),
        pytest.param(Decimal("0.0000001"), "0.000001", id="rounded up, never for free"),
    ],
)
def test_money_is_written_plainly(amount: Decimal, wire: str) -> None:
    assert MONEY.dump_python(MONEY.validate_python(amount), mode="json") == wire


@pytest.mark.parametrize("value", ["", "-1", "1e3", "1,5", "NaN", "5\n", "12345678", "0.1234567", 0.5, True, None, -1])
def test_what_is_no_money(value: object) -> None:
    with pytest.raises(ValidationError):
        MONEY.validate_python(value)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=99)))
def test_a_duration_survives_the_wire(length: timedelta) -> None:
    text = format_duration(length)
    assert parse_duration(text) == length
    assert len(text) <= 16


@given(st.timedeltas(min_value=timedelta(days=99), max_value=timedelta(days=1_000_000)))
def test_a_very_long_duration_is_exact_to_the_second(length: timedelta) -> None:
    text = format_duration(length)
    assert timedelta(0) <= length - parse_duration(text) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("text", "length", "wire"),
    [
        pytest.param("1m", timedelta(minutes=1), "1m", id="one unit"),
        pytest.param("90m", timedelta(hours=1.5), "1h30m", id="two units"),
        pytest.param("72h", timedelta(days=3), "72h", id="Go knows no days"),
        pytest.param("1.5s", timedelta(seconds=1.5), "1.5s", id="a fraction"),
        pytest.param("250ms", timedelta(milliseconds=250), "0.25s", id="milliseconds"),
        pytest.param("1h0m", timedelta(hours=1), "1h", id="a zero part"),
        pytest.param("0s", timedelta(0), "0s", id="zero"),
        pytest.param("30m30m", timedelta(hours=1), "1h", id="Go adds a repeated unit"),
    ],
)
def test_durations(text: str, length: timedelta, wire: str) -> None:
    assert DURATION.validate_python(text) == length
    assert DURATION.dump_python(length, mode="json") == wire


@pytest.mark.parametrize(
    "value", ["", "1d", "-1m", "1 m", "1m\n", "m", ".5h", 60, None, "99999999999999h", timedelta(-1)]
)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(value)


def test_times_are_utc_to_the_second() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 1, 999_999, tzinfo=timezone(timedelta(hours=2)))
    assert TIME.validate_python(moment) == datetime(2026, 11, 22, 10, 0, 1, tzinfo=UTC)
    assert TIME.dump_python(moment, mode="json") == "2026-11-22T10:00:01Z"


@pytest.mark.parametrize("value", ["2026-11-22T10:00:00", "yesterday", None])
def test_a_time_has_a_zone(value: object) -> None:
    with pytest.raises(ValidationError):
        TIME.validate_python(value)
