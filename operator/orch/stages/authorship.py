"""Who our commits are by, with the key that proves it. Called by the stages that make commits."""

from __future__ import annotations

from dataclasses import replace

from orch.ports import Author
from orch.stages import texts
from orch.stages.contract import RunContext


async def author(ctx: RunContext) -> Author:
    """As policy says. Raises CredentialsRefused when a key is named that is not there."""
    return replace(texts.author(ctx.repo), key=await ctx.signing_key())
