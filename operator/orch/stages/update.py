"""The base branch moved: its head is merged into ours, in our mirror where that is clean, by the agent where it conflicts.

Never a rebase, never a force: our branch only gains a commit, with two parents, which is pushed like any other head.
"""

from __future__ import annotations

from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import Feedback, StepStage
from orch.stages import texts
from orch.stages.authorship import author
from orch.stages.base import branch
from orch.stages.contract import Again, Outcome, RunContext, Waiting
from orch.stages.fix import fix
from orch.stages.guard import judge
from orch.stages.pacing import SOONEST


async def bring_up_to_date(ctx: RunContext) -> Outcome:
    """Merge base into our head; a conflict goes to the agent."""
    record = branch(ctx)
    base = await ctx.git.fetch(ctx.remote, record.base_branch or "main")
    if await ctx.git.is_ancestor(ctx.remote, ancestor=base, sha=record.head_sha or ""):
        return Waiting(
            WaitingReason.AWAITING_CHECKS, "the branch is up to date, which GitHub does not show yet", SOONEST
        )
    merged = await ctx.git.merge(
        ctx.remote,
        ours=record.head_sha or "",
        theirs=base,
        message=texts.update_message(ctx.run, record.base_branch or "main"),
        author=await author(ctx),
        time=ctx.clock(),
    )
    if merged is None:
        return await resolve(ctx, f"merging {record.base_branch} conflicts")
    change = ctx.run.status.change
    diff = await ctx.git.diff(ctx.remote, base=base, sha=merged)
    if change is not None and diff.digest != change.digest:  # both sides touched a file: judged, and asked about, anew
        await judge(ctx, merged, base=base, step=change.step or "", document=texts.update_diff_key(merged))
    record.head_sha = merged
    return Again()


async def resolve(ctx: RunContext, why: str) -> Outcome:
    """Have the agent merge base into our branch and solve the conflict; Guard and Publish take it from there."""
    base = await ctx.git.fetch(ctx.remote, branch(ctx).base_branch or "main")
    return await fix(ctx, StepStage.CONFLICT, (Feedback(source="merge conflict", text=why),), merge_sha=base)
