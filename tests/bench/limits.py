"""Many repositories on one token with GitHub's true limits: nothing is refused, idle ones cost nothing, labels are seen in time.

The stand-in enforces the limits in true minutes and hours, and nothing is scaled. What takes long elsewhere (the model, the
checks) is short here, so that runs write as densely as they ever will. The operator is killed and started again on the way,
for what it had counted is gone then.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from signal import SIGKILL
from typing import Any

import httpx2
from hack.projects import Stress, stress
from hack.projects.seed import TOKENS, repo_entry
from hack.projects.stress import make_stress_repo
from hack.world import HOST, World
from tests.bench.figure import Figure
from tests.bench.scene import NAMESPACE, scene, wait_for

BOT = "orch-bot"
GITHUB = {"points_per_minute": 900, "content_per_minute": 80, "content_per_hour": 500}
"""The limits that the stand-in enforces and the operator keeps to. Both have them as their defaults."""
_SEED = 7


@dataclass(frozen=True)
class Scene:
    """How much goes on. `limits`: of the stand-in and of the operator's list of hosts, which have the same names."""

    repositories: int = 200
    active: int = 20
    interval: int = 60
    """Seconds, `spec.interval` of each repository."""
    limits: Mapping[str, int] = field(default_factory=lambda: dict(GITHUB))
    write_interval: float = 1.0
    """Seconds."""
    patience: int = 900
    """Seconds until a step of the scene is given up."""

    @property
    def pace(self) -> dict[str, float]:
        """What the operator's list of hosts says."""
        return {"write_interval": self.write_interval, **self.limits}


def measure() -> Iterator[Figure]:
    """GitHub's limits, 200 repositories, 20 of them with an issue."""
    plan = Scene()
    made: dict[str, Stress] = {}

    def seed(folder: Path) -> dict[str, Any]:
        made["load"] = load(folder, plan)
        return made["load"].seed

    with scene(seed, lambda _: [made["load"].script], pace=plan.pace) as world:
        yield from play(world, NAMESPACE, made["load"], plan)


def load(folder: Path, plan: Scene) -> Stress:
    """The active repositories with an issue each. `play` adds the idle ones, which take the stand-in a while."""
    made = stress(folder / "stress", repositories=plan.active, issues=1, mix=("right",))
    made.seed["settings"] = {"limits": dict(plan.limits), "checks": {"workers": 2}}
    return made


def play(world: World, namespace: str, load: Stress, plan: Scene) -> Iterator[Figure]:
    """Watch all, let them settle, label the active ones' issues, kill the operator on the way, wait for the end."""
    _add_idle(world, plan)
    watch(world, namespace, load, plan)
    wait_for(lambda: _ready(world, namespace) == plan.repositories, seconds=plan.patience, every=1)
    time.sleep(1.2 * plan.interval)
    settled = _last(world)
    labelled = _label(world, load, plan)
    wait_for(lambda: len(_claims(_journal(world), labelled)) == plan.active, seconds=plan.patience, every=1)
    killed = _last(world)
    world.processes["operator"].kill(SIGKILL)
    world.start_operator()
    wait_for(lambda: _merged(world, namespace) == plan.active, seconds=plan.patience, every=1)
    wait_for(lambda: _polled(_journal(world), killed) >= set(_idle(plan)), seconds=plan.patience, every=1)
    yield from figures(_journal(world), (settled, killed), labelled, plan)


