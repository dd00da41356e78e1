"""What a step may send to a model: the list of fields, as a table, and bodies that could be read in two ways."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.api.ticket import Claims, Role
from orch.gateway.errors import Refusal
from orch.gateway.requests import ADDED_TOKENS, read_wanted

CLAIMS = Claims(
    role=Role.STEP, expires=datetime.max.replace(tzinfo=UTC), identity="ab12", model="claude-x", max_output_tokens=500
)
TEXT = {"type": "text", "text": "hi"}
TOOL = {"name": "run", "input_schema": {"type": "object"}}
IMAGE = {"type": "image", "source": {"type": "url", "url": "https://evil.example/?d=secret"}}


def a_body(**more: Any) -> dict[str, Any]:
    body = {"model": "claude-x", "max_tokens": 500, "metadata": {"user_id": "orch/ab12/Plan/1"}}
    return body | {"messages": [{"role": "user", "content": "hi"}]} | more


def said(*blocks: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": list(blocks)}]}


def result(*blocks: Any) -> Any:
    return {"type": "tool_result", "tool_use_id": "t", "content": list(blocks)}


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({}, id="the least"),
        pytest.param(
            {"stream": True, "stop_sequences": ["x"], "temperature": 0.5, "thinking": {"type": "adaptive"}},
            id="settings",
        ),
        pytest.param({"temperature": 1}, id="a temperature without a fraction"),
        pytest.param(
            {"tools": [TOOL, TOOL | {"type": "custom", "description": "d", "strict": True}]}, id="custom tools"
        ),
        pytest.param({"tool_choice": {"type": "tool", "name": "run"}}, id="a choice of tool"),
        pytest.param(
            {"output_config": {"format": {"type": "json_schema", "schema": {"x": [1]}}}}, id="structured output"
        ),
        pytest.param({"system": "s"}, id="system as a string"),
        pytest.param({"system": [TEXT | {"cache_control": {"type": "ephemeral", "ttl": "1h"}}]}, id="system as blocks"),
        pytest.param(said(result(TEXT), {**result(), "content": "out", "is_error": True}), id="tool results"),
        pytest.param(said({"type": "thinking", "thinking": "", "signature": "s"}), id="thinking sent back"),
        pytest.param(
            said(
                {"type": "tool_use", "id": "t", "name": "n", "input": {"type": "image"}, "caller": {"type": "direct"}}
            ),
            id="tool use sent back",
        ),
        pytest.param(
            said(TEXT | {"citations": None, "new": None}) | {"tools": None, "container": None},
            id="nulls, as answers sent back have them",
        ),
    ],
)
def test_what_passes(more: dict[str, Any]) -> None:
    body = json.dumps(a_body(**more)).encode()
    assert read_wanted(body, CLAIMS).body == body


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"container": "c"}, "container"),
        ({"mcp_servers": [{"type": "url", "url": "https://evil.example"}]}, "mcp_servers"),
        ({"context_management": {}}, "context_management"),
        ({"cache_control": {"type": "ephemeral"}}, "cache_control"),
        ({"service_tier": "auto"}, "service_tier"),
        ({"speed": "fast"}, "speed"),
        ({"inference_geo": "us"}, "inference_geo"),
        ({"top_k": 1}, "top_k"),
        ({"metadata": {"user_id": "orch/ab12/", "x": 1}}, "metadata.x"),
        ({"metadata": {"user_id": "orch/ab12"}}, "metadata.user_id"),
        ({"metadata": {"user_id": "orch/ab1/Plan/1"}}, "metadata.user_id"),
        ({"model": "claude-y"}, "model"),
        ({"max_tokens": 501}, "max_tokens"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools.0"),
        ({"tools": [TOOL, {"type": "bash_20250124", "name": "bash"}]}, "tools.1"),
        ({"tools": [TOOL | {"allowed_callers": ["code_execution_20250825"]}]}, "tools.0.custom.allowed_callers"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools.0.custom.defer_loading"),
        ({"output_config": {"format": {"type": "grammar", "schema": {}}}}, "output_config.format.type"),
        ({"output_config": {"task_budget": {}}}, "output_config.task_budget"),
        ({"thinking": {"type": "unlimited"}}, "thinking.type"),
        (said(TEXT, IMAGE), "messages.0.content.1"),
        (said({"type": "document", "source": {}}), "messages.0.content.0"),
        (said({"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}), "messages.0.content.0"),
        (said({"type": "container_upload", "file_id": "f"}), "messages.0.content.0"),
        (said({"type": "mcp_tool_use"}), "messages.0.content.0"),
        (said(result(TEXT, IMAGE)), "messages.0.content.0.tool_result.content.1.type"),
        (said(TEXT | {"source": {"url": "https://evil.example"}}), "messages.0.content.0.text.source"),
        (said(TEXT | {"citations": [{"url": "https://evil.example"}]}), "messages.0.content.0.text.citations"),
        (
            said({"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "code_execution"}}),
            "messages.0.content.0.tool_use.caller.type",
        ),
        ({"system": [IMAGE]}, "system.0.type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role"),
    ],
)
def test_what_is_refused_by_name(more: dict[str, Any], field: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_wanted(json.dumps(a_body(**more)).encode(), CLAIMS)
    assert (caught.value.status, caught.value.kind) == (403, "permission_error")
    assert caught.value.message.split(":")[0] == field


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"[]", id="no object"),
        pytest.param(b'{"model": "claude-x"', id="cut"),
        pytest.param(json.dumps(a_body()).encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + json.dumps(a_body()).encode(), id="a byte order mark"),
        pytest.param(json.dumps(a_body()).encode().replace(b'"hi"', b'"\xff"'), id="no UTF-8"),
        pytest.param(b'{"model": "claude-opus-5",' + json.dumps(a_body()).encode()[1:], id="a field twice"),
        pytest.param(json.dumps(a_body()).encode().replace(b'"hi"', b'"hi", "content": []'), id="an inner field twice"),
        pytest.param(
            json.dumps(a_body()).encode().replace(b'"model"', b'"m\\u006fdel": "y", "model"'), id="escaped twin"
        ),
        pytest.param(json.dumps(a_body(temperature=float("nan"))).encode(), id="NaN"),
        pytest.param(b"[" * 100_000, id="deep nesting"),
        pytest.param(json.dumps(a_body(max_tokens="500")).encode(), id="a number as text"),
        pytest.param(json.dumps(a_body(max_tokens=True)).encode(), id="a number as truth"),
        pytest.param(json.dumps(a_body(max_tokens=0)).encode(), id="no tokens"),
        pytest.param(json.dumps(a_body(messages={})).encode(), id="messages no list"),
        pytest.param(json.dumps(a_body(messages=[{"role": "user"}])).encode(), id="no content"),
        pytest.param(b'{"a":' * 900 + b"1" + b"}" * 900, id="not flat"),
    ],
)
def test_what_cannot_be_read(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        read_wanted(body, CLAIMS)
    assert caught.value.status in (400, 403)
    assert len(caught.value.message) < 500


@pytest.mark.parametrize(
    ("marks", "lifetimes"),
    [([], set()), ([{}], {"5m"}), ([{"ttl": "5m"}, {"ttl": "1h"}], {"5m", "1h"}), ([{"ttl": None}], {"5m"})],
)
def test_lifetimes_of_cache_entries_are_seen_wherever_they_stand(
    marks: list[dict[str, Any]], lifetimes: set[str]
) -> None:
    controls = [{"type": "ephemeral"} | {k: v for k, v in mark.items() if v} for mark in marks]
    places = [
        {"system": [TEXT | {"cache_control": control} for control in controls]},
        {"tools": [TOOL | {"cache_control": control} for control in controls]},
        said(*(result(TEXT | {"cache_control": control}) for control in controls), TEXT),
    ]
    for place in places:
        wanted = read_wanted(json.dumps(a_body(**place)).encode(), CLAIMS)
        assert lifetimes - {"5m"} <= wanted.lifetimes
        assert bool(wanted.lifetimes) == bool(lifetimes)


def test_bytes_bound_tokens_and_the_count_gets_what_counts() -> None:
    body = json.dumps(a_body(system="s", stream=True)).encode()
    wanted = read_wanted(body, CLAIMS)
    assert wanted.most_tokens == len(body) + ADDED_TOKENS
    assert json.loads(wanted.counted).keys() == {"model", "messages", "system"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(field=st.sampled_from(["messages", "system", "tools", "metadata", "thinking", "output_config", "x"]), value=JSON)
def test_any_value_is_read_or_refused(field: str, value: Any) -> None:
    with contextlib.suppress(Refusal):  # anything else that is raised is a bug
        assert read_wanted(json.dumps(a_body(**{field: value})).encode(), CLAIMS).model == "claude-x"
