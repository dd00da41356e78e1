"""Nothing that a client sends makes the stand-in fail: it is answered or refused."""

from __future__ import annotations

import contextlib
from typing import Any

import anthropic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orch.testservers.model.app import StandIn

NAMES = [
    "type",
    "text",
    "role",
    "content",
    "id",
    "name",
    "input",
    "tool_use_id",
    "input_schema",
    "schema",
    "properties",
]
VALUES = ["text", "tool_use", "tool_result", "user", "assistant", "system", "object", "string", "a", "", "\0", "\u202e"]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ["model", "messages", "max_tokens", "system", "tools", "tool_choice", "metadata", "thinking", "output_config"]
FIELDS += ["stop_sequences", "stream", "cache_control", "temperature"]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    stand_in = StandIn(tmp_path_factory.mktemp("hostile"), scripts=[], keys=["sk"])
    return TestClient(stand_in.app(), headers={"x-api-key": "sk", "anthropic-version": "2026-10-21"})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(st.sampled_from(FIELDS), json_values, min_size=1, max_size=3))
def test_any_field_with_any_value_is_answered_or_refused(client: TestClient, changes: dict[str, Any]) -> None:
    body = {"model": "claude-opus-5", "max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]} | changes
    reply = client.post("/v1/messages", json=body)
    assert reply.status_code in (200, 400, 404), reply.text
    if reply.status_code != 200:
        assert reply.json()["error"]["message"]


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=json_values, schema=json_values)
def test_any_content_and_any_schema_are_answered_or_refused(client: TestClient, content: Any, schema: Any) -> None:
    body = {
        "model": "claude-opus-5",
        "max_tokens": 100,
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": content}, {"role": "user"}],
        "tools": [{"name": "t", "input_schema": {"type": "object", "properties": {"a": schema}}}],
    }
    body["messages"][2]["content"] = "Go on"  # type: ignore[index]
    assert client.post("/v1/messages", json=body).status_code in (200, 400)


@pytest.mark.parametrize("depth", [50, 400, 900])
def test_deep_nesting_is_answered_or_refused(plain: Any, depth: int) -> None:
    nested: Any = "x"
    for _ in range(depth):
        nested = {"a": nested}
    use = {"type": "tool_use", "id": "t", "name": "run", "input": {"a": nested}}
    result = {"type": "tool_result", "tool_use_id": "t"}
    body = plain.request()
    body["messages"] += [{"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}]
    body["tools"] = [{"name": "run", "input_schema": {"type": "object", "properties": {"a": nested}}}]
    with contextlib.suppress(anthropic.BadRequestError):
        plain.post(body)
    assert "bug" not in plain.server.journal()[-1]


@pytest.mark.parametrize(
    ("reference", "complaint"),
    [
        pytest.param("http://127.0.0.1:9/schema.json", "reference that leads nowhere", id="never fetched"),
        pytest.param("#/$defs/none", "reference that leads nowhere", id="missing"),
        pytest.param("#", "nested too deeply", id="endless"),
    ],
)
def test_a_reference_that_cannot_be_followed_is_refused(start: Any, reference: str, complaint: str) -> None:
    api = start("stages: {turns: [{json: {a: 1}}]}")
    with pytest.raises(anthropic.BadRequestError, match=complaint):
        api.create(output_config={"format": {"type": "json_schema", "schema": {"$ref": reference}}})
