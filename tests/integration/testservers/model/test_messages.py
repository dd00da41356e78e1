"""What the SDK gets from the stand-in: text, tools, thinking, structured output, models, figures."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import pytest
from pydantic import BaseModel

RUN = {"name": "run", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}}
TOOLS_THEN_TEXT = """
stages:
  turns:
    - text: I look.
      tools: [{name: run, input: {command: ls}}, {name: run, input: {}}]
    - text: 'It said {{ last_tool_result }}'
"""


def test_a_text_comes_as_one_block(start: Any) -> None:
    message = start("stages: {turns: [{text: Good day}]}").create()
    assert [block.text for block in message.content] == ["Good day"]
    assert (message.role, message.model, message.stop_reason) == ("assistant", "claude-sonnet-5", "end_turn")


def test_an_answer_without_content_is_an_empty_list(start: Any) -> None:
    message = start("stages: {turns: [{}]}").create()
    assert (message.content, message.stop_reason) == ([], "end_turn")


@pytest.mark.parametrize("streamed", [False, True])
def test_a_conversation_with_parallel_tools(start: Any, streamed: bool) -> None:
    api = start(TOOLS_THEN_TEXT)

    def say(messages: list[Any]) -> Any:
        if not streamed:
            return api.create(messages=messages, tools=[RUN])
        with api.stream(messages=messages, tools=[RUN]) as stream:
            return stream.get_final_message()

    asked: list[Any] = [{"role": "user", "content": "Fix it"}]
    first = say(asked)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert (first.stop_reason, [call.input for call in calls]) == ("tool_use", [{"command": "ls"}, {}])
    assert calls[0].id != calls[1].id
    results = [{"type": "tool_result", "tool_use_id": call.id, "content": f"out {n}"} for n, call in enumerate(calls)]
    second = say([*asked, {"role": "assistant", "content": first.content}, {"role": "user", "content": results}])
    assert (second.stop_reason, second.content[0].text) == ("end_turn", "It said out 1")


def test_a_stream_has_the_true_order_of_events(start: Any) -> None:
    api = start(TOOLS_THEN_TEXT)
    headers = {"x-api-key": api.server.api_key, "anthropic-version": "2023-06-01"}
    body = api.request(stream=True, tools=[RUN])
    reply = httpx2.post(f"{api.server.url}/v1/messages", json=body, headers=headers)
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = reply.text.split("\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [line.removeprefix("event: ") for line in lines if line.startswith("event: ")] == [e["type"] for e in events]
    assert [event["type"] for event in events] == [
        "message_start",
        *("content_block_start", "ping", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"),
        *("content_block_start", "content_block_delta", "content_block_stop"),
        "message_delta",
        "message_stop",
    ]
    assert events[0]["message"]["stop_reason"] is None
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-2]["usage"]["output_tokens"] > events[0]["message"]["usage"]["output_tokens"]


def test_an_alias_answers_with_the_dated_id(start: Any) -> None:
    with pytest.warns(DeprecationWarning, match="end-of-life"):
        assert start().create(model="claude-sonnet-4-5").model == "claude-sonnet-4-5-20250929"


class Verdict(BaseModel):
    actionable: bool
    reason: str


@pytest.mark.parametrize("streamed", [False, True])
def test_structured_output_is_parsed_by_the_sdk(start: Any, streamed: bool) -> None:
    api = start("stages: {turns: [{json: {actionable: true, reason: 'clear — yes'}}]}")
    if streamed:
        with api.stream(output_format=Verdict) as stream:
            parsed = stream.get_final_message().parsed_output
    else:
        parsed = api.client.messages.parse(**api.request(), output_format=Verdict).parsed_output
    assert parsed == Verdict(actionable=True, reason="clear — yes")


@pytest.mark.parametrize(
    ("turn", "options", "complaint"),
    [
        pytest.param("{json: {actionable: 1}}", {}, "does not fit output_config.format.schema", id="another type"),
        pytest.param("{text: Sure!}", {}, "the turn has no json", id="prose"),
        pytest.param("{json: {}}", {"output_config": {}}, "no output_config.format", id="json unasked"),
        pytest.param("{tools: [{name: fly}]}", {}, "'fly' is not among the request's tools", id="unknown tool"),
        pytest.param(
            "{tools: [{name: run}, {name: run}]}",
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            "parallel tool use is disabled",
            id="parallel",
        ),
        pytest.param("{text: x}", {"tool_choice": {"type": "any"}}, "calls no tool", id="any"),
        pytest.param("{tools: [{name: run}]}", {"tool_choice": {"type": "none"}}, "is none", id="none"),
        pytest.param("{text: x}", {"tool_choice": {"type": "tool", "name": "run"}}, "that tool alone", id="tool"),
        pytest.param("{text: '{{ capture.x }}'}", {}, "not in the script's capture", id="unknown capture"),
    ],
)
def test_a_turn_that_the_true_api_could_not_give_is_refused_unless_raw(
    start: Any, turn: str, options: dict[str, Any], complaint: str
) -> None:
    schema = {"type": "object", "properties": {"actionable": {"type": "boolean"}}, "additionalProperties": False}
    asked = {"tools": [RUN], "output_config": {"format": {"type": "json_schema", "schema": schema}}} | options
    api = start(f"name: odd\nstages: {{turns: [{turn}]}}")
    with pytest.raises(anthropic.BadRequestError, match=complaint):
        api.create(**asked)
    assert complaint in str(api.server.journal()[-1]["misfit"])
    if "capture" not in turn:
        api.server.add_scripts(f"name: odd\nstages: {{turns: [{turn[:-1]}, raw: true}}]}}")
        assert api.create(**asked).content


def test_thinking_must_come_back_unchanged(start: Any) -> None:
    api = start("stages: {turns: [{thinking: Hm., text: 'Yes'}, {text: Still yes}]}")
    with api.stream() as stream:
        first = stream.get_final_message()
    assert [block.type for block in first.content] == ["thinking", "text"]
    asked = [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": first.content}]
    asked.append({"role": "user", "content": "Sure?"})
    assert api.create(messages=asked).content[0].text == "Still yes"
    first.content[0].thinking = "Hm!"
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.1\.content\.0: Invalid `signature`"):
        api.create(messages=asked)


def test_max_tokens_cuts_the_answer(start: Any) -> None:
    api = start("stages: {turns: [{text: 'aaaabbbbcccc', tools: [{name: run, input: {command: ls}}]}]}")
    cut = api.create(max_tokens=2, tools=[RUN])
    assert ([block.text for block in cut.content], cut.stop_reason) == (["aaaabbbb"], "max_tokens")
    call = api.create(max_tokens=5, tools=[RUN])
    assert (call.content[1].input, call.stop_reason) == ({}, "max_tokens")
    assert api.create(max_tokens=0, tools=[RUN]).content == []


def test_a_stop_sequence_ends_the_answer(start: Any) -> None:
    message = start("stages: {turns: [{text: one STOP two}]}").create(stop_sequences=["STOP"])
    assert (message.content[0].text, message.stop_reason, message.stop_sequence) == ("one ", "stop_sequence", "STOP")


def test_models_are_listed_in_pages(plain: Any) -> None:
    pages = plain.client.models.list(limit=5)
    assert len(pages.data) == 5
    every = [model.id for model in pages]
    assert len(set(every)) == len(every) > 10
    assert plain.client.models.retrieve("claude-haiku-4-5").max_tokens == 64_000
    with pytest.raises(anthropic.NotFoundError, match="model: claude-2"):
        plain.client.models.retrieve("claude-2")


def test_counted_tokens_are_the_tokens_charged(plain: Any) -> None:
    asked = plain.request("How many?", system="Be brief.", tools=[RUN])
    counted = plain.client.messages.count_tokens(**{k: v for k, v in asked.items() if k != "max_tokens"})
    usage = plain.client.messages.create(**asked).usage
    assert counted.input_tokens == usage.input_tokens > 0
    assert (usage.cache_creation_input_tokens, usage.cache_read_input_tokens) == (0, 0)


def test_every_answer_carries_ids_and_limits(plain: Any) -> None:
    reply = plain.client.messages.with_raw_response.create(**plain.request())
    assert reply.headers["request-id"].startswith("req_01")
    left = int(reply.headers["anthropic-ratelimit-requests-remaining"])
    assert left < int(reply.headers["anthropic-ratelimit-requests-limit"])
    assert reply.headers["anthropic-ratelimit-input-tokens-reset"].endswith("Z")


def test_usage_of_a_script_replaces_what_was_computed(start: Any) -> None:
    usage = start("stages: {turns: [{text: x, usage: {output_tokens: 7777}}]}").create().usage
    assert usage.output_tokens == 7777
