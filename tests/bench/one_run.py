"""One issue from label to merge: orch's own time, its writes to Kubernetes, its requests to GitHub; and what idling costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from hack.projects import DEMO, prepare, seed_for
from hack.world import World
from tests.bench.figure import Figure
from tests.bench.scene import NAMESPACE, kubernetes_writes, model_seconds, quota_requests, scene, wait_for

_BOT = "orch-bot"


def measure() -> Iterator[Figure]:
    """Play it once."""
    with scene(lambda folder: seed_for(DEMO, prepare(DEMO.name, folder / "project")), lambda _: [DEMO.script]) as world:
        world.repository(
            NAMESPACE, "demo", DEMO.repository, token="ghp_orch", interval="10s", mode="Autonomous", **DEMO.spec
        )
        wait_for(lambda: _is_ready(world), seconds=60)
        person = world.person("ghp_maintainer")
        number = person.open_issue(DEMO.repository, DEMO.issue_title, DEMO.issue_body)
        writes, (_, since) = kubernetes_writes(world), quota_requests(world, _BOT)
        person.label(DEMO.repository, number, "orch")
        run = wait_for(lambda: _ended(world, f"demo-{number}-1"), seconds=180)
        used, since = quota_requests(world, _BOT, since)
        yield Figure("claim-to-merge-own-seconds", _own_seconds(world, run, person), "s", "<= 5")
        yield Figure("kubernetes-writes-per-run", kubernetes_writes(world) - writes, "writes", "<= 40")
        yield Figure("github-requests-per-run", used, "requests", "<= 25")
        wait_for(lambda: _settled(world), seconds=60)
        _, since = quota_requests(world, _BOT, since)
        time.sleep(25)
        yield Figure("github-requests-idle", quota_requests(world, _BOT, since)[0], "requests", "<= 0")


def _is_ready(world: World) -> bool:
    conditions = world.get("orepo", "demo", NAMESPACE).get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _ended(world: World, name: str) -> dict[str, Any] | None:
    run = world.get("irun", name, NAMESPACE)
    return run if "completionTime" in run.get("status", {}) else None


def _settled(world: World) -> bool:
    """Two looks of the intake after the run, so that what it changed has been read once."""
    before = quota_requests(world, _BOT)
    time.sleep(12)
    return quota_requests(world, _BOT) == before or quota_requests(world, _BOT)[0] == before[0]


def _own_seconds(world: World, run: dict[str, Any], person: Any) -> float:
    """From the claim to the end, less what the model and the checks took."""
    status = run["status"]
    total = (_time(status["completionTime"]) - _time(status["startTime"])).total_seconds()
    head = status["pullRequest"]["headSHA"]
    checks = person.ask("GET", f"/repos/{DEMO.repository}/commits/{head}/check-runs")["check_runs"]
    spans = [(_time(check["started_at"]), _time(check["completed_at"])) for check in checks]
    checking = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()
    return round(total - checking - model_seconds(world), 1)


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
