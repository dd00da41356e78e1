"""What several stages start from: the repository that may be written to, the pinned base commit, what an earlier attempt learnt."""

from __future__ import annotations

from typing import Final

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import BranchStatus, ConditionStatus, OrchestratedRepo, Step
from orch.api.v1alpha1.reasons import OrchestratedRepoCondition, OrchestratedRepoReason
from orch.api.work import Feedback, StepOutcome
from orch.errors import Terminal
from orch.policy.identity import branch_name
from orch.stages.contract import RunContext

_NOT_OURS: Final = (OrchestratedRepoReason.REPOSITORY_CHANGED, OrchestratedRepoReason.REPOSITORY_ARCHIVED)


async def pin_base(ctx: RunContext) -> str:
    """The base branch's head when the run first looked; it stays the base of the first implementation."""
    if ctx.run.status.branch is None:
        base = base_branch(ctx)
        ctx.run.status.branch = BranchStatus(
            name=branch_name(
                ctx.repo.spec.publish.branch_prefix, ctx.run.spec.issue_number, ctx.run.status.identity or ""
            ),
            base_branch=base,
            base_sha=await ctx.git.fetch(ctx.remote, base),
        )
    sha = ctx.run.status.branch.base_sha
    if sha is None:
        raise Terminal("BaseMissing", "the run has no base commit")
    return sha


def base_branch(ctx: RunContext) -> str:
    """The branch that runs merge into: the policy's, else GitHub's default branch."""
    repository = ctx.repo.status.repository
    return ctx.repo.spec.base_branch or (repository and repository.default_branch) or "main"


def not_ours(repo: OrchestratedRepo) -> str | None:
    """Why nothing is written to the repository: it is read-only, or another one has taken its name. None: it may be."""
    ready = find_condition(repo, OrchestratedRepoCondition.READY)
    if ready is None or ready.status is not ConditionStatus.FALSE or ready.reason not in _NOT_OURS:
        return None
    return ready.message


def branch(ctx: RunContext) -> BranchStatus:
    """The run's branch; a stage that needs it stands behind the one that sets it."""
    if ctx.run.status.branch is None:
        raise Terminal("BranchMissing", "the run has lost the record of its branch: retry it")
    return ctx.run.status.branch


def learnt(ctx: RunContext) -> tuple[Feedback, ...]:
    """What the attempt before this one ended with, for the model."""
    previous = ctx.previous
    if previous is None or previous.status.failure is None:
        return ()
    failure = previous.status.failure
    return (Feedback(source=f"attempt {previous.spec.attempt}", text=f"{failure.reason}: {failure.message}"),)


def replans(ctx: RunContext) -> list[Step]:
    """The implement steps that found the plan wrong."""
    return [step for step in ctx.run.status.steps if step.reason == StepOutcome.REPLAN]
