"""`explain`: finds the run or the issue that was named, reads what it stands on, and prints its gates.

Called by `orch.cli.verbs.look`. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from orch.api.conditions import is_true
from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.cli.changes import shown
from orch.cli.connection import on_cluster
from orch.cli.explain.gate import Line, Scene
from orch.cli.explain.issue import IssueScene, explain_issue
from orch.cli.explain.run import blocking, explain_run
from orch.cli.lookup import get_repo, get_run, runs_of, split_issue
from orch.cli.options import WRONG_USE, Failure, Format, Place
from orch.cli.output import Listing, Row, age, say, show, show_document
from orch.cli.watching import show_once_or_on
from orch.kube.client import Kube
from orch.kube.store import Store

_COLUMNS: Final = ("GATE", "VERDICT", "SINCE", "WAITS FOR", "MESSAGE")


@dataclass(frozen=True)
class _Told:
    """What is known of a run or an issue at one look. `about`: the object; `facts`: what names it, for `-o json`."""

    about: IssueRun | OrchestratedRepo
    heading: str
    lines: Sequence[Line]
    facts: dict[str, Any]
    now: datetime

    def listing(self) -> Listing:
        rows = [
            Row(
                (line.gate, line.verdict.value, age(line.since, self.now), line.waits_for, line.message),
                line.dump(),
                shown(self.about),
                mark=line.gate,
            )
            for line in self.lines
        ]
        return Listing(_COLUMNS, rows)


def explain(place: Place, target: str, issue: int | None, output: Format | None, *, watch: bool = False) -> int:
    """Print the gates of a run, or of an issue that may have none yet; with `watch`, then each that changes. Raises Failure."""
    named = split_issue(target, issue)
    if watch and output is Format.NAME:
        raise Failure("-o name tells no change: leave -w out", code=WRONG_USE)

    async def session(kube: Kube, namespace: str) -> int:
        if not watch:
            return _print(await _look(kube, namespace, target, named), output)

        async def look() -> Listing:
            return (await _look(kube, namespace, target, named)).listing()

        return await show_once_or_on(look, output, watch=True)

    return on_cluster(session, place)


async def _look(kube: Kube, namespace: str, target: str, named: tuple[str, int] | None) -> _Told:
    if named is None:
        return await _of_run(kube, await get_run(kube, namespace, target), None)
    repo = await get_repo(kube, namespace, named[0])
    runs = await runs_of(kube, repo, named[1])
    if runs and (runs[-1].status.completion_time is None or is_true(runs[-1], "Succeeded")):
        return await _of_run(kube, runs[-1], repo)
    return await _of_issue(kube, repo, named[1], runs)


async def _of_run(kube: Kube, run: IssueRun, repo: OrchestratedRepo | None) -> _Told:
    namespace, now = run.metadata.namespace or "", datetime.now(UTC)
    repo = repo or await Store(kube, OrchestratedRepo).find(namespace, run.spec.repository_ref.name)
    asked = [entry.name for entry in run.status.approvals if entry.name]
    found = [await Store(kube, Approval).find(namespace, name) for name in asked]
    lines = explain_run(Scene(run, repo, now, [one for one in found if one is not None]))
    repository = repo.spec.repository if repo else run.spec.repository_ref.name
    issue = run.status.issue
    heading = f"{run.metadata.name}: {repository}#{run.spec.issue_number}{f' {issue.title}' if issue else ''}"
    facts = {"run": run.metadata.name, "repository": repository, "issueNumber": run.spec.issue_number}
    return _Told(run, heading, lines, facts, now)


async def _of_issue(kube: Kube, repo: OrchestratedRepo, issue: int, runs: Sequence[IssueRun]) -> _Told:
    everything = await Store(kube, IssueRun).list(repo.metadata.namespace)
    ours = [run for run in everything if run.spec.repository_ref.name == repo.metadata.name]
    lines = explain_issue(IssueScene(repo, issue, runs, ours))
    last = f"its last run is {runs[-1].metadata.name}" if runs else "it has no run yet"
    facts = {"run": None, "repository": repo.spec.repository, "issueNumber": issue}
    return _Told(repo, f"{repo.spec.repository}#{issue}: {last}", lines, facts, datetime.now(UTC))


def _print(told: _Told, output: Format | None) -> int:
    stands_at = blocking(list(told.lines))
    if output in (Format.JSON, Format.YAML):
        at = stands_at.gate if stands_at else None
        show_document({**told.facts, "standsAt": at, "gates": [line.dump() for line in told.lines]}, output)
        return 0
    if output is Format.NAME:
        show(told.listing(), output)
        return 0
    say(told.heading)
    say("")
    show(told.listing(), output)
    if stands_at is not None and stands_at.advice:
        say("")
        say(f"What you can do: {stands_at.advice}")
    return 0
