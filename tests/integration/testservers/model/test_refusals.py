"""What the true API refuses, the stand-in refuses: with the status, the type and the words of the true API."""

from __future__ import annotations

from typing import Any

import anthropic
import httpx2
import pytest

from orch.testservers.model.thinking import signature

RUN = {"name": "run", "input_schema": {"type": "object"}}
USE = {"type": "tool_use", "id": "toolu_1", "name": "run", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "ok"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": signature("Hm.")}
MARK = {"cache_control": {"type": "ephemeral"}}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}
OLD = "claude-haiku-4-5"


def says(role: str, content: Any) -> dict[str, Any]:
    return {"role": role, "content": content}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words} | more


def shaped(schema: dict[str, Any]) -> dict[str, Any]:
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def talk(*messages: dict[str, Any]) -> dict[str, Any]:
    return {"messages": list(messages)}


HELLO = says("user", "Hello")
CASES = [
    pytest.param({"max_tokens": None}, "max_tokens: Input should be a valid integer", id="max_tokens null"),
    pytest.param({"max_tokens": "9"}, "max_tokens: Input should be a valid integer", id="max_tokens text"),
    pytest.param({"max_tokens": -1}, "max_tokens: Input should be greater than or equal to 0", id="max_tokens below 0"),
    pytest.param(
        {"max_tokens": 128_001}, "max_tokens: 128001 > 128000, which is the maximum", id="max_tokens too large"
    ),
    pytest.param({"favour": 1}, "favour: Extra inputs are not permitted", id="unknown field"),
    pytest.param({"output_format": {}}, "output_format: Extra inputs are not permitted", id="old output_format"),
    pytest.param({"temperature": 1.0}, "temperature: Extra inputs are not permitted", id="temperature is gone"),
    pytest.param({"container": "c"}, "container: not served by the stand-in", id="not served"),
    pytest.param({"messages": []}, "messages: at least one message is required", id="no message"),
    pytest.param({"messages": "Hello"}, "messages: Input should be a valid list", id="messages text"),
    pytest.param(talk(says("assistant", "I")), 'first message must use the "user" role', id="assistant first"),
    pytest.param(talk(says("tool", "x")), "messages.0.role: Input should be 'user'", id="wrong role"),
    pytest.param(talk(HELLO, says("system", "x")), "role 'system' is not supported", id="system on an old model"),
    pytest.param(
        {"model": "claude-opus-5", **talk(HELLO, says("assistant", "a"), says("system", "x"), HELLO)},
        "messages.2: a message with role 'system' must follow a 'user' message",
        id="system after assistant",
    ),
    pytest.param(talk(says("user", "")), "messages.0: all messages must have non-empty content", id="empty content"),
    pytest.param(talk(says("user", [text("")])), "text content blocks must be non-empty", id="empty text"),
    pytest.param(talk(says("user", " \n")), "must contain non-whitespace text", id="white space"),
    pytest.param(
        talk(HELLO, says("assistant", [text("So."), THOUGHT]), HELLO),
        "messages.1: The final block in an assistant message cannot be `thinking`.",
        id="thinking at the end",
    ),
    pytest.param(
        talk(HELLO, says("assistant", " \n"), HELLO), "must contain non-whitespace text", id="white space repeated"
    ),
    pytest.param(
        talk(says("user", [{"type": "video"}])), "messages.0.content.0: Input tag 'video'", id="unknown block"
    ),
    pytest.param(
        talk(says("user", [{"type": "text"}])), "messages.0.content.0.text.text: Field required", id="no text"
    ),
    pytest.param(talk(says("user", [USE])), "`tool_use` blocks are not allowed in `user`", id="tool_use by user"),
    pytest.param(talk(HELLO, says("assistant", "So ")), "does not support assistant message prefill", id="prefill"),
    pytest.param(
        {"model": OLD, **talk(HELLO, says("assistant", "So "))}, "trailing whitespace", id="prefill with a blank"
    ),
    pytest.param(
        {"model": OLD, **talk(HELLO, says("assistant", "{")), **shaped(OPEN | {"additionalProperties": False})},
        "prefill is not supported with output_config.format",
        id="prefill and structured output",
    ),
    pytest.param(
        talk(HELLO, says("assistant", [USE]), says("user", "And?")),
        "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: toolu_1. "
        "Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
        id="tool_use without result",
    ),
    pytest.param(
        talk(HELLO, says("assistant", [USE])), "messages.1: `tool_use` ids were found", id="tool_use at the end"
    ),
    pytest.param(
        talk(HELLO, says("assistant", [USE]), says("user", [text("Here:"), RESULT])),
        "messages.1: `tool_use` ids were found without",
        id="text before the result",
    ),
    pytest.param(
        talk(says("user", [RESULT])),
        "messages.0.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1. "
        "Each `tool_result` block must have a corresponding `tool_use` block in the previous message.",
        id="result without tool_use",
    ),
    pytest.param(
        talk(HELLO, says("assistant", [USE]), says("user", [RESULT, RESULT])),
        "each tool_use must have a single result",
        id="two results",
    ),
    pytest.param(
        talk(HELLO, says("assistant", [USE, USE]), says("user", [RESULT])), "ids must be unique", id="same id twice"
    ),
    pytest.param({"tools": [RUN, RUN]}, "tools: Tool names must be unique.", id="tool twice"),
    pytest.param({"tools": [RUN | {"name": "a b"}]}, "tools.0.custom.name: String should match", id="tool's name"),
    pytest.param({"tools": [{"name": "x"}]}, "tools.0.custom.input_schema: Field required", id="tool without schema"),
    pytest.param(
        {"tools": [{"name": "x", "input_schema": {}}]}, "tools.0.custom.input_schema.type: Field required", id="no type"
    ),
    pytest.param(
        {"tools": [{"name": "x", "input_schema": {"type": "array"}}]},
        "tools.0.custom.input_schema.type: Input should be 'object'",
        id="tool schema is no object",
    ),
    pytest.param(
        {"tools": [{"name": "x", "input_schema": {"type": "object", "properties": {"a": {"type": "int"}}}}]},
        "tools.0.custom.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12",
        id="tool schema is invalid",
    ),
    pytest.param(
        {"tools": [{"name": "x", "strict": True, "input_schema": OPEN}]},
        "tools.0.custom.input_schema: For 'object' type, 'additionalProperties' must be explicitly set to false",
        id="strict tool with an open object",
    ),
    pytest.param(
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "custom tools only", id="server tool"
    ),
    pytest.param({"tool_choice": {"type": "any"}}, "only be specified while providing tools", id="choice, no tools"),
    pytest.param(
        {"tools": [RUN], "tool_choice": {"type": "tool", "name": "fly"}}, "Tool 'fly' not found", id="choice of nothing"
    ),
    pytest.param(
        {"model": "claude-opus-5-5", "tools": [RUN], "tool_choice": {"type": "any"}},
        'tool_choice: type "tool" and "any" are not supported for this model.',
        id="forced tools on a model without",
    ),
    pytest.param(
        shaped(OPEN), "output_config.format.schema: For 'object' type, 'additionalProperties'", id="open object"
    ),
    pytest.param(
        shaped(OPEN | {"additionalProperties": True}),
        "'additionalProperties: true' is not supported",
        id="open on purpose",
    ),
    pytest.param(
        shaped({"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 5}}),
        "For 'integer' type, properties 'maximum', 'minimum' are not supported",
        id="bounds in the schema",
    ),
    pytest.param(
        {"output_config": {"effort": "high"}, "model": OLD}, "does not support the effort parameter", id="effort"
    ),
    pytest.param(
        {"system": [text("s", **MARK)], **talk(says("user", [text(str(n), **MARK) for n in range(4)]))},
        "A maximum of 4 blocks with cache_control may be provided. Found 5.",
        id="five breakpoints",
    ),
    pytest.param(
        {
            "system": [text("s", **MARK)],
            **talk(says("user", [text("u", cache_control={"type": "ephemeral", "ttl": "1h"})])),
        },
        "a ttl='1h' cache_control block must not come after a ttl='5m'",
        id="long after short",
    ),
    pytest.param(
        {"thinking": {"type": "enabled", "budget_tokens": 2000}}, "thinking.type.enabled", id="manual thinking"
    ),
    pytest.param(
        {"thinking": {"type": "enabled", "budget_tokens": 5}, "model": OLD},
        "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        id="small budget",
    ),
    pytest.param(
        {"thinking": {"type": "enabled", "budget_tokens": 1024}, "model": OLD},
        "`max_tokens` must be greater than `thinking.budget_tokens`",
        id="budget above max_tokens",
    ),
    pytest.param(
        {"thinking": {"type": "adaptive"}, "model": OLD}, "adaptive thinking is not", id="adaptive on an old model"
    ),
    pytest.param(
        {"stop_sequences": [" "]}, "stop_sequences.0: each stop sequence must contain", id="blank stop sequence"
    ),
    pytest.param(
        {"metadata": {"user_id": "x" * 513}}, "metadata.user_id: String should have at most 512", id="long user id"
    ),
    pytest.param({"system": 5}, "system: Input should be a valid list", id="system number"),
]


@pytest.mark.parametrize(("change", "complaint"), CASES)
def test_a_bad_request_is_refused(plain: Any, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(anthropic.BadRequestError) as caught:
        plain.post(plain.request() | change)
    body: Any = caught.value.body
    assert complaint in body["error"]["message"]
    assert (body["type"], body["error"]["type"]) == ("error", "invalid_request_error")
    assert body["request_id"] == caught.value.request_id


@pytest.mark.parametrize("field", ["model", "max_tokens", "messages"])
def test_a_missing_field_is_named(plain: Any, field: str) -> None:
    body = plain.request()
    del body[field]
    with pytest.raises(anthropic.BadRequestError, match=f"{field}: Field required"):
        plain.post(body)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"temperature": 1.5, "model": OLD}, "temperature: range: 0..1", id="out of range"),
        pytest.param({"temperature": 0.2}, "`temperature` is deprecated for this model.", id="new model"),
        pytest.param({"temperature": 1, "top_p": 1, "model": OLD}, "cannot both be specified", id="both"),
        pytest.param(
            {
                "temperature": 0.5,
                "model": OLD,
                "max_tokens": 4000,
                "thinking": {"type": "enabled", "budget_tokens": 1024},
            },
            "may only be set to 1 when thinking is enabled",
            id="with thinking",
        ),
    ],
)
def test_sampling_in_the_older_version(plain: Any, change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=complaint):
        plain.post(plain.request() | change, anthropic_version="2023-06-01")
    assert plain.post(plain.request(model=OLD, temperature=0.2), anthropic_version="2023-06-01")["content"]


