"""CRDs of another release: the policies stand by themselves, without any rule of the CRDs, and know fields that these lack.

An API server of its own, for CRDs are shared. Taken away is every CEL rule; a RollbackPoint gets the request of a later release.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.servers import ControlPlane
from tests.cluster import CRDS, Cluster, Kubectl
from tests.integration.admission.office import ALICE, BOB, Office
from tests.integration.api.documents import changed, sample

from orch.api.manifests.policies import REQUESTS

_RULES = "x-kubernetes-validations"
_REQUEST = {
    "type": "object",
    "properties": {"username": {"type": "string"}, "reason": {"type": "string"}},
    "required": ["username", "reason"],
}


@pytest.fixture(scope="module")
def office(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("other") / "controlplane"
    with ControlPlane(folder, control_plane.programs, controllers=False) as plane:
        kubectl = Kubectl(control_plane.programs["kubectl"], plane.kubeconfig)
        crds = folder / "crds.yaml"
        crds.write_text(yaml.safe_dump_all(_other(path) for path in sorted(CRDS.glob("*.yaml"))))
        kubectl("apply", "--server-side", "-f", str(crds))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(crds))
        opened = Office(Cluster(plane.kubeconfig, kubectl, control_plane.programs))
        opened.open()
        yield opened


def _other(path: Path) -> dict[str, Any]:
    crd: dict[str, Any] = _without_rules(yaml.safe_load(path.read_text()))
    if crd["spec"]["names"]["plural"] == "rollbackpoints":
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        schema["properties"]["spec"]["properties"]["request"] = _REQUEST
    return crd


def _without_rules(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_rules(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: _without_rules(value) for key, value in node.items() if key != _RULES}


def test_nobody_decides_for_another(office: Office) -> None:
    refused = office.person(ALICE).decide(office.question(), key=BOB)
    text = "you may set or withdraw only your own decision, under the key alice"
    assert refused.refused_by(office.named(), text), refused.message


@pytest.mark.parametrize(
    "spec",
    [
        {"policy": {"quorum": 1}},
        {"expireTime": "2036-01-01T00:00:00Z"},
        {"subject": {"headSHA": "2" * 40}},
        {"review": {"reasons": None}},
        {"policy": None, "decisions": {"mallory": {"verdict": "Approve"}}},
    ],
    ids=json.dumps,
)
def test_what_is_asked_does_not_change(office: Office, spec: dict[str, Any]) -> None:
    office.bind("mallory", "cluster-admin")
    refused = office.person("mallory").patch("approvals", office.question(), {"spec": spec})
    if spec.get("policy", "") is None:
        assert refused.status == 422
    else:
        assert refused.refused_by(office.named(), "an Approval is immutable but for spec.decisions"), refused.message


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (
            {},
            {"overrides": {"budgetUSD": "900"}},
            "an IssueRun is immutable but for spec.suspend, spec.cancel and spec.adopt",
        ),
        ({}, {"overrides": None}, "an IssueRun is immutable but for spec.suspend, spec.cancel and spec.adopt"),
        (
            {"cancel": {"username": "root", "reason": "no"}},
            {"cancel": None},
            "spec.cancel cannot be changed or taken back",
        ),
        (
            {"cancel": {"username": "root", "reason": "no"}},
            {"cancel": {"reason": "yes"}},
            "spec.cancel cannot be changed or taken back",
        ),
    ],
)
def test_what_was_ordered_stays(office: Office, before: dict[str, Any], after: dict[str, Any], text: str) -> None:
    admin, name = office.administrator(), office.object("issueruns")
    if before:
        assert admin.patch("issueruns", name, {"spec": before}).accepted
    refused = admin.patch("issueruns", name, {"spec": after})
    assert refused.refused_by(office.named(REQUESTS), text), refused.message


def test_a_rollback_is_requested_in_ones_own_name_by_who_may_and_once(office: Office) -> None:
    point = changed(sample("rollbackpoint"), {"metadata.name": "payments-9"})
    assert office.operator().create("rollbackpoints", point).accepted
    office.bind("gail", "orch-admin")
    office.allow("dave", "rollbackpoints", "get", "patch")

    def ask(user: str, **request: str) -> Any:
        return office.person(user).patch("rollbackpoints", "payments-9", {"spec": {"request": request or None}})

    refused = ask("gail", username=ALICE, reason="red")
    assert refused.refused_by(office.named(REQUESTS), "spec.request.username must be gail"), refused.message
    refused = ask("dave", username="dave", reason="red")
    text = f"dave needs the verb rollback on rollbackpoints.orch.dev in namespace {office.team}"
    assert refused.refused_by(office.named(REQUESTS), text), refused.message
    assert ask("gail", username="gail", reason="red").accepted
    for later in ({}, {"reason": "green"}):
        refused = ask("gail", **later)
        text = "spec.request cannot be changed or taken back"
        assert refused.refused_by(office.named(REQUESTS), text), refused.message
    refused = office.person("gail").patch("rollbackpoints", "payments-9", {"spec": {"merge": {"sha": "d" * 40}}})
    assert refused.refused_by(office.named(REQUESTS), "the recorded merge is immutable"), refused.message
