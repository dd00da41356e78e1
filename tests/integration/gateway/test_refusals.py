"""Who gets in, what may be sent, and that the model key never comes out."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.gateway.harness import KEY, MODEL_KEY, a_request, a_ticket

from orch.adapters.meter import GatewayMeter
from orch.api.ticket import Role
from orch.errors import CredentialsRefused, Transient
from orch.ports import Usage


def _altered() -> str:
    claims, mac = a_ticket().split(".")
    return f"{claims[:-8]}AAAAAAA={mac}"


@pytest.mark.parametrize(
    ("make", "status"),
    [
        pytest.param(lambda: a_ticket(key=b"another key of thirty-two bytes!!"), 401, id="signed by somebody else"),
        pytest.param(lambda: a_ticket(expires=datetime.now(UTC) - timedelta(seconds=1)), 401, id="expired"),
        pytest.param(_altered, 401, id="altered"),
        pytest.param(lambda: a_ticket() + "A", 401, id="longer"),
        pytest.param(lambda: ".", 401, id="empty"),
        pytest.param(lambda: "ü.ü", 401, id="no ASCII"),
        pytest.param(lambda: MODEL_KEY, 401, id="the model key itself"),
        pytest.param(lambda: a_ticket(role=Role.OPERATOR), 403, id="the operator calls no models"),
    ],
)
async def test_tickets_that_call_no_model(model: Any, start: Any, make: Callable[[], str], status: int) -> None:
    server = model()
    gateway = await start(server.url)
    headers = {b"authorization": b"Bearer " + make().encode()}
    answer = await gateway.http.post("/v1/messages", json=a_request(), headers=headers)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == {401: "authentication_error", 403: "permission_error"}[status]
    assert server.journal() == []


async def test_a_request_without_a_ticket(model: Any, start: Any) -> None:
    gateway = await start(model().url)
    assert (
        await gateway.http.post("/v1/messages", json=a_request(), headers={"x-api-key": a_ticket()})
    ).status_code == 401


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"model": "claude-opus-5"}, id="another model"),
        pytest.param({"max_output_tokens": 999}, id="a longer answer"),
        pytest.param({"identity": "f" * 16}, id="another run in user_id"),
        pytest.param({"identity": ""}, id="no run"),
    ],
)
async def test_a_ticket_allows_what_it_says(model: Any, start: Any, claims: dict[str, Any]) -> None:
    server = model()
    gateway = await start(server.url)
    answer = await gateway.post(ticket=a_ticket(**claims))
    assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
    assert server.journal() == []


@pytest.mark.parametrize(
    "name", ["claude-sonnet-6", "claude-sonnet-5-1", "claude-sonnet", "gpt-6", "claude-sonnet-5-latest"]
)
async def test_a_model_without_a_price_is_not_called(model: Any, start: Any, name: str) -> None:
    server = model()
    gateway = await start(server.url)
    answer = await gateway.post(a_request(model=name), ticket=a_ticket(model=name))
    assert answer.status_code == 403
    assert "no price" in answer.json()["error"]["message"]
    assert server.journal() == []


@pytest.mark.parametrize("model_id", ["claude-haiku-4-5-20251001", "claude-haiku-4-5"])
async def test_a_dated_model_has_the_price_of_its_alias(model: Any, start: Any, model_id: str) -> None:
    gateway = await start(model("stages: [{turns: [{text: hi, usage: {input_tokens: 1000, output_tokens: 0}}]}]").url)
    assert (await gateway.post(a_request(model=model_id), ticket=a_ticket(model=model_id))).status_code == 200
    assert (await gateway.usage()).cost_usd == Decimal("0.001")


@pytest.mark.parametrize("size", [7_999_000, 8_000_001, 20_000_000])
async def test_the_size_of_a_request_is_limited(model: Any, start: Any, size: int) -> None:
    gateway = await start(model("stages: [{turns: [{text: hi}]}]").url)
    body = json.dumps(a_request("")).encode()
    body = body.replace(b'"content": ""', b'"content": "' + b"x" * (size - len(body)) + b'"')
    answer = await gateway.post(body, ticket=a_ticket(limit_usd=Decimal(100)))
    assert len(body) == size
    if size > 8_000_000:
        assert (answer.status_code, answer.json()["error"]["type"]) == (413, "request_too_large")
    else:
        assert answer.json()["error"]["message"].startswith("prompt is too long")  # the service read it


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/messages", 405),
        ("POST", "/v1/messages/count_tokens", 404),
        ("GET", "/v1/models", 404),
        ("GET", "/", 404),
    ],
)
async def test_what_is_not_served(model: Any, start: Any, method: str, path: str, status: int) -> None:
    gateway = await start(model().url)
    answer = await gateway.http.request(method, path, headers=gateway.as_step())
    assert answer.status_code == status
    assert answer.json()["type"] == "error"


async def test_usage_is_for_the_operator(model: Any, start: Any) -> None:
    gateway = await start(model().url)
    assert (await gateway.http.get("/usage/abc", headers=gateway.as_step())).status_code == 403
    assert (await gateway.http.get("/usage/abc")).status_code == 401
    assert await gateway.usage("never seen") == Usage()
    assert await gateway.usage("") == Usage()
    other = GatewayMeter(gateway.url, b"another key of thirty-two bytes!!")
    with pytest.raises(CredentialsRefused, match="one key file"):
        await other.usage("abc")
    await other.close()


async def test_a_meter_without_a_gateway_says_so() -> None:
    meter = GatewayMeter("http://127.0.0.1:1", KEY)
    with pytest.raises(Transient, match="did not answer"):
        await meter.usage("abc")
    await meter.close()


async def test_probes_and_metrics_need_no_ticket_and_hold_no_run(model: Any, start: Any, tmp_path: Any) -> None:
    gateway = await start(model("stages: [{turns: [{text: hi}]}]").url)
    assert (await gateway.post()).status_code == 200
    assert (
        await gateway.post(a_request(tools=[{"type": "web_search_20250305", "name": "web_search"}]))
    ).status_code == 403
    assert (await gateway.http.get("/healthz")).text == "ok\n"
    assert (await gateway.http.get("/readyz")).text == "ok\n"
    metrics = (await gateway.http.get("/metrics")).text
    assert 'orch_model_calls_total{model="claude-sonnet-5",outcome="settled",stage="Implement"} 1.0' in metrics
    assert 'orch_gateway_refusals_total{reason="field"} 1.0' in metrics
    assert 'orch_model_cost_usd_total{model="claude-sonnet-5",stage="Implement"}' in metrics
    assert "0123456789abcdef" not in metrics
    assert "web-7-1" not in metrics


async def test_without_a_model_key_it_is_not_ready_and_with_one_it_is(model: Any, start: Any, settings: Any) -> None:
    settings.upstream_key_file.unlink()
    gateway = await start(model("stages: [{turns: [{text: hi}]}]").url)
    assert (await gateway.http.get("/readyz")).status_code == 503
    assert (await gateway.post()).status_code == 503
    settings.upstream_key_file.write_text(MODEL_KEY)
    assert (await gateway.http.get("/readyz")).status_code == 200
    assert (await gateway.post()).status_code == 200
