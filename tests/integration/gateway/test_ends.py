"""Calls that end otherwise than by their answer: the client is gone for too long, or the gateway stops."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.integration.gateway.harness import IDENTITY, MODEL

from orch.gateway.book import Book
from orch.gateway.budget import Reservation
from orch.gateway.calls import Call, Order
from orch.gateway.ledger import Purpose
from orch.gateway.metrics import Metrics
from orch.gateway.money import usd
from orch.gateway.prices import load_prices
from orch.gateway.requests import Wanted
from orch.gateway.upstreams import KeyFile, Upstream

AMOUNT = 5 * 10**9


@pytest.fixture
async def book(settings: Any) -> AsyncIterator[Book]:
    opened = Book(settings.data_dir)
    yield opened
    opened.close()


@pytest.fixture
async def a_call(settings: Any, faulty: Any, book: Book) -> AsyncIterator[Any]:
    """A call to a service that never answers, and an event for when it has been asked."""
    asked = asyncio.Event()

    async def script(reader: Any, _: Any) -> None:
        asked.set()
        await reader.read()

    url, _ = await faulty(script)
    upstream = Upstream(url, KeyFile(settings.upstream_key_file))
    purpose = Purpose(IDENTITY, "web-7-1-plan-1", MODEL)
    number = await book.ask(lambda ledger: ledger.reserve(purpose, AMOUNT, limit=AMOUNT))
    assert isinstance(number, int)
    found = load_prices().find(MODEL)
    assert found is not None
    wanted = Wanted(b"{}", MODEL, 10, frozenset(), b"{}")
    order = Order(wanted, {}, purpose, "Plan", *found, Reservation(number, AMOUNT))
    yield lambda drain: (Call(order, book=book, upstream=upstream, metrics=Metrics(), drain=drain), asked)
    await upstream.close()


class Visitor:
    """The client's end of an ASGI call."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.got: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.got.append(message)


async def test_a_client_that_has_left_is_not_waited_for_for_ever(a_call: Any, book: Book) -> None:
    call, asked = a_call(0.01)
    visitor = Visitor()
    task = asyncio.create_task(call({"type": "http"}, visitor.receive, visitor.send))
    await asked.wait()
    visitor.leaves.set()
    await task
    usage = await book.ask(lambda ledger: ledger.usage(IDENTITY))
    assert (usage.cost_usd, usage.reserved_usd) == (usd(AMOUNT), 0)
    assert visitor.got == []


async def test_a_call_that_a_stop_cancels_is_charged_its_reserve(a_call: Any, book: Book) -> None:
    call, asked = a_call(30)
    visitor = Visitor()
    task = asyncio.create_task(call({"type": "http"}, visitor.receive, visitor.send))
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    usage = await book.ask(lambda ledger: ledger.usage(IDENTITY))
    assert (usage.cost_usd, usage.reserved_usd) == (usd(AMOUNT), 0)
