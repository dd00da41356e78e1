"""Stage Verify: what follows a merge. The point of return is recorded, our branch removed, the comment made final."""

from __future__ import annotations

from orch.api.v1alpha1 import LocalRef, MergeMethod, MergeRecord, ObjectMeta, RollbackPoint, RollbackPointSpec, RunRef
from orch.stages.base import branch
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.effects import once


async def verify(ctx: RunContext) -> Outcome:
    """Record the RollbackPoint, then delete the branch if policy says so."""
    if ctx.run.status.rollback_point_ref is None:
        await _record_point(ctx)
    if ctx.repo.spec.merge.delete_branch and not (ctx.run.status.branch and ctx.run.status.branch.taken_over):
        deleted = await _delete_branch(ctx)
        if isinstance(deleted, Waiting):
            return deleted
    return Done()


async def _record_point(ctx: RunContext) -> None:
    pull, record, run = ctx.run.status.pull_request, branch(ctx), ctx.run
    sha = (pull.merge_sha if pull else None) or ""
    await ctx.git.fetch(ctx.remote, record.base_branch or "main")
    ours = f"merge/{record.head_sha}"
    by_us = any(effect.key == ours for effect in run.status.effects)
    method = await _method(ctx, record.base_branch or "main") if by_us else MergeMethod.UNKNOWN
    facts = await ctx.git.merged(ctx.remote, sha=sha, base=record.base_sha or "")
    # A squash or a merge is one commit; what else is new since our base is other people's, not to be undone with it.
    one = method in (MergeMethod.SQUASH, MergeMethod.MERGE)
    commits = [sha] if one else list(facts.commits)[:100]
    point = RollbackPoint(
        metadata=ObjectMeta(
            name=f"{ctx.repo.metadata.name}-{pull.number if pull else 0}",
            namespace=run.metadata.namespace,
            labels={"orch.dev/repo": ctx.repo.metadata.name, "orch.dev/run": run.metadata.name},
        ),
        spec=RollbackPointSpec(
            repository_ref=run.spec.repository_ref,
            run_ref=RunRef(name=run.metadata.name, uid=run.metadata.uid),
            base_branch=record.base_branch or "main",
            pull_request_number=pull.number if pull else None,
            description=(run.status.issue and run.status.issue.title) or "",
            merge=MergeRecord(method=method, sha=sha, parent_sha=facts.parent, commits=commits, time=facts.time),
        ),
    )
    await ctx.records.record_rollback_point(point)
    run.status.rollback_point_ref = LocalRef(name=point.metadata.name)


async def _method(ctx: RunContext, base: str) -> MergeMethod:
    """How our merge was made: where a queue merges, its rule decides, not policy."""
    rules = await ctx.forge.branch_rules(base)
    if not rules.merge_queue:
        return ctx.repo.spec.merge.method
    return MergeMethod(rules.queue_method) if rules.queue_method else MergeMethod.UNKNOWN


async def _delete_branch(ctx: RunContext) -> str | Waiting:
    name = branch(ctx).name or ""

    async def find() -> str | None:
        return None if await ctx.git.remote_sha(ctx.remote, name) else "deleted"

    async def act() -> str:
        await ctx.forge.delete_branch(name)
        return "deleted"

    return await once(ctx, "delete-branch", find=find, act=act)
