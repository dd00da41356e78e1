"""Who the person at the terminal is to the API server, and what it lets them do. Called by verbs that act in their name."""

from __future__ import annotations

from dataclasses import dataclass

from orch.cli.options import WRONG_USE, Failure
from orch.kube.client import Kube
from orch.kube.resource import SELF, Resource

_ACCESS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview")


@dataclass(frozen=True)
class Me:
    """The user name and groups as the API server authenticated them."""

    username: str
    groups: tuple[str, ...] = ()


async def whoami(kube: Kube) -> Me:
    """Ask by a SelfSubjectReview. Raises Failure when the server does not say."""
    answer = await kube.request("create", SELF, body={"apiVersion": SELF.api_version, "kind": SELF.kind})
    user = (answer.get("status") or {}).get("userInfo") or {}
    if not user.get("username"):
        raise Failure("the API server does not say who you are: log in", code=WRONG_USE)
    return Me(str(user["username"]), tuple(map(str, user.get("groups") or ())))


async def self_review(kube: Kube, attributes: dict[str, str]) -> tuple[bool, str]:
    """Whether the person may do this, and why the authorizer says so: it answers for all of their groups."""
    body = {"apiVersion": _ACCESS.api_version, "kind": _ACCESS.kind, "spec": {"resourceAttributes": attributes}}
    status = (await kube.request("create", _ACCESS, body=body)).get("status") or {}
    return bool(status.get("allowed")), str(status.get("reason") or "")