def watch(world: World, namespace: str, load: Stress, plan: Scene) -> None:
    """All with one Secret: two objects with one token are one credential to GitHub."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "github", "namespace": namespace}}
    world.server.apply({**secret, "stringData": {"token": TOKENS[BOT]}})
    spec = {**load.spec, "host": HOST, "credentialsRef": {"name": "github"}, "interval": f"{plan.interval}s"}
    world.server.apply(
        *(
            {
                "apiVersion": "orch.dev/v1alpha1",
                "kind": "OrchestratedRepo",
                "metadata": {"name": name.replace("owner/", ""), "namespace": namespace},
                "spec": {**spec, "repository": name},
            }
            for name in (*load.repositories, *_idle(plan))
        )
    )


def figures(
    journal: list[dict[str, Any]], marks: tuple[int, int], labelled: dict[str, datetime], plan: Scene
) -> Iterator[Figure]:
    """From the stand-in's journal of the bot's requests. `marks`: its last number when all had been polled twice, and when the
    operator was killed: a new process has no answers to compare with, and reads everything once."""
    settled, killed = marks
    idle = tuple(f"/repos/{name}" for name in _idle(plan))
    counted = [entry["seq"] for entry in journal if entry["status"] != 304 and entry["path"].startswith(idle)]
    idling = sum(settled < number <= killed for number in counted)
    anew = sum(number > killed for number in counted) / len(idle)
    writes = [entry for entry in journal if _points(entry) > 1]
    per_run = len(writes) / plan.active
    hour = plan.limits["content_per_hour"]
    yield Figure("limits-refused", sum(entry["status"] in (403, 429) for entry in journal), "requests", "<= 0")
    yield Figure("limits-idle-quota", idling, "requests", "<= 0")
    yield Figure("limits-restart-quota-per-repository", round(anew, 1), "requests")
    yield Figure("limits-label-to-claim-p95", _p95(_waits(writes, labelled)), "s", f"<= {plan.interval}")
    yield Figure("limits-points-in-a-minute", _busiest(journal), "points", f"<= {plan.limits['points_per_minute']}")
    yield Figure("limits-writes-per-run", round(per_run, 1), "writes")
    yield Figure("limits-runs-per-hour-and-credential", math.floor(hour / per_run), "runs")


def _idle(plan: Scene) -> list[str]:
    return [f"owner/idle-{number:03}" for number in range(plan.repositories - plan.active)]


def _add_idle(world: World, plan: Scene) -> None:
    source = make_stress_repo(world.folder / "idle", issues=1)
    with httpx2.Client(base_url=world.github_url, timeout=60) as client:
        for name in _idle(plan):
            client.post("/_control/repos", json=repo_entry(name, source, [])).raise_for_status()


def _label(world: World, load: Stress, plan: Scene) -> dict[str, datetime]:
    """People label at any time within an interval. By repository: when."""
    person, dice = world.person(TOKENS["maintainer"]), random.Random(_SEED)
    began, labelled = time.monotonic(), {}
    numbers = {issue.repository: person.open_issue(issue.repository, issue.title, issue.body) for issue in load.issues}
    for repository, due in sorted(
        ((name, dice.uniform(0, plan.interval)) for name in numbers), key=lambda pair: pair[1]
    ):
        time.sleep(max(0.0, began + due - time.monotonic()))
        labelled[repository] = datetime.now().astimezone()
        person.label(repository, numbers[repository], "orch")
    person.close()
    return labelled


def _waits(writes: list[dict[str, Any]], labelled: dict[str, datetime]) -> list[float]:
    """Seconds from each label to the claim, which is the first comment."""
    claims = _claims(writes, labelled)
    return [(claims[repository] - moment) / timedelta(seconds=1) for repository, moment in labelled.items()]


def _claims(journal: list[dict[str, Any]], labelled: Mapping[str, datetime]) -> dict[str, datetime]:
    """When each repository's issue was claimed, so far."""
    paths = {f"/repos/{repository}/issues/1/comments": repository for repository in labelled}
    found: dict[str, datetime] = {}
    for entry in journal:
        if entry["method"] == "POST" and entry["path"] in paths:
            found.setdefault(paths[entry["path"]], datetime.fromisoformat(entry["time"]))
    return found


def _p95(values: list[float]) -> float:
    return round(sorted(values)[math.ceil(0.95 * len(values)) - 1], 1)


def _polled(journal: list[dict[str, Any]], since: int) -> set[str]:
    """The repositories that were asked for their issues after this number."""
    paths = [entry["path"] for entry in journal if entry["seq"] > since and entry["path"].endswith("/issues")]
    return {path.removeprefix("/repos/").removesuffix("/issues") for path in paths}


def _points(entry: dict[str, Any]) -> int:
    """GitHub's: a GraphQL query is a read, whatever its method."""
    return 1 if entry["method"] == "GET" or entry["path"] == "/graphql" else 5


def _busiest(journal: list[dict[str, Any]]) -> int:
    """Points of the busiest sixty seconds, to the second."""
    spent: dict[int, int] = {}
    for entry in journal:
        second = int(datetime.fromisoformat(entry["time"]).timestamp())
        spent[second] = spent.get(second, 0) + _points(entry)
    return max(sum(points for other, points in spent.items() if second <= other < second + 60) for second in spent)


def _journal(world: World) -> list[dict[str, Any]]:
    """The bot's requests to the API; git is not under these limits."""
    return [entry for entry in _pages(world) if ".git/" not in entry["path"]]


def _last(world: World) -> int:
    """The number of the bot's newest request."""
    return max(int(entry["seq"]) for entry in _pages(world))


def _pages(world: World) -> Iterator[dict[str, Any]]:
    since, entries = 0, [{}]
    while entries:
        query = {"account": BOT, "since": since}
        reply = httpx2.get(f"{world.github_url}/_control/journal", params=query, timeout=60).json()
        since, entries = reply["last"], reply["entries"]
        yield from entries


def _ready(world: World, namespace: str) -> int:
    shown = "{range .items[*]}{.status.conditions[?(@.type=='Ready')].status}{'\\n'}{end}"
    return world.kubectl("get", "orepo", "-n", namespace, "-o", f"jsonpath={shown}").split().count("True")


def _merged(world: World, namespace: str) -> int:
    shown = "{range .items[*]}{.status.conditions[?(@.type=='Succeeded')].status}{'\\n'}{end}"
    return world.kubectl("get", "irun", "-n", namespace, "-o", f"jsonpath={shown}").split().count("True")
