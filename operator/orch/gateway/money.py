"""Money as the book counts it: whole picodollars (10⁻¹² US dollars), so that sums are exact and SQL can add them.

A price has at most six decimals per million tokens, so a token costs a whole number of them. 64 bits hold nine million
dollars.
"""

from __future__ import annotations

from decimal import ROUND_FLOOR, Decimal
from typing import Final

PER_USD: Final = 10**12


def picodollars(usd: Decimal) -> int:
    """Dollars as picodollars; what is smaller than one is dropped, so that a limit never grows."""
    return int((usd * PER_USD).to_integral_value(ROUND_FLOOR))


def usd(amount: int) -> Decimal:
    """Picodollars as dollars, exactly."""
    return Decimal(amount) / PER_USD
