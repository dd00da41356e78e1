"""Reserves money for a call, or says why there is none. Called by `messages` before anything is sent.

The bytes of the request bound its tokens and cost nothing to count, so they are tried first. Only when that does not fit
is the service asked to count, which is exact but takes a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Final

import httpx2

from orch.gateway.book import Book
from orch.gateway.errors import Refusal
from orch.gateway.ledger import Purpose, Shortage
from orch.gateway.money import usd
from orch.gateway.prices import Price
from orch.gateway.requests import Wanted
from orch.gateway.upstreams import Said, Upstream

_COUNT_MARGIN: Final = 50
"""One part in so many is added to counted tokens: "Token counting" calls its figure an estimate."""
_RETRY_SECONDS: Final = 5
_CENT_PART: Final = Decimal("0.0001")


@dataclass(frozen=True)
class Reservation:
    """Money set aside: the ledger's id, and picodollars."""

    id: int
    amount: int


class Budget:
    """Reservations against a run's limit."""

    def __init__(self, book: Book, upstream: Upstream) -> None:
        self._book = book
        self._upstream = upstream

    async def reserve(
        self, wanted: Wanted, price: Price, purpose: Purpose, *, limit: int, headers: Mapping[str, str]
    ) -> Reservation | Said:
        """The reservation. Or what the service said when it was asked to count and would not.

        Raises Refusal 402: `budget_exhausted` (waiting does not help) or `budget_reserved` (calls under way hold it)."""
        first = await self._try(purpose, self._worst(wanted, price, wanted.most_tokens), limit)
        if not isinstance(first, Shortage):
            return first
        if first.spent + self._worst(wanted, price, 0) > limit:
            raise _refusal(first)  # not even the answer fits
        counted = await self._count(wanted, headers)
        if isinstance(counted, Said):
            return counted
        tokens = min(wanted.most_tokens, counted + counted // _COUNT_MARGIN + 1)
        second = await self._try(purpose, self._worst(wanted, price, tokens), limit)
        if isinstance(second, Shortage):
            raise _refusal(second)
        return second

    async def _try(self, purpose: Purpose, amount: int, limit: int) -> Reservation | Shortage:
        found = await self._book.ask(lambda ledger: ledger.reserve(purpose, amount, limit=limit))
        return found if isinstance(found, Shortage) else Reservation(found, amount)

    async def _count(self, wanted: Wanted, headers: Mapping[str, str]) -> int | Said:
        try:
            return await self._upstream.count(wanted.counted, headers)
        except httpx2.HTTPError:
            raise Refusal(
                502, "the model service did not answer when asked to count tokens", label="upstream"
            ) from None

    @staticmethod
    def _worst(wanted: Wanted, price: Price, tokens: int) -> int:
        return price.reserve(tokens, wanted.max_tokens, wanted.lifetimes)


def _refusal(short: Shortage) -> Refusal:
    spent, asked, limit = (_shown(amount) for amount in (short.spent, short.asked, short.limit))
    text = f"the run has spent {spent} of its {limit} US dollars and this call can cost up to {asked}"
    if short.is_final:
        return Refusal(402, text, kind="budget_exhausted", label="budget_exhausted")
    held = f"{text}; {_shown(short.reserved)} are reserved by calls under way: try again when they are over"
    return Refusal(402, held, kind="budget_reserved", label="budget_reserved", retry_after=_RETRY_SECONDS)


def _shown(amount: int) -> Decimal:
    return usd(amount).quantize(_CENT_PART, ROUND_CEILING)
