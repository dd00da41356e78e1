"""`run` and `retry`: a person asks for an issue to be processed now. Creates one IssueRun, and follows it on request.

Called by `orch.cli.verbs.work`. It never ends a run: whoever stops watching leaves it at work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import ValidationError

from orch.api.conditions import find_condition, is_true
from orch.api.v1alpha1 import (
    IssueRun,
    IssueRunSpec,
    LocalRef,
    ObjectMeta,
    OrchestratedRepo,
    OwnerReference,
    PlanApproval,
    RunOverrides,
    Trigger,
    TriggerType,
)
from orch.api.v1alpha1.types import parse_money
from orch.api.validate import validate
from orch.cli.changes import Report, shown
from orch.cli.connection import on_cluster
from orch.cli.following import follow
from orch.cli.lookup import get_repo, get_run, runs_of, split_issue
from orch.cli.options import INTERRUPTED, WRONG_USE, Failure, Form, Place
from orch.cli.output import warn
from orch.cli.whoami import whoami
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists
from orch.kube.owners import controller_reference
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.policy.identity import run_name


@dataclass(frozen=True)
class Wish:
    """What this run shall do otherwise than policy; only ever stricter."""

    budget: str | None = None
    model: str | None = None
    plan_approval: bool = False

    def overrides(self) -> RunOverrides | None:
        """For the spec; None when nothing is asked. Raises Failure."""
        if self.budget is None and self.model is None and not self.plan_approval:
            return None
        try:
            budget = parse_money(self.budget) if self.budget is not None else None
        except ValueError as error:
            raise Failure(f"--budget {self.budget}: {error}", code=WRONG_USE) from None
        try:
            asked = PlanApproval.ALWAYS if self.plan_approval else None
            return RunOverrides(budget_usd=budget, model_name=self.model, plan_approval=asked)
        except ValidationError:
            raise Failure(
                f"--model {self.model!r} is no name of a model: 1 to 128 characters", code=WRONG_USE
            ) from None


def run(place: Place, issue: str, number: int | None, wish: Wish, watch: bool, output: Form | None) -> int:
    """Create the run, print its name, follow it. Raises Failure."""
    target = split_issue(issue, number)
    if target is None:
        raise Failure(f"which issue of {issue}? Call it as `run owner/name#123` or `run REPO 123`", code=WRONG_USE)
    overrides = wish.overrides()

    async def create(kube: Kube, namespace: str) -> IssueRun:
        repo = await get_repo(kube, namespace, target[0])
        return await _create(kube, repo, target[1], overrides, None)

    return _started(create, watch, output, place)


def retry(place: Place, name: str, wish: Wish, watch: bool, output: Form | None) -> int:
    """Create the next attempt of a run that has ended, which is told what this one learnt. Raises Failure."""
    overrides = wish.overrides()

    async def create(kube: Kube, namespace: str) -> IssueRun:
        before = await get_run(kube, namespace, name)
        if is_true(before, "Succeeded"):
            raise Failure(f"{name} was merged: there is nothing to try again")
        repo = await get_repo(kube, namespace, before.spec.repository_ref.name)
        return await _create(kube, repo, before.spec.issue_number, overrides or before.spec.overrides, before)

    return _started(create, watch, output, place)


def _started(create: Callable[[Kube, str], Awaitable[IssueRun]], watch: bool, output: Form | None, place: Place) -> int:
    created: list[str] = []

    async def session(kube: Kube, namespace: str) -> int:
        made = await create(kube, namespace)
        created.append(made.metadata.name)
        Report(output).tell(made, f"{shown(made)} created")
        return await follow(kube, made) if watch else 0

    try:
        return on_cluster(session, place)
    except KeyboardInterrupt:
        name = created[0] if created else None
        warn(f"{name} goes on; look at it with: kubectl orch explain {name}" if name else "interrupted")
        return INTERRUPTED


async def _create(
    kube: Kube, repo: OrchestratedRepo, issue: int, overrides: RunOverrides | None, before: IssueRun | None
) -> IssueRun:
    earlier = await runs_of(kube, repo, issue)
    active = [run.metadata.name for run in earlier if run.status.completion_time is None]
    if active:
        raise Failure(f"{active[-1]} is still at work on this issue: kubectl orch explain {active[-1]}")
    attempt = max((run.spec.attempt for run in earlier), default=0) + 1
    wanted = _document(repo, issue, attempt, (await whoami(kube)).username, overrides, before)
    if problems := validate(wanted.dump()):
        raise Failure(f"the run would be refused: {problems[0]}", code=WRONG_USE)
    try:
        made = await Store(kube, IssueRun).create(wanted)
    except AlreadyExists:
        name = wanted.metadata.name
        raise Failure(f"somebody has just started {name}: kubectl orch explain {name}") from None
    _remark(repo)
    return made


def _document(
    repo: OrchestratedRepo,
    issue: int,
    attempt: int,
    username: str,
    overrides: RunOverrides | None,
    before: IssueRun | None,
) -> IssueRun:
    """The object; the operator adds its finalizer."""
    meta = repo.metadata
    owner = controller_reference(Resource.of(OrchestratedRepo), meta.name, meta.uid or "", block_deletion=False)
    return IssueRun(
        metadata=ObjectMeta(
            name=run_name(meta.name, issue, attempt),
            namespace=meta.namespace,
            labels={"orch.dev/repo": meta.name, "orch.dev/issue": str(issue)},
            owner_references=[OwnerReference.model_validate(owner)],
        ),
        spec=IssueRunSpec(
            repository_ref=LocalRef(name=meta.name),
            issue_number=issue,
            attempt=attempt,
            trigger=Trigger(type=TriggerType.RETRY if before else TriggerType.MANUAL, username=username),
            retry_of=LocalRef(name=before.metadata.name) if before else None,
            overrides=overrides,
        ),
    )


def _remark(repo: OrchestratedRepo) -> None:
    if repo.spec.suspend:
        warn(f"{repo.metadata.name} is suspended, so the run waits: kubectl orch resume {repo.metadata.name}")
    elif not is_true(repo, "Ready"):
        ready = find_condition(repo, "Ready")
        why = ready.message if ready else "no operator has looked at it yet"
        warn(f"{repo.metadata.name} is not Ready, so the run waits: {why}")
