"""From a person's yes to the merge: as many pull requests as issues wait at their gate, and one after the other is allowed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import httpx2
import yaml
from hack.projects import Stress, stress
from hack.world import World
from tests.bench.burst import p95
from tests.bench.figure import Figure
from tests.bench.scene import Scripts, Seed, scene, wait_for
from tests.integration.admission.office import ALICE
from tests.integration.admission.people import Person

_PATIENCE = 900


def measure(
    repositories: int = 5,
    issues: int = 10,
    *,
    scenes: Callable[[Seed, Scripts], AbstractContextManager[World]] = scene,
) -> Iterator[Figure]:
    """Bring all of them to the gate Merge, then say yes to each and wait for its merge. `scenes`: where the world is had from."""
    made: list[Stress] = []

    def seed(folder: Path) -> dict[str, Any]:
        load = stress(folder / "stress", repositories=repositories, issues=issues, mix=("right",))
        made.append(load)
        return {**load.seed, "settings": {"limits": {"enabled": False}, "checks": {"workers": 2}}}

    with scenes(seed, lambda _: [made[0].script]) as world:
        asked = _ask(world, made[0])
        alice = _alice(world)
        try:
            waits = [_seconds(world, alice, approval) for approval in asked]
        finally:
            alice.close()
    yield Figure("approve-merge-merged", len(waits), "merges", f"== {repositories * issues}")
    yield Figure("approve-merge-median", round(median(waits), 2), "s")
    yield Figure("approve-merge-p95", round(p95(waits), 2), "s", "<= 2")


def _ask(world: World, load: Stress) -> list[dict[str, Any]]:
    """Label every issue; the questions, once each run has asked its own."""
    spec = {**load.spec, "mode": "Supervised"}
    for number, repository in enumerate(load.repositories):
        world.repository(world.namespaces[0], f"r{number}", repository, token="ghp_orch", interval="10s", **spec)
    person = world.person("ghp_maintainer")
    for issue in load.issues:
        person.label(issue.repository, person.open_issue(issue.repository, issue.title, issue.body), "orch")
    return wait_for(lambda: _questions(world, len(load.issues)), seconds=_PATIENCE, every=2)


def _questions(world: World, count: int) -> list[dict[str, Any]] | None:
    found = json.loads(
        world.kubectl("get", "appr", "-n", world.namespaces[0], "-o", "json", "-l", "orch.dev/gate=Merge")
    )
    open_ones = [it for it in found["items"] if it.get("status", {}).get("outcome") == "Pending"]
    return open_ones if len(open_ones) == count else None


def _alice(world: World) -> Person:
    """Somebody who may approve; her connection is open before anything is measured."""
    world.bind(ALICE, "orch-approver")
    token = yaml.safe_load(world.kubeconfig.read_text())["users"][0]["user"]["token"]
    headers = [("Authorization", f"Bearer {token}"), ("Impersonate-User", ALICE)]
    person = Person(world.kubeconfig, world.namespaces[0], headers=headers)
    wait_for(lambda: person.ask("GET", person.path("approvals")).accepted, seconds=60)
    return person


def _seconds(world: World, person: Person, approval: dict[str, Any]) -> float:
    """From the moment in which she sends her answer to the end of GitHub's answer to the merge."""
    subject = approval["spec"]["subject"]
    path = f"/repos/{subject['repository']}/pulls/{subject['pullRequestNumber']}/merge"
    began = datetime.now(UTC)
    answer = person.decide(approval["metadata"]["name"], key=ALICE)
    if not answer.accepted:
        raise RuntimeError(f"what was measured was refused: {answer.message}")
    merge = wait_for(lambda: _merge(world, path), seconds=240, every=0.2)
    ended = datetime.fromisoformat(merge["time"]) + timedelta(milliseconds=merge["duration_ms"])
    return (ended - began).total_seconds()


def _merge(world: World, path: str) -> dict[str, Any] | None:
    query = {"method": "PUT", "path": f"^{path}$"}
    entries = httpx2.get(f"{world.github_url}/_control/journal", params=query).json()["entries"]
    return next((entry for entry in entries if entry["acted_status"] == 200), None)
