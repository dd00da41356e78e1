"""Scalar types of the API: a Python value inside, a constrained string on the wire. Used by all models; no I/O.

Money and durations are strings on the wire because the Kubernetes API conventions forbid floats.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from orch.api.v1alpha1.markers import Rule

# --- money -------------------------------------------------------------------------------------------------------

MONEY_PATTERN: Final = r"^[0-9]{1,7}(\.[0-9]{1,6})?$"
_SMALLEST: Final = Decimal("0.000001")
_MOST: Final = Decimal("9999999.999999")


def parse_money(value: object) -> Decimal:
    """US dollars from a wire string, an int or a Decimal. Finer amounts are rounded up. Raises ValueError."""
    if isinstance(value, str):
        if re.fullmatch(MONEY_PATTERN, value) is None:
            raise ValueError('must be US dollars as a plain decimal string with at most 6 decimals, e.g. "5" or "0.25"')
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise ValueError('must be US dollars as a string, e.g. "5" or "0.25"')
    amount = Decimal(value)
    if not (amount.is_finite() and 0 <= amount <= _MOST):
        raise ValueError(f"must be from 0 to {_MOST} US dollars")
    return amount.quantize(_SMALLEST, rounding=ROUND_CEILING)


def format_money(amount: Decimal) -> str:
    """Plain notation without trailing zeros: `5`, `0.25`, `100`."""
    return format(amount.normalize(), "f")


Money = Annotated[
    Decimal,
    BeforeValidator(parse_money),
    PlainSerializer(format_money, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": 14, "pattern": MONEY_PATTERN}),
]
"""US dollars."""

# --- durations ---------------------------------------------------------------------------------------------------

DURATION_PATTERN: Final = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$"
_DURATION_LENGTH: Final = 16
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
_UNITS: Final = {
    "ms": Fraction(1_000),
    "s": Fraction(1_000_000),
    "m": Fraction(60_000_000),
    "h": Fraction(3_600_000_000),
}


_NO_DURATION: Final = "must be a duration such as 30s, 15m or 1h30m"


def parse_duration(value: object) -> timedelta:
    """A length of time from a Go duration (`90m`, `1h30m`, `1.5s`) or a timedelta. Raises ValueError."""
    if isinstance(value, timedelta):
        if value < timedelta(0):
            raise ValueError("must not be negative")
        return value
    if not isinstance(value, str):
        raise ValueError(_NO_DURATION)
    return _read_duration(value)


@lru_cache(maxsize=256)
def _read_duration(value: str) -> timedelta:
    """Remembered: a spec has a dozen, most of them defaults, and is read at each reconcile."""
    if len(value) > _DURATION_LENGTH or re.fullmatch(DURATION_PATTERN, value) is None:
        raise ValueError(_NO_DURATION)
    parts = (Fraction(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    try:
        return timedelta(microseconds=int(sum(parts)))
    except OverflowError:
        raise ValueError("is too long") from None


def format_duration(length: timedelta) -> str:
    """The shortest usual Go duration: `72h`, `1h30m`, `0s`. Exact up to 99 days; beyond, fractions of a second may go."""
    micros = length // timedelta(microseconds=1)
    hours, micros = divmod(micros, 3_600_000_000)
    minutes, micros = divmod(micros, 60_000_000)
    seconds = format_money(Decimal(micros) / 1_000_000)
    parts = ((str(hours), "h"), (str(minutes), "m"), (seconds, "s"))
    text = "".join(f"{number}{unit}" for number, unit in parts if number != "0") or "0s"
    if len(text) <= _DURATION_LENGTH:
        return text
    total = f"{format_money(Decimal(length // timedelta(microseconds=1)) / 1_000_000)}s"
    return total if len(total) <= _DURATION_LENGTH else f"{length // timedelta(seconds=1)}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "maxLength": _DURATION_LENGTH, "pattern": DURATION_PATTERN}),
]
"""A length of time; a Go duration on the wire."""


def at_least(bound: str) -> Rule:
    """A duration's lower bound, e.g. `10s`."""
    least = parse_duration(bound)
    return Rule(
        f"duration(self) >= duration('{bound}')",
        f"must be at least {bound}",
        lambda value: parse_duration(value) >= least,
    )


def at_most(bound: str) -> Rule:
    """A duration's upper bound, e.g. `24h`."""
    most = parse_duration(bound)
    return Rule(
        f"duration(self) <= duration('{bound}')",
        f"must be at most {bound}",
        lambda value: parse_duration(value) <= most,
    )


# --- times -------------------------------------------------------------------------------------------------------


def _to_second(value: datetime) -> datetime:
    return value.astimezone(UTC).replace(microsecond=0)


def format_time(value: datetime) -> str:
    """RFC 3339 in UTC with seconds, as metav1.Time writes it."""
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Time = Annotated[
    AwareDatetime,
    AfterValidator(_to_second),
    PlainSerializer(format_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""A moment in UTC, to the second. A datetime without a zone is refused."""

# --- strings -----------------------------------------------------------------------------------------------------

# Unicode category Cc, written so that Go's, Rust's and Python's regular expressions agree on it.
_CC: Final = r"\x00-\x1f\x7f-\x9f"
LINE_PATTERN: Final = f"^[^{_CC}]*$"


def text(most: int, least: int = 0, pattern: str | None = None) -> Any:
    """The constraints of a string: lengths in characters, and a pattern for the whole of it."""
    return Field(max_length=most, min_length=least or None, pattern=pattern)


def line(most: int, least: int = 1) -> Any:
    """A string without control characters."""
    return text(most, least, LINE_PATTERN)


def count(least: int, most: int) -> Any:
    """The bounds of an integer that a person sets, both included."""
    return Field(ge=least, le=most, json_schema_extra={"format": "int32"})


Sha = Annotated[str, text(64, 40, r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
"""A full git object name."""
Digest = Annotated[str, text(71, 71, r"^sha256:[0-9a-f]{64}$")]
"""`sha256:` and 64 hex digits."""
Username = Annotated[str, line(253)]
"""A Kubernetes user name as the API server authenticated it."""
GroupName = Annotated[str, line(253)]
"""A group of Kubernetes users, as the API server authenticated it."""
GitHubLogin = Annotated[str, text(100, 1, r"^[A-Za-z0-9][A-Za-z0-9_.-]*(\[bot\])?$")]
"""An account on the code host; an App's bot ends with `[bot]`."""
ObjectName = Annotated[str, text(253, 1, r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
"""A Kubernetes object's name."""
DnsLabel = Annotated[str, text(63, 1, r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
"""A short name for an entry of a list."""
LabelName = Annotated[str, line(50)]
"""A label on the code host (GitHub allows 50 characters)."""
CheckName = Annotated[str, line(255)]
"""The name of a check run or the context of a commit status."""
PathGlob = Annotated[str, line(256)]
"""A glob over a path from the repository's root; `*` stays inside one folder, `**` crosses folders."""
ModelName = Annotated[str, line(128)]
"""A model's id, e.g. `claude-sonnet-4-5`."""
BranchName = Annotated[str, text(255, 1, rf"^[^\s~^:?*\[\\{_CC}]+$")]
"""A branch's short name (git check-ref-format)."""
Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
"""How many."""
LongCount = Annotated[int, Field(ge=0, json_schema_extra={"format": "int64"})]
"""How many, where two thousand million may not be enough."""
Number = Annotated[int, Field(ge=1, json_schema_extra={"format": "int64"})]
"""The number of an issue or a pull request."""
Percent = Annotated[int, count(0, 100)]
"""0 to 100."""
Complexity = Annotated[int, count(0, 10)]
"""0 (trivial) to 10."""
