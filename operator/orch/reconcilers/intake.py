"""Intake: labelled issues become IssueRuns. What counts is who put the label on, not that it is there.

Called by the OrchestratedRepo reconciler. Creating a run twice meets AlreadyExists, so it may run at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta

from orch.api.v1alpha1 import (
    IssueRun,
    IssueRunSpec,
    LocalRef,
    Mode,
    ObjectMeta,
    OrchestratedRepo,
    OwnerReference,
    Trigger,
    TriggerType,
)
from orch.kube.errors import AlreadyExists
from orch.kube.owners import controller_reference
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.policy.capacity import issue_is_exhausted
from orch.policy.identity import run_name
from orch.policy.intake import find_trigger, is_trusted, wanted
from orch.ports import Clock, Forge, Issue, LabelEvent
from orch.reconcilers.index import RunIndex
from orch.reconcilers.projections import ISSUE_LABEL, REPO_LABEL


class Intake:
    """Looks at a repository's issues and makes the runs that policy allows."""

    def __init__(
        self,
        runs: Store[IssueRun],
        index: RunIndex,
        clock: Clock,
        audit: Callable[[str, Mapping[str, object]], None],
    ) -> None:
        self._runs = runs
        self._index = index
        self._clock = clock
        self._audit = audit

    async def take(self, repo: OrchestratedRepo, forge: Forge) -> None:
        """One look. Mode Manual takes nothing by itself."""
        selector = repo.spec.issues.selector
        if repo.spec.mode is Mode.MANUAL or not selector.any_of:
            return
        issues = wanted(await forge.labelled_issues(selector.any_of), selector)
        active = {run.issue for run in self._index.of_repo(repo) if not run.finished}
        for issue in issues:
            if issue.number not in active:
                await self._consider(repo, forge, issue)

    async def _consider(self, repo: OrchestratedRepo, forge: Forge, issue: Issue) -> None:
        trigger = find_trigger(await forge.label_events(issue.number), issue.labels, repo.spec.issues.selector)
        if trigger is None:
            return
        earlier = await self._attempts(repo, issue.number)
        if any(run.status.completion_time is None for run in earlier):
            return
        if any(run.spec.trigger.event_id == trigger.id for run in earlier):
            return
        limits = repo.spec.concurrency
        if issue_is_exhausted(limits, runs_of_issue=len(earlier)) or await self._day_is_full(repo):
            return
        if not is_trusted(trigger.actor, await forge.permission(trigger.actor), repo.spec.issues.trust):
            return
        await self._create(repo, issue, trigger, attempt=max((run.spec.attempt for run in earlier), default=0) + 1)

    async def _attempts(self, repo: OrchestratedRepo, issue: int) -> list[IssueRun]:
        return await self._runs.list(
            repo.metadata.namespace, labels=f"{REPO_LABEL}={repo.metadata.name},{ISSUE_LABEL}={issue}"
        )

    async def _day_is_full(self, repo: OrchestratedRepo) -> bool:
        """Runs of the last 24 hours, those that have ended among them."""
        runs = await self._runs.list(repo.metadata.namespace, labels=f"{REPO_LABEL}={repo.metadata.name}")
        since = self._clock() - timedelta(days=1)
        recent = sum((run.metadata.creation_timestamp or since) > since for run in runs)
        return recent >= repo.spec.concurrency.max_runs_per_day

    async def _create(self, repo: OrchestratedRepo, issue: Issue, trigger: LabelEvent, *, attempt: int) -> None:
        owner = controller_reference(
            Resource.of(OrchestratedRepo), repo.metadata.name, repo.metadata.uid or "", block_deletion=False
        )
        run = IssueRun(
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
                trigger=Trigger(
                    type=TriggerType.LABEL, github_login=trigger.actor, time=trigger.time, event_id=trigger.id
                ),
            ),
        )
        try:
            await self._runs.create(run)
        except AlreadyExists:
            return
        self._audit(
            "run_created",
            {
                "run": run.metadata.name,
                "namespace": run.metadata.namespace,
                "issue": issue.number,
                "actor": trigger.actor,
            },
        )
