"""Completion of what the cluster knows, on a real API server."""

from __future__ import annotations

import pytest
from tests.integration.cli.conftest import Terminal, issue_run, repo
from tests.integration.cli.test_decide import Court, court

from orch.cli.completion import complete

__all__ = ["court"]


@pytest.fixture
def where(terminal: Terminal) -> list[str]:
    """The options that lead to the test's namespace."""
    return ["--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace]


def test_names_are_completed_by_the_cluster(terminal: Terminal, where: list[str]) -> None:
    terminal.apply(repo(), issue_run(), repo("api", "acme/api"))
    assert complete(["pause", *where, "we"]) == ["web", "web-7-1"]
    assert complete(["cancel", *where, ""]) == ["web-7-1"]
    assert complete(["status", "--kubeconfig", "/nowhere", ""]) == []


def test_open_questions_are_offered_once(terminal: Terminal, court: Court, where: list[str]) -> None:
    first, second, settled = court.ask(), court.ask(), court.ask()
    court.settle(settled, "Approved")
    assert complete(["approve", *where, ""]) == [first, second]
    assert complete(["deny", *where, first, ""]) == [second]
    assert complete(["approvals", "view", *where, ""]) == [first, second, settled]


def test_steps_are_those_of_the_run(terminal: Terminal, where: list[str]) -> None:
    steps = [
        {"name": f"web-7-1-{stage}-1", "state": "Succeeded", "stage": stage.capitalize(), "attempt": 1}
        for stage in ("plan", "implement")
    ]
    terminal.apply(repo(), issue_run(steps=steps))
    assert complete(["logs", *where, "web-7-1", ""]) == ["implement-1", "plan-1"]
    assert complete(["transcript", *where, "web-7-1", "pl"]) == ["plan-1"]
    assert complete(["logs", *where, "web-9-1", ""]) == []


def test_namespaces_are_those_of_the_cluster(terminal: Terminal, where: list[str]) -> None:
    assert complete(["status", *where[:2], "-n", terminal.namespace[:-1]]) == [terminal.namespace]


def test_the_cluster_is_asked_as_whom_the_line_names(terminal: Terminal, where: list[str]) -> None:
    terminal.apply(repo())
    assert complete(["status", *where, "--as", "zoe", ""]) == []
    terminal.grant("zoe", "list:orchestratedrepos")
    assert complete(["status", *where, "--as", "zoe", ""]) == ["web"]
