"""By which group a person has a verb, with what the API server may say of it; the person may ask for others or may not."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from orch.api.v1alpha1 import Approval
from orch.cli.rights import Right, right_to
from orch.cli.whoami import Me
from orch.kube.client import Kube
from orch.kube.errors import Request, refused
from orch.kube.resource import Resource

MANY = tuple(f"a{number:02}" for number in range(20))
BY_GROUP = 'RBAC: allowed by RoleBinding "b/team" of ClusterRole "orch-approver" to Group "%s"'


@dataclass
class Server:
    """One that gives the verb to a group, and says so or not; `tells`: the person may ask for somebody else."""

    reason: str = ""
    granting: str = ""
    tells: bool = False
    asked: list[list[str]] = field(default_factory=list)

    async def request(self, verb: str, resource: Resource, *, body: dict[str, Any], namespace: str = "") -> Any:
        if resource.kind == "SelfSubjectAccessReview":
            return {"status": {"allowed": True, "reason": self.reason}}
        if not self.tells:
            raise refused(Request(verb, resource.name, namespace), 403, b"{}")
        assert body["metadata"]["namespace"] == namespace
        self.asked.append(body["spec"]["groups"])
        return {"status": {"allowed": self.granting in body["spec"]["groups"]}}


def right(server: Server, *groups: str) -> Right:
    me = Me("mia", (*groups, "system:authenticated"))
    return asyncio.run(right_to(cast("Kube", server), me, "approve", Resource.of(Approval), "team"))


@pytest.mark.parametrize(
    ("reason", "groups", "found"),
    [
        pytest.param(BY_GROUP % "z", (*MANY, "z"), Right(True, "z"), id="RBAC names the group"),
        pytest.param(BY_GROUP % "system:z", ("system:z",), Right(True, "system:z"), id="also one of the server's"),
        pytest.param(BY_GROUP % r"o\"o", ('o"o',), Right(True, 'o"o'), id="quoted as Go quotes"),
        pytest.param(BY_GROUP % "system:authenticated", MANY, Right(True), id="everybody"),
        pytest.param('RBAC: allowed by X to User "mia"', MANY, Right(True), id="by name"),
        pytest.param("", ("a", "b"), Right(True), id="all groups are claimed"),
        pytest.param("", (), Right(True), id="no groups"),
        pytest.param("", MANY, Right(True, sure=False), id="some group, nobody says which"),
        pytest.param("", ("a", "system:masters"), Right(True, sure=False), id="perhaps one that is not claimed"),
        pytest.param(BY_GROUP % r"\x00", MANY, Right(True, sure=False), id="not to be read"),
    ],
)
def test_what_is_said_of_a_right(reason: str, groups: tuple[str, ...], found: Right) -> None:
    assert right(Server(reason), *groups) == found


@pytest.mark.parametrize("granting", [*MANY[:2], MANY[-1], "system:masters"])
def test_who_may_ask_for_others_finds_the_group(granting: str) -> None:
    server = Server(granting=granting, tells=True)
    assert right(server, *MANY, "system:masters") == Right(True, granting)
    assert len(server.asked) <= 8


def test_who_may_ask_for_others_learns_that_no_group_is_needed() -> None:
    assert right(Server(granting="system:authenticated", tells=True), *MANY) == Right(True)


def test_what_the_operator_would_be_denied_is_no_right() -> None:
    """The person's own token may be good for more than name and groups are."""
    assert right(Server(granting="nobody", tells=True), *MANY) == Right(False)
