"""What a work step sees: the real SDK through the gateway, streaming and not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anthropic
import httpx2
import pytest
from tests.integration.gateway.harness import IDENTITY, MODEL_KEY, a_request, a_ticket

SCRIPTS = """
match: {contains: 'Hello'}
stages:
  - turns:
      - {text: 'Grüße aus dem Modell', usage: {input_tokens: 1000, output_tokens: 200}}
"""
TOOL = {"name": "run", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}


async def test_the_sdk_gets_an_answer_and_the_book_its_cost(model: Any, start: Any) -> None:
    gateway = await start(model(SCRIPTS).url)
    answer = await gateway.sdk().messages.create(**a_request())
    assert answer.content[0].text == "Grüße aus dem Modell"
    usage = await gateway.usage()
    assert (usage.model_calls, usage.input_tokens, usage.output_tokens) == (1, 1000, 200)
    assert usage.cost_usd == Decimal("0.004")  # 1000 x 2 + 200 x 10 dollars a million
    assert usage.reserved_usd == 0
    assert usage.steps == {"web-7-1-implement-1": Decimal("0.004")}


async def test_the_sdk_streams(model: Any, start: Any) -> None:
    gateway = await start(model(SCRIPTS).url)
    async with gateway.sdk().messages.stream(**a_request()) as stream:
        text = "".join([part async for part in stream.text_stream])
    assert text == "Grüße aus dem Modell"
    assert (await gateway.usage()).cost_usd == Decimal("0.004")


async def test_tools_and_structured_output_pass(model: Any, start: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    gateway = await start(
        model("""
match: {contains: 'Hello'}
stages:
  - turns:
      - {text: 'I look.', tools: [{name: run, input: {command: ls}}]}
      - {json: {ok: true}}
""").url
    )
    client = gateway.sdk()
    first = await client.messages.create(**a_request(tools=[TOOL]))
    call = first.content[-1]
    assert call.input == {"command": "ls"}
    said = [block.model_dump() for block in first.content]
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "a b", "cache_control": {"type": "ephemeral"}}
    messages = [*a_request()["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": [result]}]
    second = await client.messages.create(
        **a_request(
            tools=[TOOL], messages=messages, output_config={"format": {"type": "json_schema", "schema": schema}}
        )
    )
    assert second.content[0].text == '{"ok": true}'
    assert (await gateway.usage()).model_calls == 2


async def test_a_stream_passes_byte_for_byte(start: Any, faulty: Any) -> None:
    """Whatever the service sends: comments, CRLF, unknown events, an end without a newline, no UTF-8."""
    start_event = b'data: {"type":"message_start","message":{"usage":{"input_tokens":10,"output_tokens":1}}}\r\n\r\n'
    end_event = b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":5}}\n\n'
    sent = (
        b": hi\n\nevent: message_start\r\n" + start_event + b"event: new\ndata: \xff\xfe\n\n" + end_event + b"data: x"
    )

    async def script(_: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nrequest-id: req_1\r\n")
        writer.write(b"set-cookie: a=b\r\ncontent-length: %d\r\n\r\n" % len(sent))
        for at in range(0, len(sent), 7):
            writer.write(sent[at : at + 7])
            await writer.drain()

    url, _ = await faulty(script)
    gateway = await start(url)
    answer = await gateway.post(a_request(stream=True))
    assert answer.content == sent
    assert answer.headers["request-id"] == "req_1"
    assert "set-cookie" not in answer.headers
    assert (await gateway.usage()).cost_usd == Decimal("0.00007")


async def test_only_the_version_and_the_key_reach_the_service(start: Any, faulty: Any) -> None:
    body = b'{"usage":{"input_tokens":1,"output_tokens":1}}'

    async def script(_: Any, writer: Any) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
        )
        await writer.drain()

    url, upstream = await faulty(script)
    gateway = await start(url)
    beside = {
        "x-api-key": "mine",
        "anthropic-beta": "code-execution-2025-08-25",
        "cookie": "a=b",
        "content-type": "application/json; charset=utf-16",
    }
    assert (await gateway.post(headers=beside, params={"beta": "true"})).status_code == 200
    head, _, sent = upstream.requests[0].partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
    assert line == "POST /v1/messages HTTP/1.1"
    assert headers["x-api-key"] == MODEL_KEY
    assert headers["anthropic-version"] == "2023-06-01"
    assert headers["content-type"] == "application/json"
    assert not {"authorization", "anthropic-beta", "cookie"} & headers.keys()
    assert sent == httpx2.Request("POST", "http://x", json=a_request()).content


async def test_rate_limits_are_told_and_cost_nothing(model: Any, start: Any) -> None:
    server = model("stages: [{turns: [{status: 429, retry_after: 7, times: 1, text: Done.}]}]")
    gateway = await start(server.url)
    client = gateway.sdk()
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**a_request())
    assert caught.value.response.headers["retry-after"] == "7"
    assert (await gateway.usage()).model_calls == 0
    raw = await client.messages.with_raw_response.create(**a_request())
    assert (await raw.parse()).content[0].text == "Done."
    assert "anthropic-ratelimit-requests-remaining" in raw.headers
    assert len(server.journal()) == 2  # nobody retried on the way


@pytest.mark.parametrize("status", [400, 404, 413, 500, 529])
async def test_refusals_of_the_service_pass_unchanged(model: Any, start: Any, status: int) -> None:
    server = model(f"stages: [{{turns: [{{status: {status}}}]}}]")
    gateway = await start(server.url)
    through = await gateway.post()
    direct = await gateway.http.post(
        f"{server.url}/v1/messages",
        json=a_request(),
        headers={"x-api-key": MODEL_KEY, "anthropic-version": "2023-06-01"},
    )
    assert through.status_code == direct.status_code == status
    assert through.json()["error"] == direct.json()["error"]
    assert (await gateway.usage(IDENTITY)).cost_usd == 0


async def test_the_key_is_cut_out_of_an_error(start: Any, faulty: Any) -> None:
    async def script(_: Any, writer: Any) -> None:
        body = f"bad key {MODEL_KEY}!".encode()
        writer.write(b"HTTP/1.1 401 No\r\ncontent-type: text/plain\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    url, _ = await faulty(script)
    gateway = await start(url)
    answer = await gateway.post()
    assert (answer.status_code, answer.text) == (401, "bad key [redacted]!")


async def test_a_header_that_cannot_be_sent_costs_nothing(model: Any, start: Any) -> None:
    gateway = await start(model().url)
    named = {"authorization": f"Bearer {a_ticket()}".encode(), "anthropic-version": b"\xfc"}
    answer = await gateway.http.post("/v1/messages", json=a_request(), headers=named)
    assert answer.status_code == 400
    assert (await gateway.usage()).cost_usd == 0
