"""`status`: every repository on one line: mode, state, runs, pull requests, cost, quota, approvals.

Called by `orch.cli.verbs.look`. It only reads: counts are the operator's own, the cost is that of the runs that are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from orch.api.conditions import find_condition, is_true
from orch.api.v1alpha1 import GROUP, IssueRun, OrchestratedRepo, TotalsStatus
from orch.cli.connection import on_cluster
from orch.cli.lookup import get_repos
from orch.cli.options import Format, Place, Which
from orch.cli.output import Listing, Row, age
from orch.cli.watching import show_once_or_on
from orch.kube.client import Kube
from orch.kube.store import Store

_COLUMNS: Final = (
    *(
        "NAME",
        "REPOSITORY",
        "MODE",
        "STATE",
        "RUNS",
        "WAITING",
        "APPROVALS",
        "PRS",
        "MERGED",
        "FAILED",
        "COST",
        "QUOTA",
    ),
    *("QUEUED", "CANCELLED", "REFUSED", "AGE", "MESSAGE"),
)
_WIDE: Final = 5


@dataclass(frozen=True)
class Wish:
    """Which repositories, and how they are printed."""

    which: Which
    output: Format | None = None
    watch: bool = False


def status(place: Place, wish: Wish) -> int:
    """Print the table. Raises Failure."""

    async def session(kube: Kube, namespace: str) -> int:
        where = wish.which.where(namespace)

        async def look() -> Listing:
            repos = await get_repos(kube, namespace, wish.which)
            runs = await Store(kube, IssueRun).list(where) if repos else []
            return table(repos, runs, now=datetime.now(UTC), where=where)

        return await show_once_or_on(look, wish.output, watch=wish.watch)

    return on_cluster(session, place)


def table(repos: Sequence[OrchestratedRepo], runs: Sequence[IssueRun], *, now: datetime, where: str | None) -> Listing:
    """A row for each repository. `where`: the namespace that was looked in; None: all, which adds its column."""
    rows = [_row(repo, _runs_of(repo, runs), now, with_namespace=where is None) for repo in repos]
    columns = ("NAMESPACE", *_COLUMNS) if where is None else _COLUMNS
    place = f"namespace {where!r}" if where else "any namespace"
    return Listing(
        columns,
        rows,
        wide=_WIDE,
        empty=f"no OrchestratedRepo in {place}: kubectl orch init owner/name prints a first one",
    )


def _runs_of(repo: OrchestratedRepo, runs: Sequence[IssueRun]) -> list[IssueRun]:
    meta = repo.metadata
    return [r for r in runs if (r.metadata.namespace, r.spec.repository_ref.name) == (meta.namespace, meta.name)]


def state_of(repo: OrchestratedRepo) -> str:
    """One word: Suspended, Ready, or the reason why it is not ready."""
    ready = find_condition(repo, "Ready")
    if repo.spec.suspend:
        return "Suspended"
    if ready is None:
        return "Unseen"
    return "Ready" if is_true(repo, "Ready") else ready.reason


def _row(repo: OrchestratedRepo, runs: Sequence[IssueRun], now: datetime, *, with_namespace: bool) -> Row:
    facts = _facts(repo, runs)
    counts, totals, quota = facts["runs"], facts["totals"], facts["rateLimit"]
    cells = (
        *((repo.metadata.namespace or "",) if with_namespace else ()),
        repo.metadata.name,
        repo.spec.repository,
        repo.spec.mode.value,
        facts["state"],
        str(counts["active"]),
        str(counts["waiting"]),
        str(counts["awaitingApproval"]),
        str(counts["openPullRequests"]),
        str(totals["merged"]),
        str(totals["failed"] + totals["rejected"]),
        f"${Decimal(facts['costUSD']):.2f}",
        f"{quota['remaining']}/{quota['limit']}" if quota else "",
        str(counts["queued"]),
        str(totals["cancelled"]),
        str(len(facts["refused"])),
        age(repo.metadata.creation_timestamp, now),
        facts["message"],
    )
    name, namespace = f"orchestratedrepo.{GROUP}/{repo.metadata.name}", repo.metadata.namespace or ""
    return Row(cells, facts, name, namespace)


def _facts(repo: OrchestratedRepo, runs: Sequence[IssueRun]) -> dict[str, Any]:
    """What `-o json` prints of a repository."""
    counts, limit, ready = repo.status.runs, repo.status.rate_limit, find_condition(repo, "Ready")
    return {
        "namespace": repo.metadata.namespace,
        "name": repo.metadata.name,
        "repository": repo.spec.repository,
        "mode": repo.spec.mode.value,
        "state": state_of(repo),
        "message": ready.message if ready else "no operator has looked at it yet",
        "runs": counts.model_dump(by_alias=True),
        "totals": (repo.status.totals or TotalsStatus()).model_dump(by_alias=True),
        "refused": [issue.dump() for issue in repo.status.refused],
        "costUSD": str(sum((run.status.usage.cost_usd for run in runs), Decimal(0))),
        "rateLimit": limit.dump() if limit else None,
    }
