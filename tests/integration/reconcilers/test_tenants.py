"""What one tenant cannot get of another, and the operator's account of everybody: secrets and addresses."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from hack.world.server import ServerError
from tests.cluster import Kubectl

if TYPE_CHECKING:
    from .conftest import Desk


async def test_a_secret_of_another_namespace_is_out_of_reach(desk: Desk, namespace: str, other: str) -> None:
    desk.apply(namespace, "demo", mode="Manual")
    desk.apply(other, "thief", credentialsRef={"name": "demo"})
    await desk.look(other, "thief")
    status, reason, message = await desk.condition(other, "thief")
    assert (status, reason) == ("False", "CredentialsMissing")
    assert namespace not in message
    with pytest.raises(ServerError, match="credentialsRef"):
        desk.apply(other, "path", credentialsRef={"name": f"../{namespace}/secrets/demo"})


async def test_a_host_of_the_tenants_own_receives_no_token(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "demo", host="evil.example", mode="Manual")
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[:2] == ("False", "HostNotAllowed")
    assert desk.control.get("/_control/journal").json()["entries"] == []


@pytest.mark.parametrize(
    ("question", "allowed"),
    [
        pytest.param(("get", "secrets", "here"), "yes", id="a secret that is named"),
        pytest.param(("list", "secrets", "here"), "no", id="no list of secrets"),
        pytest.param(("watch", "secrets", "here"), "no", id="no watch of secrets"),
        pytest.param(("update", "orchestratedrepos.orch.dev", "here"), "no", id="no spec of a tenant's"),
        pytest.param(("update", "issueruns.orch.dev", "here"), "no", id="no spec of a run"),
        pytest.param(("create", "leases.coordination.k8s.io", "system"), "yes", id="claims, in its own namespace"),
        pytest.param(("create", "leases.coordination.k8s.io", "here"), "no", id="no lease of a tenant's"),
        pytest.param(("create", "pods", "here"), "no", id="no pods"),
        pytest.param(("impersonate", "users", "here"), "no", id="nobody else's name"),
    ],
)
def test_what_the_operators_account_may(
    kubectl: Kubectl, namespace: str, system: str, question: tuple[str, str, str], allowed: str
) -> None:
    verb, what, where = question
    place = system if where == "system" else namespace
    asked: subprocess.CompletedProcess[str] = kubectl(
        "auth",
        "can-i",
        verb,
        what,
        "-n",
        place,
        as_user=f"system:serviceaccount:{system}:orch",
        as_groups=("system:serviceaccounts", "system:authenticated"),
        check=False,
    )
    assert asked.stdout.strip() == allowed
