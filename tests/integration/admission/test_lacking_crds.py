"""CRDs that lack a field on which the code or a policy relies: the API server drops it without a word, so nothing may count.

An API server of its own, for CRDs are shared. The annotation with the release's hash stays, as somebody who edits a CRD leaves it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hack.servers import ControlPlane
from tests.cluster import CRDS, Cluster, Kubectl
from tests.integration.admission.office import Office

from orch.api.crd import HASH_ANNOTATION
from orch.api.v1alpha1.reasons import OrchestratedRepoReason as Reason
from orch.kube.client import connect
from orch.reconcilers.admission import Admission

_NOW = timedelta(0)


@pytest.fixture(scope="module")
def office(control_plane: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("lacking") / "controlplane"
    with ControlPlane(folder, control_plane.programs, controllers=False) as plane:
        kubectl = Kubectl(control_plane.programs["kubectl"], plane.kubeconfig)
        kubectl("apply", "--server-side", "-f", str(CRDS))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CRDS))
        opened = Office(Cluster(plane.kubeconfig, kubectl, control_plane.programs))
        opened.open()
        yield opened
        opened.close()


@pytest.fixture
async def admission(office: Office, tmp_path: Path) -> AsyncIterator[Admission]:
    """The operator's self-test, with its own account and role."""
    config = yaml.safe_load(office.cluster.kubeconfig.read_text())
    token = office.cluster.kubectl("create", "token", "orch", "-n", office.home).stdout.strip()
    config["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in config["users"]]
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    async with await connect(path) as kube:
        yield Admission(kube, suffix=office.mark)


def _crd(plural: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CRDS / f"{plural}.yaml").read_text()))


def _without(plural: str, path: str) -> dict[str, Any]:
    """This release's CRD but for one field, and the rules that speak of it."""
    crd = _crd(plural)
    node = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    *way, last = path.split(".")
    for step in way:
        node = node["additionalProperties"] if step == "*" else node["properties"][step]
    del node["properties"][last]
    return crd


@pytest.mark.parametrize(
    ("plural", "field"),
    [
        ("approvals", "spec.decisions.*.digest"),
        ("approvals", "spec.policy.requiredGroups"),
        ("approvals", "status.consumedTime"),
        ("orchestratedrepos", "spec.approvals.requiredGroups"),
        ("orchestratedrepos", "spec.guards.maxFunctionComplexity"),
        ("issueruns", "status.change.digest"),
    ],
)
async def test_crds_that_lack_a_field_let_nothing_count(
    office: Office, admission: Admission, plural: str, field: str
) -> None:
    assert await admission.enforced(office.team)
    try:
        office.apply(_without(plural, field))
        verdict = await admission.protection(office.team, at_most=_NOW)
        assert verdict.reason is Reason.CRDS_CHANGED
        text = f"CRD {plural}.orch.dev is not what its annotation says: apply the CRDs of this release"
        assert verdict.message == text
    finally:
        office.apply(_crd(plural))
    assert (await admission.protection(office.team, at_most=_NOW)).holds


async def test_crds_of_another_release_let_nothing_count(office: Office, admission: Admission) -> None:
    other = _crd("approvals")
    other["metadata"]["annotations"][HASH_ANNOTATION] = "sha256:" + "0" * 64
    try:
        office.apply(other)
        verdict = await admission.protection(office.team, at_most=_NOW)
        assert verdict.reason is Reason.CRDS_CHANGED
        assert "CRD approvals.orch.dev is of another release" in verdict.message
    finally:
        office.apply(_crd("approvals"))
