"""What Kubernetes itself must still be able to do: collect an Approval with its run, and empty a namespace."""

import time
from collections.abc import Callable

from tests.cluster import Cluster
from tests.integration.admission.office import BOB, Office


def _until(look: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 120
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def _answered_question_of_a_run(office: Office) -> tuple[str, str]:
    """A run, and a question about it that bob has denied."""
    run = office.object("issueruns")
    uid = office.administrator().get("issueruns", run)["metadata"]["uid"]
    owner = {"apiVersion": "orch.dev/v1alpha1", "kind": "IssueRun", "name": run, "uid": uid}
    owner |= {"controller": True, "blockOwnerDeletion": True}
    name = office.question(**{"metadata.ownerReferences": [owner], "spec.target.name": run, "spec.target.uid": uid})
    assert office.person(BOB).decide(name, "Deny", key=BOB).accepted
    return run, name


def test_an_answered_question_goes_with_its_run(office: Office) -> None:
    admin = office.administrator()
    for policy in ("Background", "Foreground"):
        run, name = _answered_question_of_a_run(office)
        options = {"propagationPolicy": policy}
        assert admin.ask("DELETE", admin.path("issueruns", run), options).accepted
        _until(lambda name=name: admin.get("approvals", name).get("code") == 404, f"{policy}: still there")  # type: ignore[misc]
        _until(lambda run=run: admin.get("issueruns", run).get("code") == 404, f"{policy}: the run is still there")  # type: ignore[misc]


def test_a_namespace_with_an_answered_question_can_be_deleted(control_plane: Cluster) -> None:
    office = Office(control_plane)
    try:
        office.open()
        name = office.question()
        assert office.person(BOB).decide(name, "Deny", key=BOB).accepted
        control_plane.kubectl("delete", "namespace", office.team, "--wait=false")
        gone = ("get", "namespace", office.team, "--ignore-not-found", "-o", "name")
        _until(lambda: control_plane.kubectl(*gone).stdout == "", "the namespace is still there")
    finally:
        office.close()
