"""Money: reserved before, settled after, charged when nobody knows, never beyond the limit."""

from __future__ import annotations

import asyncio
from decimal import ROUND_CEILING, Decimal
from typing import Any

import httpx2
import pytest
from tests.integration.gateway.harness import IDENTITY, MODEL, a_request, a_ticket

from orch.gateway.book import Book
from orch.gateway.ledger import Purpose
from orch.gateway.server import running

OPENING = b'data: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}\n\n'


def _reserve_of(body: dict[str, Any]) -> Decimal:
    """Bytes and what the API may add, at 2 dollars a million, and the whole answer at 10."""
    size = len(httpx2.Request("POST", "http://x", json=body).content)
    return (Decimal(size + 2_000) * 2 + 1_000 * 10) / 1_000_000


async def test_a_stream_that_the_service_cuts_costs_its_reserve(model: Any, start: Any) -> None:
    gateway = await start(model("stages: [{turns: [{text: 'long enough', cut_after_bytes: 200}]}]").url)
    body = a_request(stream=True)
    with pytest.raises(httpx2.RemoteProtocolError):
        await gateway.post(body)
    usage = await gateway.usage()
    assert (usage.model_calls, usage.cost_usd, usage.reserved_usd) == (1, _reserve_of(body), 0)


async def test_an_error_in_the_middle_of_a_stream_costs_the_reserve(model: Any, start: Any) -> None:
    gateway = await start(model("stages: [{turns: [{text: hm, error_event: overloaded_error}]}]").url)
    body = a_request(stream=True)
    assert "overloaded_error" in (await gateway.post(body)).text
    assert (await gateway.usage()).cost_usd == _reserve_of(body)


async def test_an_answer_that_is_lost_costs_the_reserve_and_is_a_502(model: Any, start: Any) -> None:
    gateway = await start(model("stages: [{turns: [{text: hm, cut_after_bytes: 20}]}]").url)
    answer = await gateway.post()
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
    assert (await gateway.usage()).cost_usd == _reserve_of(a_request())


