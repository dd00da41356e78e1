"""The crash matrix of a repository that comes and goes: the operator dies at each act that only its birth or its end needs.

Beside `test_crash_matrix`, whose runs live in a repository that stays.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from hack.projects import TOKENS
from kubernetes import config
from kubernetes.client import CoordinationV1Api
from tests.chaos import effects, money
from tests.chaos.hunt import hunt, occasions, unvisited
from tests.e2e.desk import BOT, Desk, Run
from tests.e2e.lots import Lot, make

ACTS = ("patch orchestratedrepos.orch.dev", "delete issueruns.orch.dev", "delete leases.coordination.k8s.io")
"""A finalizer that is put on and taken off, the runs of a repository that is deleted, its claim."""
_NAME = "brief"
_VISITS = 2
"""What dies while a request is out may have done it: only the next repository gets as far as the answer."""


class Visits:
    """A repository that is applied with one labelled issue, and deleted as soon as its run is at work; then once more."""

    def __init__(self, desk: Desk, lot: Lot) -> None:
        self.desk, self.lot = desk, lot
        self.runs: list[Run] = []

    def go_on(self) -> bool:
        """The next thing that people do, if it is time for it; whether that was all."""
        found = self.desk.get("orchestratedrepos", _NAME)
        if found:
            if "deletionTimestamp" not in found["metadata"] and self.runs[-1].status.get("steps"):
                self.desk.delete("orchestratedrepos", _NAME)
        elif len(self.runs) < _VISITS:
            self._come()
        else:
            return True
        return False

    def _come(self) -> None:
        if self.runs:  # it was asked for a repository that is gone
            self.desk.maintainer.unlabel(self.runs[-1].repository, self.runs[-1].number, "orch")
        run = self.lot.take()
        self.runs.append(run)
        spec = self.lot.load.spec
        self.desk.world.repository(
            self.desk.namespace, _NAME, run.repository, token=TOKENS[BOT], interval="10s", **spec
        )


@pytest.mark.timeout(900)
def test_the_operator_dies_as_a_repository_comes_and_goes(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=_VISITS)
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    visits = Visits(desk, Lot(desk, load, {load.repositories[0]: _NAME}))
    died = hunt(desk, "operator", go_on=visits.go_on, acts=ACTS)
    assert unvisited(died, ACTS) == []
    assert occasions(died, "patch orchestratedrepos.orch.dev") == {"", "leaves"}
    assert desk.list("issueruns") == []
    assert _claims(desk) == []
    for run in visits.runs:
        (comment,) = run.comments()
        assert "deleted" in comment
        assert run.pulls() == []
    assert not [name for name in desk.refs(load.repositories[0]) if name.startswith("orch/")]
    effects.each_once(desk, visits.runs)
    money.is_right(desk, [])


def _claims(desk: Desk) -> list[str]:
    """The Leases in the operator's namespace by which it claims repositories."""
    with config.new_client_from_config(config_file=str(desk.world.kubeconfig)) as client:
        found = CoordinationV1Api(client).list_namespaced_lease(desk.world.system).items
    return [lease.metadata.name for lease in found if lease.metadata.name != "orch-operator"]
