"""The status of a run as a version of the operator wrote it that did not know some field yet.

Each field is taken from a run that waits for its merge to be approved. What it held is found again, and the run merges, once; one
without `change` is judged anew, and asked about anew. One without `branch` ends and says so: which commit of GitHub's is its own is
nowhere else.
"""

from collections.abc import Callable, Iterable
from pathlib import Path

from hack.world.server import Server
from tests.chaos import proof
from tests.chaos.hunt import start
from tests.chaos.shift import Shift
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make

from orch.api.v1alpha1 import IssueRunStatus

_FIRST = {"identity", "conditions", "observed_generation", "stage"}
"""Every version has written these that had runs at all."""
_FACTS = ("analysis", "approvals", "branch", "change", "checks", "effects", "issue", "plan", "pull_request", "steps")
"""What a run acts on: each is taken from a run of its own. All others are taken from one together."""
_NEEDED = ("branch",)


def test_what_an_earlier_version_did_not_record_is_found_again(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    others = set(IssueRunStatus.model_fields) - _FIRST - set(_FACTS)
    lacking = {**{fact: {fact} for fact in _FACTS}, "others": others}
    load = make(tmp_path / "load", repositories=1, issues=len(lacking))
    load.seed["settings"] = {
        "limits": {"enabled": False}
    }  # so many runs at once are more than GitHub takes in a minute
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
    desk.watch("old", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    shift = Shift(Lot(desk, load, {load.repositories[0]: "old"}), len(lacking))
    asked = [run.approval("Merge") for run in shift.runs]
    desk.world.processes["operator"].kill()
    runs = dict(zip(lacking, shift.runs, strict=True))
    for what, run in runs.items():
        _take(run, lacking[what])
    for approval in asked:
        desk.decide(approval, "Approve")
    start(desk, "operator")
    shift.end_all()
    for what, run in runs.items():
        if what in _NEEDED:
            proof.ended_explained(run)
            assert run.status["failure"]["reason"] == "BranchMissing"
            assert [pull["state"] for pull in run.pulls()] == ["open"], "its work is not thrown away"
        else:
            proof.merged_once(run)


def _take(run: Run, fields: Iterable[str]) -> None:
    """Take fields out of its status, under the operator's account: admission refuses it to everybody else."""
    names = [IssueRunStatus.model_fields[field].alias or field for field in fields]
    world = run.desk.world
    with Server(world.kubeconfig, user=f"system:serviceaccount:{world.system}:orch") as operator:
        operator.write_status("issueruns", run.name, run.desk.namespace, dict.fromkeys(names))
