"""Our reader of streams against the SDK's own: the same stand-in, the same message."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anthropic
import pytest
from tests.integration.agent.world import TICKET, Gateway, gateway

from orch.agent.connection import Client
from orch.agent.model import Model
from orch.agent.patience import Patience
from orch.agent.sse import Answer
from orch.api.work import ModelChoice

TOOLS: list[Any] = [{"name": "view", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}]
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}], "tools": TOOLS}

TURNS = {
    "text": "text: Hello.",
    "unicode": 'text: "line\u2028separator and \U0001f40d and \\x85 and \\r\\n"',
    "calls": "{text: I look., tools: [{name: view, input: {path: a, n: [1, {b: null}]}}, {name: view, input: {}}]}",
    "long": "generate: {text_bytes: 200000}",
    "stop reason": "{text: No., stop_reason: refusal}",
    "empty": "{}",
}


@pytest.mark.parametrize("turn", [pytest.param(turn, id=name) for name, turn in TURNS.items()])
def test_our_reader_and_the_sdks_agree(tmp_path: Path, turn: str) -> None:
    scripts = f"name: s\nstages:\n  - turns:\n      - {turn}\n"
    with gateway(tmp_path, scripts) as world:
        ours, server = ask(world), world.upstream
        sdk = anthropic.Anthropic(base_url=server.url, api_key=server.api_key, max_retries=0)
        with sdk.messages.stream(model="claude-sonnet-5", max_tokens=1_000, **ASK) as stream:
            theirs = stream.get_final_message()
    assert [without_id(block) for block in ours.content] == [
        without_id(block.model_dump(exclude_none=True)) for block in theirs.content
    ]
    assert ours.stop_reason == theirs.stop_reason
    assert ours.usage["output_tokens"] == theirs.usage.output_tokens
    assert ours.usage["input_tokens"] == theirs.usage.input_tokens


def ask(world: Gateway) -> Answer:
    client = Client(Path(os.path.relpath(world.socket)), TICKET)
    choice = ModelChoice(name="claude-sonnet-5", max_output_tokens=1_000)
    model = Model(client, choice, user_id="orch/0/Plan/1", output_bytes=10**7, patience=Patience(float("inf")))
    return model.ask(ASK)


def without_id(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name in ("type", "text", "name", "input")}
