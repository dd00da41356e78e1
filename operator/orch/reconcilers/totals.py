"""How a repository's runs have ended: the label that a finished run carries, and the sums over those labels.

Called by the end of a run, which sets the label, and by the OrchestratedRepo reconciler, which shows the sums. It reads
metadata only: finished runs are not watched, and thousands of them must not be loaded to be counted.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Any, Final

from orch.api.v1alpha1 import FailureClass, IssueRun, OrchestratedRepo, TotalsStatus
from orch.kube.store import Store
from orch.reconcilers import circuit
from orch.reconcilers.index import RunIndex
from orch.reconcilers.projections import REPO_LABEL, TERMINAL_LABEL, Ending
from orch.runtime.reconcile import Key

_PAUSE: Final = timedelta(seconds=10)
"""Between two counts of one repository: runs that end together are counted together."""


_BY_CLASS: Final = {FailureClass.POLICY_DENIED: Ending.REJECTED, FailureClass.CANCELLED: Ending.CANCELLED}


def ending(run: IssueRun) -> Ending:
    """How a run has ended. One that was deleted before it had an outcome was cancelled."""
    failure = run.status.failure
    if failure is not None:
        return _BY_CLASS.get(failure.class_, Ending.FAILED)
    return Ending.MERGED if run.status.completion_time is not None else Ending.CANCELLED


def summed(documents: list[dict[str, Any]]) -> TotalsStatus:
    """The sums over the metadata of a repository's runs."""
    ended = Counter((document["metadata"].get("labels") or {}).get(TERMINAL_LABEL) for document in documents)
    return TotalsStatus(
        started=len(documents),
        merged=ended[Ending.MERGED],
        failed=ended[Ending.FAILED],
        rejected=ended[Ending.REJECTED],
        cancelled=ended[Ending.CANCELLED],
    )


async def past_runs(runs: Store[IssueRun], repo: OrchestratedRepo) -> list[dict[str, Any]]:
    """Metadata of all runs of a repository, those that have ended among them."""
    labels = f"{REPO_LABEL}={repo.metadata.name}"
    return (await runs.objects.list(repo.metadata.namespace, labels=labels, metadata_only=True)).items


class Totals:
    """Keeps `status.totals` and the circuit breaker's count true without counting more often than runs come and go."""

    def __init__(self, runs: Store[IssueRun], index: RunIndex) -> None:
        self._runs, self._index = runs, index
        self._counted: dict[Key, tuple[frozenset[str], datetime]] = {}

    async def bring_up_to_date(self, key: Key, repo: OrchestratedRepo, now: datetime) -> timedelta | None:
        """Count if a run has come or gone since the last count; else, or too soon after it, when to look again.

        What a new process finds in status is believed until a run comes or goes: a start must not list everything."""
        names = frozenset(run.name for run in self._index.of_repo(repo))
        known = self._counted.get(key)
        if known is None and repo.status.totals is not None:
            self._counted[key] = (names, now - _PAUSE)
            return None
        if known is not None and known[0] == names and repo.status.totals is not None:
            return None
        if known is not None and now - known[1] < _PAUSE:
            return known[1] + _PAUSE - now
        documents = await past_runs(self._runs, repo)
        repo.status.totals = summed(documents)
        circuit.count(repo, documents, now)
        self._counted[key] = (names, now)
        return None

    def forget(self, key: Key) -> None:
        """The repository is gone."""
        self._counted.pop(key, None)