def test_an_unknown_model_is_not_found(plain: Any) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: claude-9") as caught:
        plain.create(model="claude-9")
    assert caught.value.type == "not_found_error"


@pytest.mark.parametrize(
    ("headers", "complaint"),
    [
        pytest.param({}, "x-api-key header is required", id="none"),
        pytest.param({"x-api-key": "sk-wrong"}, "invalid x-api-key", id="wrong key"),
        pytest.param({"authorization": "Bearer sk-wrong"}, "Invalid bearer token", id="wrong bearer"),
        pytest.param({"authorization": "Basic c2s="}, "x-api-key header is required", id="another scheme"),
        pytest.param({"x-api-key": "sk-\u00e9"}, "invalid x-api-key", id="not ASCII"),
    ],
)
def test_a_request_without_a_good_key_is_refused(plain: Any, headers: dict[str, str], complaint: str) -> None:
    sent = {name: value.encode("latin-1") for name, value in headers.items()}
    reply = httpx2.post(f"{plain.server.url}/v1/messages", json=plain.request(), headers=sent)
    assert reply.status_code == 401
    assert reply.json()["error"] == {"type": "authentication_error", "message": complaint}


def test_x_api_key_goes_before_the_bearer_token(plain: Any) -> None:
    assert plain.post(plain.request(), x_api_key=plain.server.api_key, authorization="Bearer wrong")["content"]
    with pytest.raises(anthropic.AuthenticationError, match="invalid x-api-key"):
        plain.post(plain.request(), x_api_key="wrong")


