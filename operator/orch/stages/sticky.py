"""The sticky comment is edited in place. Editing is idempotent, so it needs no record but what was written last."""

from __future__ import annotations

from orch.errors import NotFound
from orch.stages import texts
from orch.stages.contract import RunContext
from orch.stages.effects import done


async def refresh_sticky(ctx: RunContext) -> None:
    """Bring the comment up to date; a person who deleted it meant it."""
    comment = done(ctx.run, f"claim/{ctx.run.status.identity}")
    if comment is None:
        return
    try:
        await ctx.forge.edit_comment(int(comment), texts.sticky(ctx.run))
    except NotFound:
        return
