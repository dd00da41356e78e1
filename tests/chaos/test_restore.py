"""The cluster is lost and comes back from a backup, as Velero restores it: new uids, no status, no owners.

IssueRuns and Approvals do not come back: only the operator may create them, so what a backup holds of them is refused. They are
made and asked anew, and find on GitHub what was begun.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos import proof
from tests.chaos.hunt import start
from tests.e2e.desk import Desk
from tests.e2e.lots import Lot, make

_KINDS = ("issueruns", "rollbackpoints", "orchestratedrepos")
_FILES = 2
"""A change of the load touches a file and its test."""
_KEPT = ("name", "namespace", "labels", "annotations")


def test_what_was_begun_goes_on_after_a_restore(open_desk: Callable[..., Desk], tmp_path: Path) -> None:
    load = make(tmp_path / "load", repositories=1, issues=2)
    desk = open_desk(load.seed, [load.script], ORCH_SETTLE="PT1S")
    gates = {"gates": [{"gate": "Merge", "when": "Always"}]}
    desk.watch("lost", load.repositories[0], **{**load.spec, "mode": "Supervised", "approvals": gates})
    lot = Lot(desk, load, {load.repositories[0]: "lost"})
    merged, begun = lot.take(), lot.take()
    desk.decide(merged.approval("Merge"), "Approve")
    merged.ends()
    begun.approval("Merge")
    desk.world.processes["operator"].kill()
    repo = desk.get("orchestratedrepos", "lost")
    _lose_everything(desk)
    desk.world.server.apply(_as_restored(repo))
    start(desk, "operator")
    desk.decide(begun.approval("Merge"), "Approve")
    begun.ends()
    proof.merged_once(begun)
    assert not begun.status["branch"]["takenOver"]
    assert (len(merged.comments()), len(merged.merges())) == (1, 1)
    assert desk.get("issueruns", merged.name) == {}, "what was over is not begun anew"
    (pull,) = begun.pulls()
    files = desk.maintainer.ask("GET", f"/repos/{begun.repository}/pulls/{pull['number']}/files")
    assert len(files) == _FILES, "its change is to the base as it is now, not to that of its earlier life"


def _lose_everything(desk: Desk) -> None:
    """As if etcd were emptied: no finalizer of ours is run."""
    for kind in ("issueruns", "orchestratedrepos"):
        for document in desk.list(kind):
            desk.patch(kind, document["metadata"]["name"], {"metadata": {"finalizers": None}})
    desk.world.kubectl("delete", ",".join(f"{kind}.orch.dev" for kind in _KINDS), "--all", "-n", desk.namespace)
    desk.until(lambda: not desk.list("approvals"))  # nobody may delete an answered one: it goes with its run


def _as_restored(document: dict[str, Any]) -> dict[str, Any]:
    """What Velero makes of an object: https://velero.io/docs/main/restore-reference."""
    meta = {key: document["metadata"][key] for key in _KEPT if key in document["metadata"]}
    return {**{key: document[key] for key in ("apiVersion", "kind", "spec")}, "metadata": meta}
