"""End-to-end tests: a whole orch, its stand-ins and a real API server, a world for each module."""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hack.world import World
from hack.world.nursery import Nursery
from tests.cluster import Cluster, control_plane
from tests.e2e.desk import Desk

__all__ = ["control_plane", "open_desk"]


@pytest.fixture(scope="module")
def open_desk(
    control_plane: Cluster, nursery: Nursery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Desk]]:
    """`open_desk(seed, scripts)`: a world that runs until the module is over, in namespaces of its own.

    Afterwards no log of it may hold a traceback: that would be an error that nobody thought of."""
    with ExitStack() as worlds:
        desks: list[Desk] = []

        def open_it(seed: Mapping[str, Any], scripts: Sequence[Path], **settings: str) -> Desk:
            mark = secrets.token_hex(4)
            desk = Desk(
                World(
                    tmp_path_factory.mktemp("world"),
                    kubeconfig=control_plane.kubeconfig,
                    kubectl=control_plane.programs["kubectl"],
                    seed=seed,
                    scripts=scripts,
                    namespaces=[f"team-{mark}"],
                    system=f"orch-{mark}",
                    settings=settings,
                    nursery=nursery,
                )
            )
            worlds.callback(desk.close)
            worlds.enter_context(desk.world)
            desks.append(desk)
            return desk

        yield open_it
        for desk in desks:
            for name in ("operator", "gateway"):
                unexpected = [line for line in desk.log(name).splitlines() if "Traceback" in line]
                assert unexpected == [], name
