"""Answers that go wrong on purpose: refusals, cut and slow streams, errors within a stream, answers of 10 MB."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import anthropic
import httpx2
import pytest

from orch.testservers.model import Limits

LONG = "word " * 200


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (403, anthropic.PermissionDeniedError, "permission_error"),
        (413, anthropic.APIStatusError, "request_too_large"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (503, anthropic.APIStatusError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
def test_a_status_is_refused_with_its_type(start: Any, status: int, error: Any, kind: str, streamed: bool) -> None:
    api = start(f"stages: {{turns: [{{status: {status}, text: never}}]}}")
    for _ in range(2):  # without `times` it never stops
        with pytest.raises(error) as caught:
            api.create(stream=streamed)
        assert (caught.value.status_code, caught.value.body["error"]["type"]) == (status, kind)
    assert ("retry-after" in caught.value.response.headers) is (status == 429)


def test_the_sdk_gets_through_after_the_last_refusal(start: Any) -> None:
    api = start("stages: {turns: [{status: 529, times: 2, retry_after: 0.01, text: At last}]}")
    assert api.connect(max_retries=2).messages.create(**api.request()).content[0].text == "At last"
    assert [entry["status"] for entry in api.server.journal()] == [529, 529, 200]


def test_each_run_gets_its_own_refusals(start: Any) -> None:
    api = start("stages: {turns: [{status: 529, times: 1, text: hi}]}")
    for identity in ("aaaa", "bbbb"):
        with pytest.raises(anthropic.APIStatusError):
            api.create(metadata=api.in_run("Plan", identity=identity))
        assert api.create(metadata=api.in_run("Plan", identity=identity)).content[0].text == "hi"


@pytest.mark.parametrize("at", [0, 1, 300, 1000])
def test_a_cut_stream_is_a_broken_connection(start: Any, at: int) -> None:
    api = start(f"stages: {{turns: [{{text: '{LONG}', cut_after_bytes: {at}, times: 1}}]}}")
    with pytest.raises((httpx2.RemoteProtocolError, anthropic.APIConnectionError)), api.stream() as stream:
        stream.get_final_message()
    with api.stream() as stream:
        assert stream.get_final_text() == LONG


def test_a_cut_answer_is_a_broken_connection(start: Any) -> None:
    api = start(f"stages: {{turns: [{{text: '{LONG}', cut_after_bytes: 500}}]}}")
    with pytest.raises((httpx2.RemoteProtocolError, anthropic.APIConnectionError)):
        api.create()


def test_an_error_within_a_stream(start: Any) -> None:
    api = start(f"stages: {{turns: [{{text: '{LONG}', error_event: overloaded_error}}]}}")
    heard: list[str] = []
    with api.stream() as stream, pytest.raises(anthropic.APIStatusError) as caught:
        heard.extend(stream.text_stream)
    assert "".join(heard)
    assert LONG.startswith("".join(heard))
    assert caught.value.body == {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    with pytest.raises(anthropic.APIStatusError) as caught:
        api.create()
    assert caught.value.status_code == 529


@pytest.mark.parametrize("streamed", [False, True])
def test_an_answer_of_ten_megabytes(start: Any, streamed: bool) -> None:
    api = start("stages: {turns: [{generate: {text_bytes: 10000000}}]}")
    if streamed:
        with api.client.messages.create(**api.request(), stream=True) as events:
            size = sum(len(event.delta.text) for event in events if event.type == "content_block_delta")
    else:
        size = len(api.create().content[0].text)
    assert size == 10_000_000


def test_a_slow_stream_can_be_left(start: Any) -> None:
    api = start(f"stages: {{turns: [{{text: '{LONG}', chunk_delay: 0.05}}, {{text: next}}]}}")
    with api.client.messages.create(**api.request(), stream=True) as events:
        assert next(iter(events)).type == "message_start"
    assert api.create(messages=[*api.request()["messages"], *_later()]).content[0].text == "next"


def _later() -> list[dict[str, str]]:
    return [{"role": "assistant", "content": "word"}, {"role": "user", "content": "go on"}]


def test_a_delayed_answer_holds_up_no_other(start: Any) -> None:
    api = start("""
    - {match: {contains: slow}, stages: {turns: [{delay: 30, text: late}]}}
    - {stages: {turns: [{text: quick}]}}
    """)
    client, left = api.connect(timeout=0.3), threading.Event()

    def wait_in_vain() -> None:
        with pytest.raises(anthropic.APITimeoutError):
            client.messages.create(**api.request("slow"))
        left.set()

    waiting = threading.Thread(target=wait_in_vain)
    waiting.start()
    assert api.create("other").content[0].text == "quick"
    waiting.join()
    assert left.is_set()


def test_a_turn_that_repeats_never_ends(start: Any) -> None:
    api = start("stages: {turns: [{text: begin}, {tools: [{name: run}], repeat: true}]}")
    tools = [{"name": "run", "input_schema": {"type": "object"}}]
    messages = api.request()["messages"]
    for number in range(6):
        message = api.create(messages=messages, tools=tools)
        assert (message.stop_reason == "tool_use") is (number > 0)
        results = [
            {"type": "tool_result", "tool_use_id": block.id} for block in message.content if block.type == "tool_use"
        ]
        follow = results or "go on"
        messages = [*messages, {"role": "assistant", "content": message.content}, {"role": "user", "content": follow}]


def test_a_used_up_minute_is_refused_until_the_next(start: Any) -> None:
    now = [datetime(2026, 1, 1, 12, 0, 15, tzinfo=UTC)]
    api = start(limits=Limits(requests=2), clock=lambda: now[0])
    reply = api.client.messages.with_raw_response.create(**api.request())
    assert reply.headers["anthropic-ratelimit-requests-remaining"] == "1"
    api.create()
    with pytest.raises(anthropic.RateLimitError, match="rate limit of 2 requests per minute") as caught:
        api.create()
    assert caught.value.response.headers["retry-after"] == "45"
    now[0] += timedelta(seconds=45)
    assert api.create().content


def test_input_tokens_count_against_the_minute(start: Any) -> None:
    api = start(limits=Limits(input_tokens=100))
    api.create("x" * 400)
    with pytest.raises(anthropic.RateLimitError, match="100 input tokens per minute"):
        api.create()


def test_the_journal_never_holds_a_key(start: Any) -> None:
    api = start(api_key="sk-very-secret")
    api.create()
    api.post(api.request(), x_api_key="sk-very-secret")
    with pytest.raises(anthropic.AuthenticationError):
        api.post(api.request(), x_api_key="sk-also-secret")
    assert "secret" not in json.dumps(api.server.journal())
    assert len(api.server.journal()) == 3
