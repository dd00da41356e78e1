"""The base branch moved: its head is merged into ours, in our mirror where that is clean, by the agent where it conflicts.

Never a rebase, never a force: our branch only gains a commit, with two parents, which is pushed like any other head.
"""

from __future__ import annotations

from orch.api.work import Feedback, StepStage
from orch.stages import texts
from orch.stages.base import branch
from orch.stages.contract import Again, Outcome, RunContext
from orch.stages.fix import fix


async def bring_up_to_date(ctx: RunContext) -> Outcome:
    """Merge base into our head; a conflict goes to the agent."""
    record = branch(ctx)
    base = await ctx.git.fetch(ctx.remote, record.base_branch or "main")
    merged = await ctx.git.merge(
        ctx.remote,
        ours=record.head_sha or "",
        theirs=base,
        message=texts.update_message(ctx.run, record.base_branch or "main"),
        author=texts.author(ctx.repo),
        time=ctx.clock(),
    )
    if merged is None:
        return await resolve(ctx, f"merging {record.base_branch} conflicts")
    diff = await ctx.git.diff(ctx.remote, base=base, sha=merged)
    record.head_sha = merged
    if ctx.run.status.change is not None:
        ctx.run.status.change.digest = diff.digest
    return Again()


async def resolve(ctx: RunContext, why: str) -> Outcome:
    """Have the agent merge base into our branch and solve the conflict; Guard and Publish take it from there."""
    base = await ctx.git.fetch(ctx.remote, branch(ctx).base_branch or "main")
    return await fix(ctx, StepStage.CONFLICT, (Feedback(source="merge conflict", text=why),), merge_sha=base)