async def test_an_answer_without_figures_costs_the_reserve(start: Any, faulty: Any) -> None:
    async def script(_: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()

    url, _ = await faulty(script)
    gateway = await start(url)
    assert (await gateway.post()).text == "{}"
    assert (await gateway.usage()).cost_usd == _reserve_of(a_request())


async def test_a_service_that_cannot_be_reached_costs_nothing(start: Any) -> None:
    async def script(_: Any, __: Any) -> None: ...

    free = await asyncio.start_server(script, "127.0.0.1", 0)
    port = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()
    gateway = await start(f"http://127.0.0.1:{port}")
    answer = await gateway.post()
    assert (answer.status_code, answer.json()["error"]["type"]) == (502, "api_error")
    assert (await gateway.usage()).cost_usd == 0


async def test_a_client_that_leaves_is_charged_what_the_call_cost(start: Any, faulty: Any) -> None:
    left, told = asyncio.Event(), asyncio.Event()
    end = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n'

    async def script(reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + OPENING)
        await writer.drain()
        await left.wait()
        writer.write(end)
        await writer.drain()
        told.set()

    url, _ = await faulty(script)
    gateway = await start(url)
    headers = {"authorization": f"Bearer {a_ticket()}", "anthropic-version": "2023-06-01"}
    async with gateway.http.stream("POST", "/v1/messages", json=a_request(stream=True), headers=headers) as answer:
        await anext(answer.aiter_raw())
        assert (await gateway.usage()).reserved_usd > 0
    left.set()
    await told.wait()
    while (usage := await gateway.usage()).reserved_usd:  # each turn of the loop is a request that the gateway answers
        pass
    assert usage.cost_usd == Decimal("0.00007")


async def test_a_start_charges_what_was_left_reserved(model: Any, settings: Any, start: Any) -> None:
    book = Book(settings.data_dir)  # as a gateway leaves it that dies between the reservation and the answer
    await book.ask(lambda ledger: ledger.reserve(Purpose(IDENTITY, "a-plan-1", MODEL), 10**11, limit=10**12))
    book.close()
    gateway = await start(model().url)
    usage = await gateway.usage()
    assert (usage.cost_usd, usage.reserved_usd, usage.steps) == (Decimal("0.1"), 0, {"a-plan-1": Decimal("0.1")})


async def test_figures_survive_a_restart(model: Any, settings: Any, start: Any) -> None:
    url = model("stages: [{turns: [{text: hi, usage: {input_tokens: 500000}}]}]").url
    async with (
        running(settings.model_copy(update={"upstream_url": url})) as first,
        httpx2.AsyncClient(base_url=first, trust_env=False) as client,
    ):
        headers = {"authorization": f"Bearer {a_ticket()}", "anthropic-version": "2023-06-01"}
        assert (await client.post("/v1/messages", json=a_request(), headers=headers)).status_code == 200
    gateway = await start(url)
    assert (await gateway.usage()).cost_usd > 1


async def test_spent_money_is_gone_and_waiting_is_of_no_use(model: Any, start: Any) -> None:
    gateway = await start(model("stages: [{turns: [{text: hi, usage: {input_tokens: 500000}}]}]").url)
    ticket = a_ticket(limit_usd=Decimal("1.01"))
    assert (await gateway.post(ticket=ticket)).status_code == 200
    refused = await gateway.post(ticket=ticket)
    assert (refused.status_code, refused.json()["error"]["type"]) == (402, "budget_exhausted")
    assert "retry-after" not in refused.headers
    asked = _reserve_of(a_request()).quantize(Decimal("0.0001"), ROUND_CEILING)
    text = f"the run has spent 1.0001 of its 1.0100 US dollars and this call can cost up to {asked}"
    assert refused.json()["error"]["message"] == text


async def test_a_prompt_of_many_bytes_and_few_tokens_is_counted(model: Any, start: Any) -> None:
    server = model("stages: [{turns: [{text: hi}]}]")
    gateway = await start(server.url)
    body = a_request("x" * 100_000)  # 0.21 dollars by its bytes, 0.06 by the stand-in's tokens
    assert (await gateway.post(body, ticket=a_ticket(limit_usd=Decimal("0.07")))).status_code == 200
    assert [entry["path"] for entry in server.journal()] == ["/v1/messages/count_tokens", "/v1/messages"]
    refused = await gateway.post(body, ticket=a_ticket(limit_usd=Decimal("0.07")))
    assert (refused.status_code, refused.json()["error"]["type"]) == (402, "budget_exhausted")


async def test_what_is_only_reserved_is_waited_for(start: Any, faulty: Any) -> None:
    asked, go_on = asyncio.Event(), asyncio.Event()
    body = b'{"usage":{"input_tokens":1,"output_tokens":1},"input_tokens":2000}'

    async def script(_: Any, writer: Any) -> None:
        if b"count_tokens" not in upstream.requests[-1]:
            asked.set()
            await go_on.wait()
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()

    url, upstream = await faulty(script)
    gateway = await start(url)
    ticket = a_ticket(limit_usd=Decimal("0.02"))
    first = asyncio.create_task(gateway.post(ticket=ticket))
    await asked.wait()
    refused = await gateway.post(ticket=ticket)
    assert (refused.status_code, refused.json()["error"]["type"]) == (402, "budget_reserved")
    assert int(refused.headers["retry-after"]) > 0
    go_on.set()
    assert (await first).status_code == 200
    assert (await gateway.post(ticket=ticket)).status_code == 200


async def test_twenty_at_once_never_spend_more_than_the_limit(model: Any, start: Any) -> None:
    """Each call costs exactly what it reserves, so the limit is met to the last one that fits."""
    size = len(httpx2.Request("POST", "http://x", json=a_request()).content)
    usage = f"{{input_tokens: {size + 2_000}, output_tokens: 1000}}"
    server = model(f"stages: [{{turns: [{{text: hi, delay: 0.05, usage: {usage}}}]}}]")
    gateway = await start(server.url)
    limit = _reserve_of(a_request()) * 7 + Decimal("0.000001")
    ticket = a_ticket(limit_usd=limit)
    answers = await asyncio.gather(*(gateway.post(ticket=ticket) for _ in range(20)))
    passed = [answer for answer in answers if answer.status_code == 200]
    assert {answer.status_code for answer in answers} == {200, 402}
    spent = (await gateway.usage()).cost_usd
    assert spent == _reserve_of(a_request()) * len(passed)
    assert spent <= limit
    while (await gateway.post(ticket=ticket)).status_code == 200:  # what was held back as a reserve is there now
        pass
    assert (await gateway.usage()).cost_usd == _reserve_of(a_request()) * 7
