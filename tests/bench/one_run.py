"""One issue from label to merge: orch's own time, its writes to Kubernetes, its requests to GitHub; and what idling costs."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from datetime import datetime
from statistics import fmean
from typing import Any

from hack.projects import DEMO, prepare, seed_for
from hack.world import World
from tests.bench.figure import Figure
from tests.bench.scene import NAMESPACE, kubernetes_writes, logged, model_seconds, quota_requests, scene, wait_for

from orch.gateway.artifacts import ArtifactStore

_BOT = "orch-bot"
_TIMES = 3
"""How often it is played. GitHub tells whole seconds of a check, which only a mean makes up for."""
_FOLLOWED = "implement-1"


@dataclass(frozen=True)
class Spent:
    """Seconds from the claim to the merge: in all, waiting for the model, and running the project's own lint and tests, in the
    sandbox and on GitHub."""

    total: float
    model: float
    checks: float


def measure() -> Iterator[Figure]:
    """Play it; the counts are those of the last time."""
    plays = []
    for number in range(_TIMES):
        with scene(
            lambda folder: seed_for(DEMO, prepare(DEMO.name, folder / "project")), lambda _: [DEMO.script]
        ) as world:
            writes, since = _begin(world)
            plays.append(_play(world))
            if number < _TIMES - 1:
                continue
            yield from _times(plays)
            used, since = quota_requests(world, _BOT, since)
            yield Figure("kubernetes-writes-per-run", kubernetes_writes(world) - writes, "writes", "<= 40")
            yield Figure("github-requests-per-run", used, "requests", "<= 25")
            wait_for(lambda: _settled(world), seconds=60)
            _, since = quota_requests(world, _BOT, since)
            time.sleep(25)
            yield Figure("github-requests-idle", quota_requests(world, _BOT, since)[0], "requests", "<= 0")


def _times(plays: list[Spent]) -> Iterator[Figure]:
    total, model, checks = (fmean(column) for column in zip(*map(astuple, plays), strict=True))
    yield Figure("claim-to-merge-own-seconds", round(total - model - checks, 1), "s", "<= 5")
    yield Figure("claim-to-merge-model-seconds", round(model, 1), "s")
    yield Figure("claim-to-merge-check-seconds", round(checks, 1), "s")


def _begin(world: World) -> tuple[int, int]:
    """The repository is there; writes to Kubernetes so far, and the last request to GitHub."""
    world.repository(
        NAMESPACE, "demo", DEMO.repository, token="ghp_orch", interval="10s", mode="Autonomous", **DEMO.spec
    )
    wait_for(lambda: _is_ready(world), seconds=60)
    return kubernetes_writes(world), quota_requests(world, _BOT)[1]


def _play(world: World) -> Spent:
    person = world.person("ghp_maintainer")
    number = person.open_issue(DEMO.repository, DEMO.issue_title, DEMO.issue_body)
    person.label(DEMO.repository, number, "orch")
    run = wait_for(lambda: _ended(world, f"demo-{number}-1"), seconds=180)
    events = {entry["event"]: entry for entry in logged(world, "operator")}
    total = _time(events["merged"]["timestamp"]) - _time(events["run_started"]["timestamp"])
    checks = _sandbox_seconds(world, run) + _check_seconds(person, run["status"]["pullRequest"]["headSHA"])
    return Spent(total.total_seconds(), model_seconds(world), checks)


def _is_ready(world: World) -> bool:
    conditions = world.server.get("orchestratedrepos", "demo", NAMESPACE).get("status", {}).get("conditions", [])
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)


def _ended(world: World, name: str) -> dict[str, Any] | None:
    run = world.server.get("issueruns", name, NAMESPACE)
    return run if "completionTime" in run.get("status", {}) else None


def _settled(world: World) -> bool:
    """Two looks of the intake after the run, so that what it changed has been read once."""
    before = quota_requests(world, _BOT)
    time.sleep(12)
    return quota_requests(world, _BOT) == before or quota_requests(world, _BOT)[0] == before[0]


def _check_seconds(person: Any, head: str) -> float:
    """From the first check's start on GitHub to the last one's end."""
    checks = person.ask("GET", f"/repos/{DEMO.repository}/commits/{head}/check-runs")["check_runs"]
    first = min(_time(check["started_at"]) for check in checks)
    return (max(_time(check["completed_at"]) for check in checks) - first).total_seconds()


def _sandbox_seconds(world: World, run: dict[str, Any]) -> float:
    """The same commands in the sandbox, before the change, after it and for the model, by the step's own record."""
    step = next(step for step in run["status"]["steps"] if step["name"].endswith(_FOLLOWED))
    store = ArtifactStore(world.folder / "gateway" / "artifacts", limit=0)
    report = json.loads(_read(store, step["outputDigest"]))
    entries = map(json.loads, _read(store, report["transcript"]).splitlines())
    return sum(float(entry["took"]) for entry in entries if entry["kind"] == "check" or entry.get("name") == "run")


def _read(store: ArtifactStore, digest: str) -> str:
    path = store.find(digest)
    if path is None:
        raise FileNotFoundError(f"the gateway holds no {digest}")
    return path.read_text()


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
