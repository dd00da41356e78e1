"""The runs of a repository that have not ended, as the watch knows them. For counting; never for a decision about one run."""

from __future__ import annotations

from typing import Final

from orch.api.v1alpha1 import OrchestratedRepo
from orch.reconcilers.projections import RunProjection
from orch.runtime.cache import Cache

BY_REPO: Final = "repo"


class RunIndex:
    """A view of the watch's cache."""

    def __init__(self, cache: Cache[RunProjection]) -> None:
        self._cache = cache

    def of_repo(self, repo: OrchestratedRepo) -> list[RunProjection]:
        """The repository's runs without the label `orch.dev/terminal`."""
        return self.named(repo.metadata.namespace or "", repo.metadata.name)

    def named(self, namespace: str, repo: str) -> list[RunProjection]:
        """The same, by the names."""
        return self._cache.indexed(BY_REPO, f"{namespace}/{repo}")

    def all(self) -> list[RunProjection]:
        """Every run that has not ended."""
        return self._cache.select()
