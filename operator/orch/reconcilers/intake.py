"""Intake: labelled issues become IssueRuns. What counts is who put the label on, not that it is there.

Called by the OrchestratedRepo reconciler. Creating a run twice meets AlreadyExists, so it may run at any time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.v1alpha1 import (
    IssueRun,
    IssueRunSpec,
    LocalRef,
    Mode,
    ObjectMeta,
    OrchestratedRepo,
    OwnerReference,
    RefusedIssue,
    Trigger,
    TriggerType,
)
from orch.api.v1alpha1.reasons import IntakeReason
from orch.kube.errors import AlreadyExists
from orch.kube.owners import controller_reference
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.policy.capacity import issue_is_exhausted
from orch.policy.identity import run_name
from orch.policy.intake import find_trigger, is_trusted, refusal
from orch.policy.text import one_line
from orch.ports import Clock, Forge, Issue, LabelEvent
from orch.reconcilers.index import RunIndex
from orch.reconcilers.projections import ISSUE_LABEL, REPO_LABEL
from orch.reconcilers.totals import past_runs
from orch.reconcilers.trail import Audit

_BELIEVED: Final = timedelta(minutes=10)
"""How long an issue whose runs have ended is not looked up again: only a new labelling, or a deletion, changes that."""
Verify = Callable[[], Awaitable[None]]
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class _Settled:
    """The answer for an issue at one labelling under one policy."""

    trigger: str
    generation: int | None
    time: datetime
    refused: RefusedIssue


class Intake:
    """Looks at a repository's issues and makes the runs that policy allows."""

    def __init__(self, runs: Store[IssueRun], index: RunIndex, clock: Clock, audit: Audit) -> None:
        self._runs, self._index = runs, index
        self._clock, self._audit = clock, audit
        self._settled: dict[str, dict[int, _Settled]] = {}
        """By uid of the repository and number of the issue."""

    async def take(self, repo: OrchestratedRepo, forge: Forge, verify: Verify) -> list[RefusedIssue]:
        """One look; all issues that are not taken, by number, and why. Mode Manual takes nothing by itself. `verify` is asked before
        anything is started, and may raise."""
        selector, uid = repo.spec.issues.selector, repo.metadata.uid or ""
        if repo.spec.mode is Mode.MANUAL or not selector.any_of:
            self._settled.pop(uid, None)
            return []
        issues = [issue for issue in await forge.labelled_issues(selector.any_of) if issue.state == "open"]
        there, settled = {issue.number for issue in issues}, self._settled.get(uid, {})
        self._settled[uid] = {number: answer for number, answer in settled.items() if number in there}
        active = {run.issue for run in self._index.of_repo(repo) if not run.finished}
        look = _Look(repo, forge, verify, self._runs, self._clock, self._audit, self._settled[uid])
        numbered = sorted(issues, key=lambda found: found.number)
        answers = [await look.at(issue) for issue in numbered if issue.number not in active]
        return [answer for answer in answers if answer is not None]

    def forget(self, repo: OrchestratedRepo) -> None:
        """The repository is gone."""
        self._settled.pop(repo.metadata.uid or "", None)


