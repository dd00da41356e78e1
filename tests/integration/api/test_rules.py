"""Each rule of the schemas on the real API server: what it lets pass, what it refuses, and what the person reads."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.aio.client import ApiClient
from tests.integration.api.documents import changed, sample
from tests.integration.api.rules import MOVES, RULES, Case, Move
from tests.integration.api.server import Server

from orch.api.crd import published_schema
from orch.api.v1alpha1 import KINDS
from orch.api.v1alpha1.markers import RULES as RULES_KEY
from orch.api.validate import Problem, validate


@pytest.mark.parametrize("case", RULES, ids=str)
async def test_a_rule(case: Case, api: ApiClient) -> None:
    server = Server(api, "default")  # nothing is stored
    fine, wrong = changed(sample(case.sample), case.fine), changed(sample(case.sample), case.wrong)

    assert await server.refusal(fine) is None
    refused = await server.refusal(wrong)

    assert refused is not None
    assert refused.says(case.path, case.message)
    assert case.message in refused.message
    assert validate(fine) == []
    assert Problem(case.path, case.message) in validate(wrong)


@pytest.mark.parametrize("move", MOVES, ids=str)
async def test_a_rule_about_changes(move: Move, api: ApiClient, namespace: str) -> None:
    server = Server(api, namespace)
    document = changed(sample(move.sample), move.start)
    await server.create(document)

    refused = await server.change(document, changed({}, move.wrong))

    assert refused is not None
    assert refused.says(move.path, move.message)
    assert await server.change(document, changed({}, move.fine)) is None


def test_every_rule_is_in_a_table() -> None:
    tried = {(case.sample, case.path.replace("[0]", "[]"), case.message) for case in [*RULES, *MOVES]}
    samples = {
        "OrchestratedRepo": "minimal",
        "IssueRun": "issuerun",
        "Approval": "approval",
        "RollbackPoint": "rollbackpoint",
    }
    there = {(samples[kind.KIND], *rule) for kind in KINDS for rule in _rules(published_schema(kind), "")}
    assert there == tried


def _rules(node: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    yield from ((path, entry["message"]) for entry in node.get(RULES_KEY, []))
    for name, child in node.get("properties", {}).items():
        yield from _rules(child, f"{path}.{name}".removeprefix("."))
    for key, mark in (("items", "[]"), ("additionalProperties", ".*")):
        if key in node:
            yield from _rules(node[key], path + mark)
