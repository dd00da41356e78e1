"""What people are asked about when they are asked about a change. Used by the stages whose gate stands before an act.

The question is bound to the commit that was judged, and a base branch that moves must not ask it anew each time: a head
that is that commit and merges of the base branch is the same content, if git says so of the objects themselves.
"""

from __future__ import annotations

from orch.api.v1alpha1 import ChangeStatus
from orch.errors import Terminal
from orch.stages.base import branch
from orch.stages.contract import RunContext


async def asked_change(ctx: RunContext) -> ChangeStatus:
    """The run's change, whose `headSHA` is the commit to ask about. Where the head is something else than that commit and
    merges of the base branch on top of it, that something else is asked about. Raises Terminal without a change."""
    change, head = ctx.run.status.change, branch(ctx).head_sha
    if change is None or head is None:
        raise Terminal("ChangeMissing", "the run has lost the record of its change: retry it")
    if change.head_sha != head and not (change.head_sha and await _only_updates(ctx, change.head_sha, head)):
        change.head_sha = head
    return change


async def changed_paths(ctx: RunContext) -> tuple[str, ...]:
    """Every path that the head changes against the base branch."""
    diff = await ctx.git.diff(ctx.remote, base=await _base(ctx), sha=branch(ctx).head_sha or "")
    return tuple(change.path for change in diff.changes)


async def _only_updates(ctx: RunContext, content: str, head: str) -> bool:
    return await ctx.git.only_updates(ctx.remote, content=content, sha=head, base=await _base(ctx))


async def _base(ctx: RunContext) -> str:
    return await ctx.git.fetch(ctx.remote, branch(ctx).base_branch or "main")
