"""The life of one model call whose money is reserved: send it, pass the answer on byte for byte, settle what it cost.

Made by `messages`. It ends in exactly one way: settled by the usage in its answer, released because the service refused
it or never got it, or charged its reserve because nobody knows. A client that goes away does not end it: what is still
coming is read for `DRAIN_SECONDS` to learn the usage.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx2
import structlog
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orch.failpoints import Moment, failpoint, hit_when_sent
from orch.gateway.book import Book
from orch.gateway.budget import Reservation
from orch.gateway.errors import Refusal
from orch.gateway.ledger import Purpose
from orch.gateway.metrics import Metrics
from orch.gateway.money import usd
from orch.gateway.prices import Price, Tokens
from orch.gateway.replies import Client, refusal_said
from orch.gateway.requests import Wanted
from orch.gateway.upstreams import NOT_SENT, Said, Upstream, passed_back
from orch.gateway.usage import BodyUsage, StreamUsage, UsageReader

DRAIN_SECONDS: Final = 30.0
_UNREACHABLE: Final = Refusal(502, "the model service cannot be reached", label="upstream")
_LOST: Final = Refusal(502, "the model service broke off; the call is charged its reserve", label="upstream")

_log = structlog.get_logger("orch.gateway")


@dataclass(frozen=True)
class Order:
    """What is to be called, and for whom. `name` is the price table's."""

    wanted: Wanted
    headers: Mapping[str, str]
    purpose: Purpose
    stage: str
    name: str
    price: Price
    reservation: Reservation


class Call(Response):
    """Answers the client with what the service answers."""

    def __init__(
        self, order: Order, *, book: Book, upstream: Upstream, metrics: Metrics, drain: float = DRAIN_SECONDS
    ) -> None:
        super().__init__()
        self._order = order
        self._book = book
        self._upstream = upstream
        self._metrics = metrics
        self._drain = drain
        self._is_over = False
        self._began = time.monotonic()
        self._status = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = Client(receive, send)
        try:
            await self._run(client)
        finally:
            client.close()
            if not self._is_over:  # cancelled, or a bug of ours: the book must not wait for this call
                self._book.post_end(lambda ledger: ledger.charge_reserve(self._order.reservation.id))
                self._tell("lost", self._reserve)

    async def _run(self, client: Client) -> None:
        try:
            async with client.limit_after_departure(self._drain):
                await self._exchange(client)
        except NOT_SENT:
            await self._release("unsent")
            await client.answer(refusal_said(_UNREACHABLE))
        except (httpx2.HTTPError, TimeoutError):
            await self._charge_reserve()
            await client.answer(refusal_said(_LOST))

    async def _exchange(self, client: Client) -> None:
        failpoint("call-model", Moment.BEFORE)
        on_sent, order = hit_when_sent("call-model"), self._order
        async with self._upstream.create(order.wanted.body, order.headers, extensions=on_sent) as response:
            self._status = response.status_code
            if not response.is_success:
                await self._release("refused")
                await client.answer(await self._upstream.said(response))
            elif response.headers.get("content-type", "").startswith("text/event-stream"):
                await self._stream(response, client)
            else:
                await self._whole(response, client)

    async def _stream(self, response: httpx2.Response, client: Client) -> None:
        """Pass chunks on as they come. The book is right before the client can see the end and ask for more."""
        usage = StreamUsage()
        await client.start(response.status_code, passed_back(response))
        async for chunk in response.aiter_bytes():
            usage.feed(chunk)
            if usage.is_finished:
                await self._settle(usage)
            await client.send(chunk)
        await self._settle(usage)
        await client.end()

    async def _whole(self, response: httpx2.Response, client: Client) -> None:
        usage, body = BodyUsage(), bytearray()
        async for chunk in response.aiter_bytes():
            usage.feed(chunk)
            body += chunk
        await self._settle(usage)
        await client.answer(Said(response.status_code, passed_back(response), bytes(body)))

    async def _settle(self, usage: UsageReader) -> None:
        tokens = usage.tokens()
        if tokens is None:
            await self._charge_reserve()
        elif not self._is_over:
            cost = self._order.price.charge(tokens)
            failpoint("call-model", Moment.ANSWERED)
            await self._book.end(lambda ledger: ledger.settle(self._order.reservation.id, tokens, cost))
            self._is_over = True
            self._tell("settled", cost, tokens)

    async def _charge_reserve(self) -> None:
        if not self._is_over:
            await self._book.end(lambda ledger: ledger.charge_reserve(self._order.reservation.id))
            self._is_over = True
            self._tell("lost", self._reserve)

    async def _release(self, outcome: str) -> None:
        await self._book.end(lambda ledger: ledger.release(self._order.reservation.id))
        self._is_over = True
        self._tell(outcome, 0)

    @property
    def _reserve(self) -> int:
        return self._order.reservation.amount

    def _tell(self, outcome: str, cost: int, tokens: Tokens | None = None) -> None:
        order = self._order
        self._metrics.count_call(order.name, order.stage, outcome, cost=cost, tokens=tokens)
        _log.info(
            "track_request",
            model=order.purpose.model,
            cost_usd=str(usd(cost)),
            run=order.purpose.identity,
            stage=order.stage,
            step=order.purpose.step,
            status=self._status,
            outcome=outcome,
            duration=round(time.monotonic() - self._began, 3),
        )
