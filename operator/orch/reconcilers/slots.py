"""Admission of runs to slots. The watch lags behind our own writes, so what was just admitted is assumed until it is seen."""

from __future__ import annotations

from orch.api.v1alpha1 import IssueRun, OrchestratedRepo
from orch.policy.capacity import Load, full
from orch.reconcilers.index import RunIndex


class AssumedSlots:
    """Counts active runs (admitted, no pull request yet) and open pull requests of a repository."""

    def __init__(self, runs: RunIndex) -> None:
        self._runs = runs
        self._assumed: dict[tuple[str, str], set[str]] = {}

    def admit(self, run: IssueRun, repo: OrchestratedRepo) -> str | None:
        """None: the run has a slot. Else which limit is reached. Synchronous on purpose: no other admission comes between."""
        namespace, name = repo.metadata.namespace or "", repo.metadata.name
        mine = {found.name: found for found in self._runs.of_repo(repo) if not found.finished}
        assumed = self._assumed.setdefault((namespace, name), set())
        assumed -= {key for key in assumed if key not in mine or mine[key].started}
        active = assumed | {key for key, found in mine.items() if found.started and not found.has_pull}
        pulls = sum(found.has_pull for found in mine.values())
        reached = full(repo.spec.concurrency, Load(active=len(active - {run.metadata.name}), open_pulls=pulls))
        if reached is not None:
            return reached
        assumed.add(run.metadata.name)
        return None
