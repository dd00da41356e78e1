"""The cluster is lost and comes back from a backup, as Velero restores it: new uids, no status, no owners.

IssueRuns and Approvals do not come back: only the operator may create them, so what a backup holds of them is refused. They are
made and asked anew, and find on GitHub what was begun. The Approvals of runs that were under way are still there, as where
garbage is collected late: the operator takes them out of the way of its own, and dies at it, for no other run comes to that.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.chaos import money, proof
from tests.chaos.hunt import Webhooks, hunt, unvisited
from tests.e2e.desk import Desk, Run
from tests.e2e.lots import Lot, make

ACTS = ("delete approvals.orch.dev",)
"""Of an earlier run of the same name."""
_BEGUN = 2
"""What dies while a request is out may have done it: only the next run gets as far as the answer."""
_GATES = ("Plan", "Merge")
"""Of the two, the plan is the same in both lives, and so is the name of the question about it."""
_KINDS = ("issueruns", "rollbackpoints", "orchestratedrepos")
_FILES = 2
"""A change of the load touches a file and its test."""
_KEPT = ("name", "namespace", "labels", "annotations")


class Answers:
    """People allow what these runs ask, as the objects that they are now; what an earlier one asked they leave alone."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs, self._desk = runs, runs[0].desk
        self._webhooks = Webhooks(self._desk)

    def go_on(self) -> bool:
        """Answer what is asked; whether all is over."""
        left = [run for run in self._runs if not run.status.get("completionTime")]
        for run in left:
            for approval in _asked(run):
                if not approval["spec"].get("decisions"):
                    self._desk.decide(approval["metadata"]["name"], "Approve")
        self._webhooks.tell(run.name for run in left if run.status)
        return not left


@pytest.mark.timeout(900)
def test_what_was_begun_goes_on_after_a_restore(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=1 + _BEGUN)
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    gates = {"gates": [{"gate": gate, "when": "Always"} for gate in _GATES]}
    desk.watch("lost", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    lot = Lot(desk, load, {load.repositories[0]: "lost"})
    merged, *begun = [lot.take() for _ in range(1 + _BEGUN)]
    for run in (merged, *begun):
        desk.decide(run.approval("Plan"), "Approve")
    desk.decide(merged.approval("Merge"), "Approve")
    merged.ends()
    for run in begun:
        run.approval("Merge")
    earlier = {asked["metadata"]["uid"] for asked in desk.list("approvals")}
    desk.world.processes["operator"].kill()
    repo = desk.get("orchestratedrepos", "lost")
    _lose_everything(desk, begun)
    repo["spec"]["concurrency"]["maxActiveRuns"] = 1  # else two delete at once, and both die of the first
    desk.world.server.apply(_as_restored(repo))
    died = hunt(desk, "operator", go_on=Answers(begun).go_on, acts=ACTS, what=lambda: [run.status for run in begun])
    assert unvisited(died, ACTS) == []
    for run in begun:
        proof.merged_once(run)
        _proves_asked_anew(run, earlier)
        assert not run.status["branch"]["takenOver"]
        (pull,) = run.pulls()
        files = desk.maintainer.ask("GET", f"/repos/{run.repository}/pulls/{pull['number']}/files")
        assert len(files) == _FILES, "its change is to the base as it is now, not to that of its earlier life"
    assert (len(merged.comments()), len(merged.merges())) == (1, 1)
    assert desk.get("issueruns", merged.name) == {}, "what was over is not begun anew"
    money.nothing_was_lost(desk)


def _proves_asked_anew(run: Run, earlier: set[str]) -> None:
    """The run has its own answers, to questions of its own: those whose names were taken gave way, the others were closed."""
    asked = _asked(run)
    assert _outcomes(asked) == [(gate, "Approved") for gate in sorted(_GATES)]
    assert [question for question in asked if question["metadata"]["uid"] in earlier] == []
    left = [found for found in run.desk.list("approvals", run=run.name) if found not in asked]
    assert _outcomes(left) == [("Merge", "Superseded")]


def _outcomes(asked: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((question["spec"]["gate"], question["status"]["outcome"]) for question in asked)


def _asked(run: Run) -> list[dict[str, Any]]:
    """The Approvals of the run as it is now."""
    uid = run.desk.get("issueruns", run.name).get("metadata", {}).get("uid")
    return [asked for asked in run.desk.list("approvals", run=run.name) if asked["spec"]["target"]["uid"] == uid]


def _lose_everything(desk: Desk, begun: Sequence[Run]) -> None:
    """As if etcd were emptied, but for what these runs have asked: no finalizer of ours is run."""
    for kind in ("issueruns", "orchestratedrepos"):
        for document in desk.list(kind):
            desk.patch(kind, document["metadata"]["name"], {"metadata": {"finalizers": None}})
    place, names = ("-n", desk.namespace), {run.name for run in begun}
    desk.world.kubectl("delete", "issueruns.orch.dev", *names, "--cascade=orphan", *place)
    desk.world.kubectl("delete", ",".join(f"{kind}.orch.dev" for kind in _KINDS), "--all", *place)
    others = f"orch.dev/run notin ({','.join(sorted(names))})"
    # nobody may delete an answered one: it goes with its run
    desk.until(lambda: not desk.world.server.list("approvals", desk.namespace, labels=others), all_live=False)


def _as_restored(document: dict[str, Any]) -> dict[str, Any]:
    """What Velero makes of an object: https://velero.io/docs/main/restore-reference."""
    meta = {key: document["metadata"][key] for key in _KEPT if key in document["metadata"]}
    return {**{key: document[key] for key in ("apiVersion", "kind", "spec")}, "metadata": meta}
