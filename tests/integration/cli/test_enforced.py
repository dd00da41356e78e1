"""What a person reads when the admission policies say no, with the policies and roles that users install."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.cluster import Cluster
from tests.integration.admission.office import ALICE, Office, opened
from tests.integration.cli.conftest import Terminal


@pytest.fixture(scope="module")
def office(control_plane: Cluster) -> Iterator[Office]:
    """An installation of this module's own; alice may approve."""
    with opened(control_plane) as office:
        yield office


@pytest.fixture
def desk(office: Office, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal in the team's namespace."""
    return Terminal(office.cluster.kubeconfig, office.team, office.cluster, capsys)


def test_who_lacks_the_verb_is_told_which(desk: Terminal, office: Office) -> None:
    name = office.question()
    office.bind("dora", "orch-viewer")
    office.allow("dora", "approvals", "patch")
    said = desk("approve", name, "-y", as_user="dora")
    assert said.code == 1
    assert "dora needs the verb approve on approvals.orch.dev" in said.err
    assert "ValidatingAdmissionPolicy" not in said.err
    assert office.decisions(name) == {}


def test_a_mode_needs_the_verb_setpolicy(desk: Terminal, office: Office) -> None:
    name = office.object("orchestratedrepos")
    office.bind("otto", "orch-operator")
    said = desk("mode", name, "Autonomous", as_user="otto")
    assert said.code == 1
    assert "setpolicy" in said.err
    assert said.err.count("\n") == 1
    assert desk("pause", name, as_user="otto").code == 0


def test_a_cancel_and_a_retry_are_in_ones_own_name(desk: Terminal, office: Office) -> None:
    run = office.object("issueruns")
    office.bind("otto", "orch-operator")
    said = desk("cancel", run, "--reason", "enough", as_user="otto")
    assert (said.code, said.err) == (0, "")


def test_what_somebody_has_answered_is_not_asked_again(desk: Terminal, office: Office) -> None:
    name, run = office.question(**{"spec.expireTime": "2099-01-01T00:00:00Z"}), office.object("issueruns")
    noted = {"status": {"approvals": [{"gate": "Merge", "name": name, "outcome": "Pending"}]}}
    assert office.operator().patch("issueruns", run, noted, sub="status").accepted
    assert desk("approve", name, "-y", as_user=ALICE).code == 0
    office.bind("otto", "orch-operator")
    answered = desk("ask-again", run, as_user="otto")
    assert (answered.code, "an Approval that somebody has answered is not deleted" in answered.err) == (1, True)
    assert office.person(ALICE).patch("approvals", name, {"spec": {"decisions": {ALICE: None}}}).accepted
    assert desk("ask-again", run, as_user="otto").out == f"approval.orch.dev/{name} deleted: gate Merge is asked anew\n"
