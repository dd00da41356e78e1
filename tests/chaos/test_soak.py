"""The soak: many runs while everything around them is killed, frozen and started again, and GitHub is in a bad mood.

`make chaos SECONDS=… SEED=…` runs it with 50 issues; `make test` runs a minute of it with fewer. At the end every issue has
exactly one merged pull request, or an end that is explained to people.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic, sleep

import pytest
from hack.binaries import ensure
from hack.projects import TOKENS, stress
from hack.servers import ControlPlane
from hack.world import World
from hack.world.nursery import Nursery
from hack.world.server import ServerError
from httpx2 import TransportError
from tests.chaos import money, proof
from tests.chaos.blows import WORLD, schedule
from tests.chaos.storm import Storm
from tests.e2e.desk import BOT, Desk, Run

SECONDS = float(os.environ.get("SECONDS") or 60)
SEED = int(os.environ.get("SEED") or random.randrange(1_000_000))
RUNS = int(os.environ.get("RUNS") or 10)
_REPOSITORIES = 5
_SETTLE = 12
"""Seconds: longer than GitHub may stand still twice in a row and then be late, or what it does at last is done a second time."""
_PATIENCE = 600.0
"""Seconds of good weather after which every run has ended: what was rate limited or lost has had its time."""


@pytest.fixture
def place(nursery: Nursery, tmp_path: Path) -> Iterator[tuple[Storm, Desk, list[Run]]]:
    """A control plane and a world of their own, with issues that are opened and not labelled yet."""
    load = stress(tmp_path / "load", repositories=_REPOSITORIES, issues=-(-RUNS // _REPOSITORIES))
    load.seed["settings"] = {"limits": {"enabled": False}, "checks": {"workers": 2}}
    programs = ensure(lambda _text: None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orch-soak-")))
        plane = stack.enter_context(ControlPlane(folder / "controlplane", programs))
        world = World(
            tmp_path,
            kubeconfig=plane.kubeconfig,
            kubectl=programs["kubectl"],
            seed=load.seed,
            scripts=[load.script],
            namespaces=["team"],
            settings={"ORCH_SETTLE": f"PT{_SETTLE}S"},
            nursery=nursery,
        )
        desk = Desk(stack.enter_context(world))
        _settle_addresses(world)
        # lost calls are charged their reserve: with the default limit a storm would be a question of money
        spec = {**load.spec, "budget": {"perRunUSD": "100"}}
        runs = []
        for number, repository in enumerate(load.repositories):
            world.repository("team", f"r{number}", repository, token=TOKENS[BOT], interval="10s", **spec)
        for issue in load.issues[:RUNS]:
            number = desk.maintainer.open_issue(issue.repository, issue.title, issue.body)
            runs.append(Run(desk, f"r{load.repositories.index(issue.repository)}", issue.repository, number))
        yield Storm(world, plane, print), desk, runs


@pytest.mark.timeout(SECONDS + _PATIENCE + 300)
def test_soak(place: tuple[Storm, Desk, list[Run]]) -> None:
    storm, desk, runs = place
    print(f"\nsoak of {RUNS} runs over {SECONDS:.0f} s, SEED={SEED}")
    for run in runs:
        desk.maintainer.label(run.repository, run.number, "orch")
    storm.rage(schedule(SEED, SECONDS))
    storm.calm()
    _wait_for_all(storm, runs)
    merged = [run for run in runs if not run.status.get("failure")]
    for run in runs:
        if run in merged:
            proof.merged_once(run)
        else:
            proof.ended_explained(run)
    money.is_right(desk, runs)
    print(f"{len(merged)} merged, {len(runs) - len(merged)} explained")
    for name in WORLD:
        assert "Traceback" not in desk.log(name), name


def _settle_addresses(world: World) -> None:
    """From here on each program comes back at the address that it has: free ports were good for the first start only."""
    for name, start in (("github", world.start_github), ("model", world.start_model), ("gateway", world.start_gateway)):
        world.processes[name].stop()
        start()


def _wait_for_all(storm: Storm, runs: list[Run]) -> None:
    deadline = monotonic() + _PATIENCE
    while waiting := [run for run in runs if not _is_over(run, storm)]:
        assert monotonic() < deadline, f"SEED={SEED}: {[(run.name, run.status) for run in waiting]}"
        sleep(1)


def _is_over(run: Run, storm: Storm) -> bool:
    storm.mend()  # before each look: an API server without its store keeps one who asks waiting for a minute
    try:
        return bool(run.status.get("completionTime"))
    except (ServerError, TransportError):  # the API server is on its way back
        return False
