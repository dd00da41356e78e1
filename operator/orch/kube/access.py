"""What somebody else may do, as the API server's own authorizers answer it (SubjectAccessReview).

Called by whoever counts people's decisions, and by the gateway when people read. It never asks for the operator itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from orch.kube.client import Kube
from orch.kube.objects import Objects
from orch.kube.resource import ACCESS_REVIEWS, Resource

_EVERYBODY: Final = "system:authenticated"
"""The group of everybody who has logged in: a binding to it holds for all, claimed or not."""


async def is_allowed(
    kube: Kube,
    user: str,
    groups: Sequence[str],
    verb: str,
    resource: Resource,
    *,
    namespace: str,
    name: str,
    subresource: str = "",
    extra: Mapping[str, Sequence[str]] | None = None,
) -> bool:
    """Whether `user`, as a member of `groups`, has `verb` on this object. Raises KubeError: unknown is no answer.

    `extra`: what the authenticator said of the user besides; a token may be good for less than its user is."""
    asked = {
        "group": resource.group,
        "resource": resource.plural,
        "subresource": subresource,
        "verb": verb,
        "namespace": namespace,
        "name": name,
    }
    spec = {"user": user, "groups": [*groups, _EVERYBODY], "resourceAttributes": asked, "extra": dict(extra or {})}
    answer = await Objects(kube, ACCESS_REVIEWS).create(None, {"spec": spec})
    status = answer.get("status") or {}
    return bool(status.get("allowed")) and not status.get("denied")
