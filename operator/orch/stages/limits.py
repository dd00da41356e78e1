"""What one run may spend, and how often it may try."""

from __future__ import annotations

from decimal import Decimal

from orch.stages.contract import RunContext


def budget_limit(ctx: RunContext) -> Decimal:
    """US dollars that this run may spend: the policy's, or the lower amount that the run asked for."""
    limit = ctx.repo.spec.budget.per_run_usd
    override = ctx.run.spec.overrides.budget_usd if ctx.run.spec.overrides else None
    return min(limit, override) if override is not None else limit