@dataclass
class _Look:
    """One pass over a repository's issues: what has been counted on the way counts for the next issue too."""

    repo: OrchestratedRepo
    forge: Forge
    verify: Verify
    runs: Store[IssueRun]
    clock: Clock
    audit: Audit
    settled: dict[int, _Settled]
    room: int | None = None
    """Runs that may still be started today; None until somebody asks."""

    async def at(self, issue: Issue) -> RefusedIssue | None:
        """Make the issue's run, or say why not. None also where there is nothing to say: it has a run already."""
        selector = self.repo.spec.issues.selector
        unwanted = refusal(issue.labels, selector)
        if unwanted is not None:
            return _refused(issue, IntakeReason.LABEL_EXCLUDES, unwanted)
        settled = self.settled.get(issue.number)
        if settled is None:
            self.forge.hurry()
        trigger = find_trigger(await self.forge.label_events(issue.number), issue.labels, selector)
        if trigger is None:
            return None
        if settled is not None and self._stands(settled, trigger):
            return settled.refused
        labels = f"{REPO_LABEL}={self.repo.metadata.name},{ISSUE_LABEL}={issue.number}"
        earlier = await self.runs.list(self.repo.metadata.namespace, labels=labels)
        if any(run.status.completion_time is None for run in earlier):
            return None
        used = self._used_up(issue, trigger, earlier)
        if used is not None:
            self.settled[issue.number] = _Settled(trigger.id, self.repo.metadata.generation, self.clock(), used)
            return used
        return await self._start(issue, trigger, attempt=max((run.spec.attempt for run in earlier), default=0) + 1)

    def _stands(self, settled: _Settled, trigger: LabelEvent) -> bool:
        same = settled.trigger == trigger.id and settled.generation == self.repo.metadata.generation
        return same and self.clock() - settled.time < _BELIEVED

    def _used_up(self, issue: Issue, trigger: LabelEvent, earlier: list[IssueRun]) -> RefusedIssue | None:
        tried = next((run for run in earlier if run.spec.trigger.event_id == trigger.id), None)
        if tried is not None:
            ended = tried.status.failure.reason if tried.status.failure else "Merged"
            text = f"run {tried.metadata.name} of this labelling has ended ({ended}): label the issue anew for another"
            return _refused(issue, IntakeReason.ALREADY_TRIED, text)
        if issue_is_exhausted(self.repo.spec.concurrency, runs_of_issue=len(earlier)):
            most = self.repo.spec.concurrency.max_runs_per_issue
            text = f"it has had {len(earlier)} runs, concurrency.maxRunsPerIssue is {most}"
            return _refused(issue, IntakeReason.TOO_MANY_RUNS, text)
        return None

    async def _start(self, issue: Issue, trigger: LabelEvent, *, attempt: int) -> RefusedIssue | None:
        trust = self.repo.spec.issues.trust
        if not is_trusted(trigger.actor, await self.forge.permission(trigger.actor), trust):
            actor = one_line(trigger.actor, 100)
            text = f"{actor} put the label {trigger.label!r} on and has less than {trust.minimum_permission} permission"
            return _refused(issue, IntakeReason.ACTOR_NOT_TRUSTED, text)
        if await self._day_is_full():
            text = (
                f"concurrency.maxRunsPerDay is {self.repo.spec.concurrency.max_runs_per_day}, and as many were started"
            )
            return _refused(issue, IntakeReason.DAY_IS_FULL, f"{text} within 24 hours")
        await self.verify()
        await self._create(issue, trigger, attempt)
        return None

    async def _day_is_full(self) -> bool:
        """Runs of the last 24 hours, those that have ended among them; listed once in a look."""
        if self.room is None:
            since = self.clock() - _DAY
            past = await past_runs(self.runs, self.repo)
            recent = sum(datetime.fromisoformat(run["metadata"]["creationTimestamp"]) > since for run in past)
            self.room = self.repo.spec.concurrency.max_runs_per_day - recent
        return self.room <= 0

    async def _create(self, issue: Issue, trigger: LabelEvent, attempt: int) -> None:
        run = _run(self.repo, issue, trigger, attempt)
        try:
            await self.runs.create(run)
        except AlreadyExists:
            return
        self.room = (self.room or 0) - 1
        fields = {"namespace": run.metadata.namespace, "issue": issue.number, "who": trigger.actor}
        self.audit(AuditEvent.RUN_CREATED, {"run": run.metadata.name, **fields})


def _run(repo: OrchestratedRepo, issue: Issue, trigger: LabelEvent, attempt: int) -> IssueRun:
    owner = controller_reference(
        Resource.of(OrchestratedRepo), repo.metadata.name, repo.metadata.uid or "", block_deletion=False
    )
    return IssueRun(
        metadata=ObjectMeta(
            name=run_name(repo.metadata.name, issue.number, attempt),
            namespace=repo.metadata.namespace,
            labels={REPO_LABEL: repo.metadata.name, ISSUE_LABEL: str(issue.number)},
            finalizers=["orch.dev/cleanup"],
            owner_references=[OwnerReference.model_validate(owner)],
        ),
        spec=IssueRunSpec(
            repository_ref=LocalRef(name=repo.metadata.name),
            issue_number=issue.number,
            attempt=attempt,
            trigger=Trigger(type=TriggerType.LABEL, github_login=trigger.actor, time=trigger.time, event_id=trigger.id),
        ),
    )


def _refused(issue: Issue, reason: IntakeReason, text: str) -> RefusedIssue:
    return RefusedIssue(issue_number=issue.number, reason=reason.value, message=one_line(text, 512))
