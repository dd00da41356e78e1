"""One OrchestratedRepo for each repository: two tenants on one repository, and a name that a stranger took."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from orch.reconcilers.repository_claim import claim_name

if TYPE_CHECKING:
    from .conftest import Desk


async def test_the_second_tenant_starts_nothing_and_learns_no_name(desk: Desk, namespace: str, other: str) -> None:
    desk.apply(namespace, "demo")
    desk.apply(other, "also")
    await desk.look(namespace, "demo")
    await desk.look(other, "also")
    assert (await desk.condition(namespace, "demo"))[:2] == ("True", "Available")
    status, reason, message = await desk.condition(other, "also")
    assert (status, reason) == ("False", "RepositoryClaimed")
    assert namespace not in message
    assert "demo already" in message  # the repository's name, which the tenant has written himself
    assert desk.runs(namespace) == ["demo-1-1"]
    assert desk.runs(other) == []


async def test_two_of_one_namespace_are_told_of_each_other(desk: Desk, namespace: str) -> None:
    desk.apply(namespace, "first")
    desk.apply(namespace, "second")
    await desk.look(namespace, "first")
    await desk.look(namespace, "second")
    assert "OrchestratedRepo first works" in (await desk.condition(namespace, "second"))[2]


async def test_the_second_takes_over_when_the_first_is_deleted(desk: Desk, namespace: str, other: str) -> None:
    desk.apply(namespace, "demo", mode="Manual")
    desk.apply(other, "also")
    await desk.look(namespace, "demo")
    await desk.look(other, "also")
    desk.kubectl("delete", "orepo", "demo", "-n", namespace, "--wait=false")
    await desk.look(other, "also")
    assert (await desk.condition(other, "also"))[1] == "RepositoryClaimed", "the finalizer holds it still"
    await desk.look(namespace, "demo")
    await desk.look(other, "also")
    assert (await desk.condition(other, "also"))[:2] == ("True", "Available")
    assert desk.runs(other) == ["also-1-1"]


async def test_a_holder_that_vanished_without_its_finalizer_holds_nothing(
    desk: Desk, namespace: str, other: str
) -> None:
    desk.apply(namespace, "demo", mode="Manual")
    desk.apply(other, "also")
    await desk.look(namespace, "demo")
    clear = json.dumps({"metadata": {"finalizers": None}})
    desk.kubectl("patch", "orepo", "demo", "-n", namespace, "--type=merge", "-p", clear)
    desk.kubectl("delete", "orepo", "demo", "-n", namespace)
    desk.apply(namespace, "demo", mode="Manual")  # made anew under its name: another object, not the holder
    await desk.look(other, "also")
    assert (await desk.condition(other, "also"))[:2] == ("True", "Available")
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[1] == "RepositoryClaimed"


async def test_a_new_process_keeps_the_claim(desk: Desk, namespace: str, other: str) -> None:
    desk.apply(namespace, "demo", mode="Manual")
    desk.apply(other, "also")
    await desk.look(namespace, "demo")
    desk.start()
    await desk.look(other, "also")
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[0] == "True"
    assert (await desk.condition(other, "also"))[1] == "RepositoryClaimed"


async def test_who_may_only_read_claims_nothing(desk: Desk, namespace: str, other: str) -> None:
    reader = {"login": "reader", "value": "ghp_reader_value"}
    assert desk.control.post("/_control/tokens", json=reader).status_code == 201
    desk.apply(namespace, "reader", token="ghp_reader_value")
    desk.apply(other, "demo", mode="Manual")
    await desk.look(namespace, "reader")
    assert (await desk.condition(namespace, "reader"))[1] == "Forbidden"
    await desk.look(other, "demo")
    assert (await desk.condition(other, "demo"))[0] == "True"


async def test_a_name_that_a_stranger_took_is_noticed_and_is_his(desk: Desk, namespace: str, other: str) -> None:
    desk.apply(namespace, "demo", mode="Manual")
    await desk.look(namespace, "demo")
    known = (await desk.repos.get(namespace, "demo")).status.repository
    assert known is not None
    assert desk.control.delete("/_control/repos/octo/demo").status_code == 204
    project = {"owner": "octo", "name": "demo", "from": str(desk.project), "collaborators": {"orch-bot": "write"}}
    made = desk.control.post("/_control/repos", json=project)
    assert made.status_code == 201, made.text
    await desk.look(namespace, "demo")
    assert (await desk.condition(namespace, "demo"))[:2] == ("False", "RepositoryChanged")
    assert (await desk.repos.get(namespace, "demo")).status.repository == known
    desk.apply(other, "his", mode="Manual")
    await desk.look(other, "his")
    assert (await desk.condition(other, "his"))[0] == "True", "another repository is another claim"
    leases = desk.kubectl("get", "leases", "-n", desk.system, "-o", "name").stdout
    for number in (known.id, made.json()["id"]):
        assert claim_name("git.example", number) in leases
