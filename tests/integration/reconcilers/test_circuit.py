"""Runs that fail one after the other stop their repository, on a real API server, until a person says so."""

from __future__ import annotations

import asyncio
from pathlib import Path

from orch.cli.app import run

from .conftest import Desk


def ended(desk: Desk, namespace: str, *hows: str) -> None:
    """Finished runs of `demo`, as the end of a run labels them."""
    desk.api.apply(
        *({
            "apiVersion": "orch.dev/v1alpha1",
            "kind": "IssueRun",
            "metadata": {
                "namespace": namespace,
                "name": f"demo-{number}-1",
                "labels": {"orch.dev/repo": "demo", "orch.dev/issue": str(number), "orch.dev/terminal": how},
            },
            "spec": {
                "repositoryRef": {"name": "demo"},
                "issueNumber": number,
                "trigger": {"type": "Label", "githubLogin": "octo", "time": "2026-03-01T00:00:00Z", "eventID": f"x-{number}"},
            },
        }
        for number, how in enumerate(hows, start=100))
    )  # fmt: skip


async def test_failures_in_a_row_stop_the_repository_until_a_person_resumes_it(
    desk: Desk, kubeconfig: Path, namespace: str
) -> None:
    desk.apply(namespace, "demo", circuitBreaker={"consecutiveFailures": 2})
    ended(desk, namespace, "Failed", "Cancelled", "Failed")
    before = desk.runs(namespace)
    await desk.look(namespace, "demo")
    assert desk.runs(namespace) == before, "the labelled issue is not taken"
    status, reason, message = await desk.condition(namespace, "demo")
    assert (status, reason) == ("False", "CircuitOpen")
    assert "2 runs in a row have failed" in message
    assert (await desk.condition(namespace, "demo", "Stalled"))[:2] == ("True", "CircuitOpen")

    desk.start()
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[1] == "CircuitOpen", "a new process knows it too"

    assert message.endswith("kubectl orch resume demo")
    assert await asyncio.to_thread(run, ["resume", "demo", "-n", namespace, "--kubeconfig", str(kubeconfig)]) == 0
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[0] == "True"
    assert await desk.condition(namespace, "demo", "Stalled") == ("", "", "")
    assert set(desk.runs(namespace)) == {*before, "demo-1-1"}, "the issue that waited is taken"


async def test_what_people_or_policy_ended_does_not_count(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo", circuitBreaker={"consecutiveFailures": 2})
    ended(desk, namespace, "Rejected", "Cancelled", "Failed", "Rejected")
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[0] == "True"
    repo = await desk.repos.get(namespace, "demo")
    assert repo.status.circuit is not None
    assert repo.status.circuit.consecutive_failures == 1
