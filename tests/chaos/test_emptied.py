"""etcd is emptied under two operators that live on: their watches break, then uids are others and resource versions begin anew.

People apply again what Git holds: the installation and the OrchestratedRepo. What only the operator makes is made anew. One that ends
is started again, as a Deployment would; who acts then finds on GitHub what was begun, and remembers nothing of before.
"""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from hack.binaries import ensure
from hack.projects import TOKENS
from hack.servers import ControlPlane
from hack.world import World
from hack.world.nursery import Nursery
from hack.world.server import ServerError
from tests.chaos import proof
from tests.e2e.desk import BOT, Desk, Run
from tests.e2e.lots import Lot, make

_OPERATOR = "system:serviceaccount:orch-system:orch"
_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:orch-system")
_OPERATORS = ("operator", "standby")
_ISSUES = 3
_GATES = {"gates": [{"gate": "Merge", "when": "Always"}]}


@pytest.fixture
def place(nursery: Nursery, tmp_path: Path) -> Iterator[tuple[ControlPlane, Lot]]:
    """A control plane and a world of their own, with a repository that is watched."""
    load = make(tmp_path / "load", repositories=1, issues=_ISSUES)
    programs = ensure(lambda _text: None)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="orch-emptied-")))
        plane = stack.enter_context(ControlPlane(folder / "plane", programs, people={_OPERATOR: _GROUPS}))
        _log_in(plane, tmp_path)
        world = World(
            tmp_path,
            kubeconfig=plane.kubeconfig,
            kubectl=programs["kubectl"],
            seed=load.seed,
            scripts=[load.script],
            namespaces=["team"],
            settings={"ORCH_SETTLE": "PT1S"},
            nursery=nursery,
        )
        desk = Desk(stack.enter_context(world))
        yield plane, Lot(desk, load, {load.repositories[0]: "emptied"})


def test_operators_outlive_their_cluster(place: tuple[ControlPlane, Lot]) -> None:
    plane, lot = place
    desk = lot.desk
    _apply(lot)
    desk.world.start_operator("standby")
    merged, *begun = [lot.take() for _ in range(_ISSUES)]
    desk.decide(merged.approval("Merge"), "Approve")
    merged.ends()
    asked = {desk.get("approvals", run.approval("Merge"))["metadata"]["uid"] for run in begun}
    plane.forget_everything()
    desk.world.prepare_cluster()
    desk.until(lambda: _is_served(desk), all_live=False)
    _apply(lot)
    for run in begun:
        _ends(run)
        proof.merged_once(run)
        (approval,) = desk.list("approvals", run=run.name)
        assert approval["metadata"]["uid"] not in asked, "it was asked anew"
    assert (len(merged.comments()), len(merged.merges())) == (1, 1)
    assert desk.get("issueruns", merged.name) == {}, "what was over is not begun anew"
    for name in _OPERATORS:
        assert "Traceback" not in desk.log(name), name


def _log_in(plane: ControlPlane, folder: Path) -> None:
    """The operator comes with a token of its own that holds whatever is stored, as one does that is renewed in time."""
    config = yaml.safe_load(plane.kubeconfig.read_text())
    config["users"] = [{"name": entry["name"], "user": {"token": plane.tokens[_OPERATOR]}} for entry in config["users"]]
    (folder / "operator.kubeconfig").write_text(yaml.safe_dump(config))


def _apply(lot: Lot) -> None:
    """What a team keeps in Git."""
    spec = {**lot.load.spec, "mode": "Supervised", "approvals": _GATES, "interval": "10s"}
    ((repository, name),) = lot.names.items()
    desk, repo = lot.desk, ("orchestratedrepos", name)
    desk.world.repository(desk.namespace, name, repository, token=TOKENS[BOT], **spec)

    def is_ready() -> bool:
        _revive(desk)
        conditions = (desk.condition(*repo, kind) for kind in ("Ready", "AdmissionEnforced"))
        return all(condition.get("status") == "True" for condition in conditions)

    desk.until(is_ready, poke=repo, what=lambda: desk.get(*repo), all_live=False)


def _is_served(desk: Desk) -> bool:
    """An established kind is not served yet: for a moment the server answers 429."""
    try:
        return desk.list("issueruns") == desk.list("approvals") == desk.list("orchestratedrepos") == []
    except ServerError:
        return False


def _ends(run: Run) -> None:
    """Until it is over, answering meanwhile what it asks."""
    desk = run.desk

    def is_over() -> bool:
        _revive(desk)
        for approval in desk.list("approvals", run=run.name):
            if not approval["spec"].get("decisions"):
                desk.decide(approval["metadata"]["name"], "Approve")
        return bool(run.status.get("completionTime"))

    desk.until(is_over, what=lambda: run.status, all_live=False)


def _revive(desk: Desk) -> None:
    """Start an operator that has ended, as a kubelet would."""
    for name in _OPERATORS:
        process = desk.world.processes.get(name)
        if process is not None and process.ended() is not None:
            process.start()
