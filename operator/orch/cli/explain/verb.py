"""`explain`: finds the run or the issue that was named, reads what it stands on, and prints its gates.

Called by `orch.cli.verbs.look`. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from orch.api.conditions import is_true
from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.cli.connection import on_cluster
from orch.cli.explain.gate import Line, Scene
from orch.cli.explain.issue import IssueScene, explain_issue
from orch.cli.explain.run import blocking, explain_run
from orch.cli.lookup import get_repo, get_run, runs_of, split_issue
from orch.cli.options import Format, Place
from orch.cli.output import Listing, Row, age, say, show, show_document
from orch.kube.client import Kube
from orch.kube.store import Store

_COLUMNS: Final = ("GATE", "VERDICT", "SINCE", "WAITS FOR", "MESSAGE")


def explain(place: Place, target: str, issue: int | None, output: Format | None) -> int:
    """Print the gates of a run, or of an issue that may have none yet. Raises Failure."""
    named = split_issue(target, issue)

    async def session(kube: Kube, namespace: str) -> int:
        now = datetime.now(UTC)
        if named is None:
            run = await get_run(kube, namespace, target)
            return await _tell_run(kube, run, None, now, output)
        repo = await get_repo(kube, namespace, named[0])
        runs = await runs_of(kube, repo, named[1])
        if runs and (runs[-1].status.completion_time is None or is_true(runs[-1], "Succeeded")):
            return await _tell_run(kube, runs[-1], repo, now, output)
        return await _tell_issue(kube, repo, named[1], runs, now, output)

    return on_cluster(session, place)


async def _tell_run(
    kube: Kube, run: IssueRun, repo: OrchestratedRepo | None, now: datetime, output: Format | None
) -> int:
    namespace = run.metadata.namespace or ""
    repo = repo or await Store(kube, OrchestratedRepo).find(namespace, run.spec.repository_ref.name)
    asked = [entry.name for entry in run.status.approvals if entry.name]
    found = [await Store(kube, Approval).find(namespace, name) for name in asked]
    lines = explain_run(Scene(run, repo, now, [one for one in found if one is not None]))
    repository = repo.spec.repository if repo else run.spec.repository_ref.name
    issue = run.status.issue
    heading = f"{run.metadata.name}: {repository}#{run.spec.issue_number}{f' {issue.title}' if issue else ''}"
    facts = {"run": run.metadata.name, "repository": repository, "issueNumber": run.spec.issue_number}
    return _print(heading, lines, facts, now, output)


async def _tell_issue(
    kube: Kube, repo: OrchestratedRepo, issue: int, runs: Sequence[IssueRun], now: datetime, output: Format | None
) -> int:
    everything = await Store(kube, IssueRun).list(repo.metadata.namespace)
    ours = [run for run in everything if run.spec.repository_ref.name == repo.metadata.name]
    lines = explain_issue(IssueScene(repo, issue, runs, ours))
    last = f"its last run is {runs[-1].metadata.name}" if runs else "it has no run yet"
    facts = {"run": None, "repository": repo.spec.repository, "issueNumber": issue}
    return _print(f"{repo.spec.repository}#{issue}: {last}", lines, facts, now, output)


def _print(heading: str, lines: list[Line], facts: dict[str, Any], now: datetime, output: Format | None) -> int:
    stands_at = blocking(lines)
    if output in (Format.JSON, Format.YAML):
        at = stands_at.gate if stands_at else None
        show_document({**facts, "standsAt": at, "gates": [line.dump() for line in lines]}, output)
        return 0
    rows = [
        Row((line.gate, line.verdict.value, age(line.since, now), line.waits_for, line.message), line.dump(), line.gate)
        for line in lines
    ]
    if output is Format.NAME:
        show(Listing(_COLUMNS, rows), output)
        return 0
    say(heading)
    say("")
    show(Listing(_COLUMNS, rows), output)
    if stands_at is not None and stands_at.advice:
        say("")
        say(f"What you can do: {stands_at.advice}")
    return 0
