"""One OrchestratedRepo for each repository of a host, whatever namespaces they are in. Two would work on the same issues,
and the second tenant's policy would govern the first one's branches.

The claim is a Lease in the operator's namespace, named by host and repository id. It is not renewed: it holds while the
object that it names exists, and that object's finalizer gives it back. Called by the OrchestratedRepo reconciler alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orch.api.v1alpha1 import OrchestratedRepo
from orch.api.v1alpha1.reasons import OrchestratedRepoReason
from orch.errors import NeedsHuman
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists, Forbidden
from orch.kube.lease import micro_time
from orch.kube.objects import Document, Objects
from orch.kube.resource import LEASES, Resource
from orch.reconcilers.projections import RepoProjection
from orch.runtime.cache import Cache, Change
from orch.runtime.reconcile import Key


@dataclass(frozen=True)
class _Holder:
    """Which object has the claim. Its uid tells it from a later one of the same name."""

    namespace: str
    name: str
    uid: str

    @classmethod
    def of(cls, repo: OrchestratedRepo) -> _Holder:
        return cls(repo.metadata.namespace or "", repo.metadata.name, repo.metadata.uid or "")

    @classmethod
    def read(cls, lease: Mapping[str, Any]) -> _Holder:
        parts = str((lease.get("spec") or {}).get("holderIdentity") or "").split("/")
        return cls(*parts) if len(parts) == 3 else cls("", "", "")

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}/{self.uid}"


class RepositoryClaims:
    """The claims of an installation. `namespace`: the operator's own."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._leases = Objects(kube, LEASES)
        self._repos = Objects(kube, Resource.of(OrchestratedRepo))
        self._namespace = namespace

    async def take(self, repo: OrchestratedRepo, repository_id: int) -> None:
        """Claim the repository, or see that it is claimed by this very object. A holder that exists no more loses it.

        Raises NeedsHuman `RepositoryClaimed`, Conflict when two take it over at once."""
        name, mine = claim_name(repo.spec.host, repository_id), _Holder.of(repo)
        lease = await self._leases.find(self._namespace, name) or await self._create(name, repo, repository_id)
        holder = _Holder.read(lease)
        if holder == mine:
            return
        if await self._exists(holder):
            raise NeedsHuman(OrchestratedRepoReason.REPOSITORY_CLAIMED, _refusal(repo, holder))
        spec = {**lease["spec"], "holderIdentity": str(mine), "acquireTime": micro_time()}
        await self._leases.update(self._namespace, name, {**lease, "spec": spec})

    async def free(self, repo: OrchestratedRepo) -> None:
        """Give the claim back, if this object has it: it is on its way out."""
        if repo.status.repository is None:
            return
        name = claim_name(repo.spec.host, repo.status.repository.id)
        lease = await self._leases.find(self._namespace, name)
        if lease is not None and _Holder.read(lease) == _Holder.of(repo):
            await self._leases.delete(self._namespace, name, uid=lease["metadata"]["uid"])

    async def _create(self, name: str, repo: OrchestratedRepo, repository_id: int) -> Document:
        about = {"orch.dev/host": repo.spec.host, "orch.dev/repositoryID": str(repository_id)}
        document = {
            "metadata": {"name": name, "annotations": about},
            "spec": {"holderIdentity": str(_Holder.of(repo)), "acquireTime": micro_time()},
        }
        try:
            return await self._leases.create(self._namespace, document)
        except AlreadyExists:  # somebody was faster
            return await self._leases.get(self._namespace, name)

    async def _exists(self, holder: _Holder) -> bool:
        """Whether the object is still there. One that the operator may not look at has not been seen to be gone."""
        if not holder.name:
            return False
        try:
            found = await self._repos.find(holder.namespace, holder.name)
        except Forbidden:
            return True
        return found is not None and found["metadata"]["uid"] == holder.uid


def claim_name(host: str, repository_id: int) -> str:
    """The Lease of a repository. A hash, for a host's name may be longer and have other signs than an object's."""
    digest = hashlib.sha256(f"{host}\n{repository_id}".encode()).hexdigest()
    return f"orch-repository-{digest[:32]}"


def rivals(repos: Cache[RepoProjection], change: Change[RepoProjection]) -> list[Key]:
    """Who may have waited for the object that is gone now: the others of a repository of this name, on whatever host."""
    gone = change.old
    if gone is None or change.new is not None:
        return []
    return [entry.key for entry in repos if entry.value.repository.casefold() == gone.repository.casefold()]


def _refusal(repo: OrchestratedRepo, holder: _Holder) -> str:
    """Tenants learn names of their own namespace only."""
    if holder.namespace == repo.metadata.namespace:
        return f"OrchestratedRepo {holder.name} works on {repo.spec.repository} already: delete one of the two"
    text = f"an OrchestratedRepo of another namespace works on {repo.spec.repository} already"
    return f"{text}: ask who runs the operator, or delete this one"
