"""Counts the answers to one Approval with what the cluster says at this moment: the rule, the people's rights, the logins.

Used by the Approval reconciler, and through the records by a stage that is about to use an approval. It writes nothing.
"""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from orch.api.effective import policy_digest
from orch.api.v1alpha1 import Approval, ApprovalPolicy, OrchestratedRepo, RequesterRule
from orch.kube.access import is_allowed
from orch.kube.client import Kube
from orch.kube.errors import KubeNotFound
from orch.kube.resource import Resource
from orch.kube.secrets import read_configmap
from orch.kube.store import Store
from orch.policy.approvals import Count, People, Situation, applied, count, read_logins, stricter
from orch.policy.approvals.counting import MACHINES
from orch.ports import Clock

LOGINS: Final = "orch-logins"
"""The ConfigMap of the operator's namespace that says who is who on the code host: `login: user names, one a line`."""
VERB: Final = "approve"


class Enforcement(Protocol):
    """Knows whether the API server refuses forged decisions."""

    async def enforced(self, namespace: str) -> bool:
        """Whether it does so in this namespace now. Raises KubeError when it cannot be told."""
        ...


class Counting:
    """One for the process."""

    def __init__(
        self,
        kube: Kube,
        repos: Store[OrchestratedRepo],
        *,
        enforcement: Enforcement,
        operator_namespace: str,
        clock: Clock,
    ) -> None:
        self._kube = kube
        self._repos = repos
        self._enforcement = enforcement
        self._operator_namespace = operator_namespace
        self._clock = clock

    async def count(self, approval: Approval) -> Count:
        """As if nothing were decided yet. Raises KubeError: what cannot be asked is not counted, it is asked again."""
        policy = await self._policy(approval)
        people = await self._people(approval, policy)
        return count(approval.spec, approval.status, policy=policy, people=people, now=self._clock())

    async def _policy(self, approval: Approval) -> ApprovalPolicy:
        """The rule of the question; where the repository's has changed since, that one too. Which guards and paths the
        change is about is not in the Approval, so of the new rules each that asks about them applies."""
        asked = approval.spec.policy
        repo = await self._repos.find(approval.metadata.namespace or "", approval.spec.repository_ref.name)
        if repo is None or policy_digest(repo.spec) == approval.spec.subject.policy_digest:
            return asked
        situation = Situation(gate=approval.spec.gate, risk=approval.spec.risk, guards=None, paths=None)
        return stricter(asked, applied(repo.spec.approvals, situation))

    async def _people(self, approval: Approval, policy: ApprovalPolicy) -> People:
        names = [name for name in sorted(approval.spec.decisions) if not name.startswith(MACHINES)]
        if not names:
            return People(enforced=True, may_approve=())
        namespace = approval.metadata.namespace or ""
        enforced = await self._enforcement.enforced(namespace)
        allowed = await asyncio.gather(*(self._may_approve(approval, name) for name in names))
        logins = await self._logins() if policy.requester is RequesterRule.MUST_NOT_APPROVE else {}
        may = frozenset(name for name, yes in zip(names, allowed, strict=True) if yes)
        return People(enforced=enforced, may_approve=may, logins=logins)

    async def _may_approve(self, approval: Approval, name: str) -> bool:
        groups = approval.spec.decisions[name].groups
        meta, resource = approval.metadata, Resource.of(Approval)
        return await is_allowed(
            self._kube, name, groups, VERB, resource, namespace=meta.namespace or "", name=meta.name
        )

    async def _logins(self) -> dict[str, frozenset[str]]:
        try:
            return read_logins(await read_configmap(self._kube, self._operator_namespace, LOGINS))
        except KubeNotFound:
            return {}
