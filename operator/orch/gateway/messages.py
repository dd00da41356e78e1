"""`POST /v1/messages`: from the first byte of a request to a call whose money is reserved. Routed by `app`.

Ticket, size, list of fields, price, budget: in this order, the cheap checks first, and nothing is sent before the last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from orch.api.ticket import Claims, Role
from orch.gateway.book import Book
from orch.gateway.budget import Budget
from orch.gateway.calls import DRAIN_SECONDS, Call, Order
from orch.gateway.errors import Refusal
from orch.gateway.ledger import Purpose
from orch.gateway.metrics import Metrics
from orch.gateway.money import picodollars
from orch.gateway.prices import Prices
from orch.gateway.requests import read_wanted
from orch.gateway.tickets import Doorkeeper, stage_of
from orch.gateway.upstreams import Said, Upstream, passed_on

BODY_LIMIT: Final = 8_000_000
"""Bytes of a request. Far above what a context window takes."""


@dataclass(frozen=True)
class Messages:
    """The endpoint. `drain`: seconds that an answer is still read after its client went away."""

    door: Doorkeeper
    prices: Prices
    book: Book
    upstream: Upstream
    metrics: Metrics
    drain: float = DRAIN_SECONDS

    async def create(self, request: Request) -> Response:
        """Raises Refusal."""
        claims = self.door.admit(request, Role.STEP)
        wanted = read_wanted(await _read_body(request), claims)
        found = self.prices.find(wanted.model)
        if found is None:
            raise Refusal(
                403, f"model: the gateway has no price for {claims.model}, so it is not called", label="price"
            )
        if not self.upstream.has_key():
            raise Refusal(503, "the gateway has no model key", label="key")
        name, price = found
        headers = passed_on(request.headers)
        purpose = Purpose(claims.identity, claims.step, wanted.model)
        reserved = await Budget(self.book, self.upstream).reserve(
            wanted, price, purpose, limit=_limit(claims), headers=headers
        )
        if isinstance(reserved, Said):
            return Response(reserved.body, reserved.status, reserved.headers)
        order = Order(wanted, headers, purpose, stage_of(claims), name, price, reserved)
        return Call(order, book=self.book, upstream=self.upstream, metrics=self.metrics, drain=self.drain)


def _limit(claims: Claims) -> int:
    return picodollars(claims.limit_usd)


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT:
            raise Refusal(413, f"a request has at most {BODY_LIMIT} bytes", label="size")
    return bytes(body)
