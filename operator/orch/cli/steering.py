"""`mode`, `pause`, `resume`, `cancel`, `drain`: what people do to work that is under way. Called by `orch.cli.verbs.steer`.

Each is one field of a spec, so `kubectl patch` does the same. Nothing here ends a step that runs.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from orch.api.v1alpha1 import EffectState, IssueRun, Mode, OrchestratedRepo, StepState
from orch.api.v1alpha1.types import parse_duration
from orch.cli.changes import Report, change, shown
from orch.cli.connection import failure, on_cluster
from orch.cli.lookup import get_repo, get_repos, get_run, get_target, is_of
from orch.cli.options import ANSWER_IS_NO, WRONG_USE, Failure, Form, Place, Which
from orch.cli.output import say, warn
from orch.cli.whoami import whoami
from orch.errors import OrchError
from orch.kube.client import Kube
from orch.kube.store import Store
from orch.reconcilers.circuit import is_open
from orch.reconcilers.projections import RESET_ANNOTATION

_MANAGERS: Final = {
    "argocd.argoproj.io/tracking-id": "Argo CD",
    "argocd.argoproj.io/instance": "Argo CD",
    "kustomize.toolkit.fluxcd.io/name": "Flux",
    "helm.toolkit.fluxcd.io/name": "Flux",
}
"""The annotations and labels by which they know what they manage."""
_PAUSE: Final = 1.0


def mode(place: Place, name: str, wanted: Mode | None, output: Form | None = None) -> int:
    """Print a repository's mode, or set it. Raises Failure, also when the object comes from Git."""

    async def session(kube: Kube, namespace: str) -> int:
        repo = await get_repo(kube, namespace, name)
        if wanted is None or wanted is repo.spec.mode:
            Report(output).tell(repo, f"{shown(repo)} is in mode {repo.spec.mode}")
            return 0
        if manager := _manager(repo):
            text = f"{repo.metadata.name} is managed by {manager}: change spec.mode in Git"
            raise Failure(f"{text}; kubectl orch pause {repo.metadata.name} stops it meanwhile", code=WRONG_USE)
        changed = await change(kube, repo, {"mode": wanted.value})
        Report(output).tell(repo, f"{shown(repo)} is now in mode {wanted}, it was {repo.spec.mode}", changed)
        return 0

    return on_cluster(session, place)


@dataclass(frozen=True)
class Many:
    """All repositories of a namespace, or of all, or those with these labels, instead of names."""

    everything: bool = False
    everywhere: bool = False
    labels: str | None = None

    @property
    def is_meant(self) -> bool:
        return self.everything or self.labels is not None


def suspend(place: Place, names: list[str], many: Many, output: Form | None = None, *, on: bool) -> int:
    """Set or unset `spec.suspend` of repositories and runs; unset, an open circuit breaker is closed too. Raises Failure.

    Of `many` each is tried, whatever became of the others; 1 if one of them was refused."""
    if bool(names) == many.is_meant or (many.everywhere and not many.is_meant):
        raise Failure("name repositories or runs, or say --all or -l (with -A: in all namespaces)", code=WRONG_USE)

    report = Report(output)

    async def session(kube: Kube, namespace: str) -> int:
        if many.is_meant:
            return await _suspend_many(kube, None if many.everywhere else namespace, many, report, on=on)
        for found in [await get_target(kube, namespace, name) for name in names]:
            if isinstance(found, IssueRun) and found.status.completion_time is not None:
                raise Failure(f"{found.metadata.name} has ended: there is nothing to {'pause' if on else 'resume'}")
            await _suspend(kube, found, report, shown(found), on=on)
        return 0

    return on_cluster(session, place)


async def _suspend_many(kube: Kube, namespace: str | None, many: Many, report: Report, *, on: bool) -> int:
    found = await Store(kube, OrchestratedRepo).list(namespace, labels=many.labels or "")
    if not found:
        warn("there is no such OrchestratedRepo: kubectl get orepo -A")
    code = 0
    for repo in sorted(found, key=lambda one: (one.metadata.namespace or "", one.metadata.name)):
        name = shown(repo) if namespace is not None else f"{shown(repo)} in {repo.metadata.namespace}"
        if bool(repo.spec.suspend) is on and (on or not is_open(repo)):
            report.tell(repo, f"{name} {'is paused already' if on else 'is not paused'}")
            continue
        try:
            await _suspend(kube, repo, report, name, on=on)
        except OrchError as error:
            warn(f"error: {name}: {failure(error)}")
            code = ANSWER_IS_NO
    return code


