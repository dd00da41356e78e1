"""`run`: a person asks for an issue to be processed now. Creates one IssueRun, and follows it on request.

Called by `orch.cli.app`. It never ends a run: whoever stops watching leaves it at work.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

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
from orch.cli.connection import on_cluster
from orch.cli.lookup import get_repo, runs_of, split_issue
from orch.cli.options import ANSWER_IS_NO, WRONG_USE, Failure
from orch.cli.output import say, warn
from orch.kube.client import Kube
from orch.kube.errors import AlreadyExists, Unavailable
from orch.kube.owners import controller_reference
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.policy.identity import run_name

_INTERRUPTED = 130
_PAUSE = 1.0
"""Seconds between two looks at a run."""
_PATIENCE = 60
"""Looks without an answer from the server before the watch gives up."""
_SELF = Resource("authentication.k8s.io", "v1", "selfsubjectreviews", "SelfSubjectReview")


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


def run(
    issue: str, number: int | None, wish: Wish, watch: bool, place: tuple[Path | None, str | None, str | None]
) -> int:
    """Create the run, print its name, follow it. Raises Failure."""
    target = split_issue(issue, number)
    if target is None:
        raise Failure(f"which issue of {issue}? Call it as `run owner/name#123` or `run REPO 123`", code=WRONG_USE)
    overrides = wish.overrides()
    created: list[str] = []

    async def session(kube: Kube, namespace: str) -> int:
        repo = await get_repo(kube, namespace, target[0])
        made = await _create(kube, repo, target[1], overrides)
        created.append(made.metadata.name)
        say(f"issuerun.orch.dev/{made.metadata.name} created")
        _remark(repo)
        return await follow(kube, made) if watch else 0

    try:
        return on_cluster(session, *place)
    except KeyboardInterrupt:
        name = created[0] if created else None
        warn(f"{name} goes on; look at it with: kubectl describe irun {name}" if name else "interrupted")
        return _INTERRUPTED


async def _create(kube: Kube, repo: OrchestratedRepo, issue: int, overrides: RunOverrides | None) -> IssueRun:
    earlier = await runs_of(kube, repo, issue)
    active = [run.metadata.name for run in earlier if run.status.completion_time is None]
    if active:
        raise Failure(f"{active[-1]} is still at work on this issue: kubectl describe irun {active[-1]}")
    answer = await kube.request("create", _SELF, body={"apiVersion": _SELF.api_version, "kind": _SELF.kind})
    username = str(((answer.get("status") or {}).get("userInfo") or {}).get("username") or "")
    attempt = max((run.spec.attempt for run in earlier), default=0) + 1
    wanted = _document(repo, issue, attempt, username, overrides)
    if problems := validate(wanted.dump()):
        raise Failure(f"the run would be refused: {problems[0]}", code=WRONG_USE)
    try:
        return await Store(kube, IssueRun).create(wanted)
    except AlreadyExists:
        name = wanted.metadata.name
        raise Failure(f"somebody has just started {name}: kubectl describe irun {name}") from None


def _document(
    repo: OrchestratedRepo, issue: int, attempt: int, username: str, overrides: RunOverrides | None
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
            trigger=Trigger(type=TriggerType.MANUAL, username=username),
            overrides=overrides,
        ),
    )


def _remark(repo: OrchestratedRepo) -> None:
    if repo.spec.suspend:
        warn(f"{repo.metadata.name} is suspended: the run waits until spec.suspend is unset")
    elif not is_true(repo, "Ready"):
        ready = find_condition(repo, "Ready")
        why = ready.message if ready else "no operator has looked at it yet"
        warn(f"{repo.metadata.name} is not Ready, so the run waits: {why}")


async def follow(kube: Kube, run: IssueRun) -> int:
    """A line for every change until the run has ended; 0 when it was merged, else 1."""
    store, shown, silent = Store(kube, IssueRun), "", 0
    while True:
        try:
            now = await store.find(run.metadata.namespace or "", run.metadata.name)
            silent = 0
        except Unavailable:
            silent += 1
            if silent > _PATIENCE:
                raise
            await asyncio.sleep(_PAUSE)
            continue
        if now is None or now.metadata.uid != run.metadata.uid:
            raise Failure(f"{run.metadata.name} was deleted")
        if (text := progress(now)) != shown:
            say(text)
            shown = text
        if now.status.completion_time is not None:
            return 0 if is_true(now, "Succeeded") else ANSWER_IS_NO
        await asyncio.sleep(_PAUSE)


def progress(run: IssueRun) -> str:
    """Where the run is, on one line."""
    outcome = find_condition(run, "Succeeded")
    if run.status.completion_time is not None and outcome is not None:
        word = "Succeeded" if is_true(run, "Succeeded") else "Failed"
        return f"{word} ({outcome.reason}): {outcome.message}; cost ${run.status.usage.cost_usd:.2f}"
    waiting = find_condition(run, "Waiting")
    where = run.status.stage.value if run.status.stage else "Queued"
    if waiting is not None and is_true(run, "Waiting"):
        return f"{where} waits ({waiting.reason}): {waiting.message}"
    return f"{where}: {outcome.message}" if outcome else f"{where}: no operator has looked at it yet"
