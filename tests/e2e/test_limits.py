"""The bench `limits` in small: tight limits that the stand-in enforces, several repositories on one token, a killed operator."""

from __future__ import annotations

import secrets
from pathlib import Path

from hack.world import World
from hack.world.nursery import Nursery
from tests.bench.limits import Scene, load, play
from tests.cluster import Cluster

SMALL = Scene(
    repositories=6,
    active=2,
    interval=10,
    limits={"points_per_minute": 240, "content_per_minute": 30, "content_per_hour": 60},
    write_interval=0.2,
    patience=120,
)
"""Four times tighter than GitHub, for a few repositories: six polls a minute of six repositories are 72 points."""


def test_nothing_is_refused_and_idle_repositories_cost_nothing(
    control_plane: Cluster, nursery: Nursery, tmp_path: Path
) -> None:
    mark = secrets.token_hex(4)
    namespace, system = f"team-{mark}", f"orch-{mark}"
    stress = load(tmp_path, SMALL)
    world = World(
        tmp_path / "world",
        kubeconfig=control_plane.kubeconfig,
        kubectl=control_plane.programs["kubectl"],
        seed=stress.seed,
        scripts=[stress.script],
        namespaces=[namespace],
        system=system,
        pace=SMALL.pace,
        nursery=nursery,
    )
    with world:
        found = {figure.id: figure.value for figure in play(world, namespace, stress, SMALL)}
    assert found["limits-refused"] == 0
    assert found["limits-idle-quota"] == 0
    assert found["limits-restart-quota-per-repository"] > 0, (
        "a new process reads everything once: what is counted is seen"
    )
    assert found["limits-points-in-a-minute"] <= SMALL.limits["points_per_minute"]
    assert 0 < found["limits-writes-per-run"] < 20
