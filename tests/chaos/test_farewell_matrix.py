"""The crash matrix of a repository that comes and goes: the operator dies at each act that only its birth or its end needs.

Beside `test_crash_matrix`, whose runs live in a repository that stays.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hack.projects import TOKENS
from kubernetes import config
from kubernetes.client import CoordinationV1Api
from tests.chaos.hunt import hunt, start
from tests.e2e.desk import BOT, Desk, Run
from tests.e2e.lots import Lot, make

from orch.failpoints import points

ACTS = ("patch orchestratedrepos.orch.dev", "delete issueruns.orch.dev", "delete leases.coordination.k8s.io")
"""A finalizer that is put on and taken off, the runs of a repository that is deleted, its claim."""
_NAME = "brief"


class Visits:
    """A repository that is applied with one labelled issue, and deleted as soon as its run is at work."""

    def __init__(self, desk: Desk, lot: Lot) -> None:
        self.desk, self.lot = desk, lot
        self.runs: list[Run] = []

    def go_on(self) -> None:
        """The next thing that people do, if it is time for it."""
        found = self.desk.get("orchestratedrepos", _NAME)
        if not found:
            self._come()
        elif "deletionTimestamp" not in found["metadata"] and self.runs[-1].status.get("steps"):
            self.desk.delete("orchestratedrepos", _NAME)

    def leave(self) -> None:
        """Until nothing of it is there any more."""
        self.desk.until(lambda: self.runs[-1].status.get("steps") or self._is_leaving(), what=self._found)
        if not self._is_leaving():
            self.desk.delete("orchestratedrepos", _NAME)
        self.desk.until(lambda: not self._found(), what=self._found)

    def _come(self) -> None:
        if self.runs:  # it was asked for a repository that is gone
            self.desk.maintainer.unlabel(self.runs[-1].repository, self.runs[-1].number, "orch")
        repository = self.lot.load.repositories[0]
        self.runs.append(self.lot.take())
        self.desk.world.repository(
            self.desk.namespace, _NAME, repository, token=TOKENS[BOT], interval="10s", **self.lot.load.spec
        )

    def _found(self) -> dict[str, Any]:
        return self.desk.get("orchestratedrepos", _NAME)

    def _is_leaving(self) -> bool:
        return "deletionTimestamp" in (self._found() or {"metadata": {"deletionTimestamp": ""}})["metadata"]


@pytest.mark.timeout(900)
def test_the_operator_dies_as_a_repository_comes_and_goes(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=20)
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    visits = Visits(desk, Lot(desk, load, {load.repositories[0]: _NAME}))
    places = [place for place in points() if place.partition("@")[0] in ACTS]

    died = hunt(desk, "operator", places, feed=visits.go_on, meanwhile=visits.go_on)
    assert sorted(died) == sorted(places)
    start(desk, "operator")
    visits.leave()
    assert desk.list("issueruns") == []
    assert _claims(desk) == []
    assert any(run.comments() for run in visits.runs), "some had come as far as to be claimed"
    for run in visits.runs:
        assert len(run.comments()) <= 1, run.comments()
        assert all("deleted" in comment for comment in run.comments()), run.comments()
        assert run.pulls() == []
    assert not [name for name in desk.refs(load.repositories[0]) if name.startswith("orch/")]


def _claims(desk: Desk) -> list[str]:
    """The Leases in the operator's namespace by which it claims repositories."""
    with config.new_client_from_config(config_file=str(desk.world.kubeconfig)) as client:
        found = CoordinationV1Api(client).list_namespaced_lease(desk.world.system).items
    return [lease.metadata.name for lease in found if lease.metadata.name != "orch-operator"]
