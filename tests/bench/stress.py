"""The ancestor's own stress test: 50 labelled issues at once in 5 repositories; every one ends merged or explained."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hack.projects import stress
from hack.world import World
from tests.bench.figure import Figure
from tests.bench.scene import NAMESPACE, kubernetes_writes, quota_requests, scene, wait_for

_PATIENCE = 900


def measure() -> Iterator[Figure]:
    """Open and label all, then wait for all."""
    made: dict[str, Any] = {}

    def seed(folder: Path) -> dict[str, Any]:
        made["load"] = stress(folder / "stress")
        seeded: dict[str, Any] = made["load"].seed
        seeded["settings"] = {"limits": {"enabled": False}, "checks": {"workers": 2}}
        return seeded

    with scene(seed, lambda _: [made["load"].script]) as world:
        yield from _play(world, made["load"])


def _play(world: World, load: Any) -> Iterator[Figure]:
    for number, repository in enumerate(load.repositories):
        world.repository(NAMESPACE, f"r{number}", repository, token="ghp_orch", interval="10s", **load.spec)
    person, began = world.person("ghp_maintainer"), time.monotonic()
    for issue in load.issues:
        person.label(issue.repository, person.open_issue(issue.repository, issue.title, issue.body), "orch")
    runs = wait_for(lambda: _all_ended(world, len(load.issues)), seconds=_PATIENCE, every=2)
    seconds = time.monotonic() - began
    merged = [run for run in runs if run["status"].get("pullRequest", {}).get("state") == "Merged"]
    explained = [run for run in runs if run["status"].get("failure", {}).get("message")]
    cost = sum(float(run["status"]["usage"]["costUSD"]) for run in runs)
    yield Figure("stress-50-merged-or-explained", len(merged) + len(explained), "issues", ">= 50")
    yield Figure(
        "stress-50-merged", len(merged), "issues", f">= {sum(i.outcome != 'never-right' for i in load.issues)}"
    )
    yield Figure("stress-50-seconds", round(seconds), "s")
    yield Figure("stress-50-cost", round(cost, 2), "USD")
    yield Figure("stress-50-github-requests", quota_requests(world, "orch-bot")[0], "requests")
    yield Figure("stress-50-kubernetes-writes", kubernetes_writes(world), "writes", "<= 2000")


def _all_ended(world: World, count: int) -> list[dict[str, Any]] | None:
    runs = json.loads(world.kubectl("get", "irun", "-n", NAMESPACE, "-o", "json"))["items"]
    ended = [run for run in runs if "completionTime" in run.get("status", {})]
    return ended if len(ended) >= count else None