async def _suspend(kube: Kube, found: OrchestratedRepo | IssueRun, report: Report, name: str, *, on: bool) -> None:
    resets = not on and isinstance(found, OrchestratedRepo) and is_open(found)
    reset = {RESET_ANNOTATION: datetime.now(UTC).isoformat()} if resets else None
    changed = await change(kube, found, {"suspend": True if on else None}, annotations=reset)
    then = "paused: what is running finishes its step, then waits" if on else "resumed"
    closes = "; its circuit breaker closes, and counts anew" if resets else ""
    report.tell(found, f"{name} {then}{closes}", changed)


def cancel(place: Place, name: str, reason: str, output: Form | None = None) -> int:
    """End a run, for good; the reason is told on the issue. Raises Failure."""

    async def session(kube: Kube, namespace: str) -> int:
        run = await get_run(kube, namespace, name)
        if run.status.completion_time is not None:
            raise Failure(f"{name} has ended already: kubectl orch explain {name}")
        if run.spec.cancel is not None:
            raise Failure(f"{run.spec.cancel.username} has cancelled {name} already: {run.spec.cancel.reason}")
        asked = {"username": (await whoami(kube)).username, "reason": reason}
        changed = await change(kube, run, {"cancel": asked})
        Report(output).tell(run, f"{shown(run)} is cancelled; an open pull request stays", changed)
        return 0

    return on_cluster(session, place)


def drain(place: Place, which: Which, timeout: str | None) -> int:
    """Wait until no step and no effect is under way; 1 when that took longer than `timeout`. Raises Failure."""
    try:
        limit = parse_duration(timeout) if timeout is not None else None
    except ValueError as error:
        raise Failure(f"--timeout {timeout}: {error}", code=WRONG_USE) from None

    async def session(kube: Kube, namespace: str) -> int:
        repos = await get_repos(kube, namespace, which) if which.are_chosen else None
        for repo in repos or ():
            if not repo.spec.suspend:
                name = repo.metadata.name
                warn(f"{name} is not paused, so new steps may start: kubectl orch pause {name}")
        return await _await_rest(kube, which.where(namespace), repos, limit)

    return on_cluster(session, place)


async def _await_rest(
    kube: Kube, namespace: str | None, repos: list[OrchestratedRepo] | None, limit: timedelta | None
) -> int:
    """Of these repositories, or of every run there is, also of one whose repository is gone."""
    shown_last, loop = "", asyncio.get_running_loop()
    end = loop.time() + limit.total_seconds() if limit is not None else None
    while True:
        runs = await Store(kube, IssueRun).list(namespace, labels="!orch.dev/terminal")
        busy = sorted(filter(None, (_under_way(run) for run in runs if repos is None or is_of(run, repos))))
        if not busy:
            say("nothing is in flight")
            return 0
        if (text := "in flight: " + ", ".join(busy)) != shown_last:
            say(text)
            shown_last = text
        if end is not None and loop.time() >= end:
            return ANSWER_IS_NO
        await asyncio.sleep(_PAUSE)


def _under_way(run: IssueRun) -> str:
    """What a run has begun and not ended; empty when it is at rest."""
    steps = [step.name for step in run.status.steps if step.state in (StepState.INTENDED, StepState.RUNNING)]
    effects = [f"{run.metadata.name} {e.key}" for e in run.status.effects if e.state is not EffectState.DONE]
    return "" if run.status.completion_time is not None else ", ".join([*steps, *effects])


def _manager(repo: OrchestratedRepo) -> str | None:
    """The GitOps tool that would change the object back."""
    marks = {**repo.metadata.annotations, **repo.metadata.labels}
    return next((name for mark, name in _MANAGERS.items() if mark in marks), None)
