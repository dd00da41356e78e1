"""By what a person has the verb `approve`: by their name or by one of their groups. Called by `inbox`, `approve`, `deny`.

The operator looks the verb up with the groups that an answer claims, and no more than 16 fit. So the group that grants it has
to be found: the API server says it of RBAC; of another authorizer it takes the right to ask for oneself as for somebody else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orch.cli.whoami import Me, self_review
from orch.kube.client import Kube
from orch.kube.errors import Forbidden
from orch.kube.resource import LOCAL_ACCESS_REVIEWS, Resource

EVERYBODY: Final = "system:authenticated"
"""The group of all who have logged in: the operator takes it for claimed."""
SERVERS_OWN: Final = "system:"
"""Begins the names of groups that the API server itself gives: claimed only where one of them grants the verb."""
MOST_GROUPS: Final = 16
"""Groups that an answer can claim."""
_GRANTED: Final = re.compile(r'^RBAC: allowed by .* to (User|Group) ("(?:[^"\\]|\\.)*")$', re.DOTALL)
"""As the API server words it (kubernetes, plugin/pkg/auth/authorizer/rbac)."""


@dataclass(frozen=True)
class Right:
    """`group`: the one that grants the verb, None where none is needed. `sure`: false where the granting group is not known, and
    not all of the person's groups can be claimed."""

    allowed: bool
    group: str | None = None
    sure: bool = True


async def right_to(kube: Kube, me: Me, verb: str, resource: Resource, namespace: str, name: str | None = None) -> Right:
    """Whether and by what the person has the verb: on all objects of the namespace, or on the one that is named."""
    attributes = {"verb": verb, "group": resource.group, "resource": resource.plural, "namespace": namespace}
    attributes |= {"name": name} if name else {}
    allowed, reason = await self_review(kube, attributes)
    if not allowed:
        return Right(False)
    kind, subject = _granted_to(reason)
    if kind == "User" or subject == EVERYBODY:
        return Right(True)
    if subject in me.groups:
        return Right(True, subject)
    try:
        return await _search(kube, me, attributes)
    except Forbidden:
        return Right(True, sure=_all_are_claimed(me))


def _all_are_claimed(me: Me) -> bool:
    """Whether an answer claims every group of the person: there is room, and none is one of the API server's own, which are
    claimed only if they are known to grant the verb."""
    own = set(me.groups) - {EVERYBODY}
    return len(own) <= MOST_GROUPS and not any(group.startswith(SERVERS_OWN) for group in own)


def _granted_to(reason: str) -> tuple[str, str]:
    """`("Group", "ops")` from RBAC's reason; two empty strings from any other."""
    match = _GRANTED.match(reason)
    try:
        return (match[1], str(json.loads(match[2]))) if match else ("", "")
    except ValueError:  # Go quotes a few letters otherwise than JSON
        return "", ""


async def _search(kube: Kube, me: Me, attributes: dict[str, str]) -> Right:
    """Ask as the operator will, first without a group, then for half of what is left. Raises Forbidden."""

    async def grants(groups: Sequence[str]) -> bool:
        spec = {"user": me.username, "groups": [*groups, EVERYBODY], "resourceAttributes": attributes}
        body = {"apiVersion": LOCAL_ACCESS_REVIEWS.api_version, "kind": LOCAL_ACCESS_REVIEWS.kind, "spec": spec}
        body["metadata"] = {"namespace": attributes["namespace"]}
        answer = await kube.request("create", LOCAL_ACCESS_REVIEWS, namespace=attributes["namespace"], body=body)
        return bool((answer.get("status") or {}).get("allowed"))

    if await grants(()):
        return Right(True)
    left = sorted(set(me.groups) - {EVERYBODY}, key=lambda group: (group.startswith(SERVERS_OWN), group))
    if not left or not await grants(left):
        return Right(False)
    while len(left) > 1:
        half = len(left) // 2
        left = left[:half] if await grants(left[:half]) else left[half:]
    return Right(True, left[0])