@pytest.mark.parametrize(
    ("version", "complaint"),
    [(None, "anthropic-version: header is required"), ("2020-01-01", '"2020-01-01" is not a valid version')],
)
def test_the_version_must_be_known(plain: Any, version: str | None, complaint: str) -> None:
    headers = {"x-api-key": plain.server.api_key} | ({"anthropic-version": version} if version else {})
    reply = httpx2.post(f"{plain.server.url}/v1/messages", json=plain.request(), headers=headers)
    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")
    assert complaint in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'{"max_tokens": NaN}',
        b'{"model": "\\ud800"}',
        b"[" * 100_000,
        b'{"max_tokens": ' + b"9" * 5000 + b"}",
        b"[]",
        b"null",
    ],
)
def test_a_body_that_is_no_request_is_refused(plain: Any, body: bytes) -> None:
    headers = {"x-api-key": plain.server.api_key, "anthropic-version": "2026-10-21"}
    reply = httpx2.post(f"{plain.server.url}/v1/messages", content=body, headers=headers)
    assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")
    assert "bug" not in plain.server.journal()[-1]


def test_a_body_above_the_limit_is_too_large(start: Any) -> None:
    api = start(max_body=10_000)
    assert api.create("x" * 5_000).content
    with pytest.raises(anthropic.APIStatusError) as caught:
        api.create("x" * 3_000_000)
    assert (caught.value.status_code, caught.value.type) == (413, "request_too_large")


def test_a_prompt_above_the_context_is_refused(plain: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: 200001 tokens > 200000 maximum"):
        plain.create("x" * 800_001, model=OLD)


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v1/files", 404), ("GET", "/v1/messages", 405)])
def test_other_paths_do_not_exist(plain: Any, method: str, path: str, status: int) -> None:
    reply = httpx2.request(method, plain.server.url + path)
    assert (reply.status_code, reply.json()["type"]) == (status, "error")


def test_count_tokens_refuses_what_is_no_input(plain: Any) -> None:
    with pytest.raises(anthropic.BadRequestError, match="max_tokens: Extra inputs are not permitted"):
        plain.post(plain.request(), "/v1/messages/count_tokens")
    with pytest.raises(anthropic.BadRequestError, match="at least one message"):
        plain.client.messages.count_tokens(model="claude-sonnet-5", messages=[])
