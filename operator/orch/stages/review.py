"""Stage Review: people's reviews. A trusted CHANGES_REQUESTED goes to the agent; missing approvals are waited for."""

from __future__ import annotations

from collections.abc import Sequence

from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import Feedback, StepStage
from orch.policy.intake import is_trusted
from orch.policy.text import cut, one_line, plain
from orch.ports import Review
from orch.stages.base import branch
from orch.stages.checks import pace
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.effects import find_effect
from orch.stages.fix import fix


async def review(ctx: RunContext) -> Outcome:
    """Address what trusted people ask for on our head, then wait for the approvals that the branch rules demand."""
    pull = ctx.run.status.pull_request
    if pull is None:
        return Done()
    reviews = await ctx.forge.reviews(pull.number)
    rules = await ctx.forge.branch_rules(branch(ctx).base_branch or "main")
    trusted = await trusted_reviewers(ctx, reviews)
    asked = [item for item in reviews if item.state == "CHANGES_REQUESTED" and item.author in trusted]
    fresh = [item for item in asked if not _answered(ctx, item)]
    if fresh:
        return await fix(ctx, StepStage.REVIEW, tuple(_feedback(item) for item in fresh[:10]))
    if asked:
        names = ", ".join(sorted({one_line(item.author, limit=40) for item in asked}))
        return Waiting(
            WaitingReason.AWAITING_REVIEW,
            f"{names} asked for changes, a fix is pushed: waiting for a new review",
            pace(ctx),
        )
    approvals = sum(item.state == "APPROVED" for item in reviews)
    if approvals < rules.required_approvals:
        message = f"GitHub demands {rules.required_approvals} approving reviews, {approvals} are there"
        return Waiting(WaitingReason.AWAITING_REVIEW, message, pace(ctx))
    return Done()


async def trusted_reviewers(ctx: RunContext, reviews: Sequence[Review]) -> frozenset[str]:
    """The logins, of those that ask for changes, whose word counts by their permission now."""
    asking = {item.author for item in reviews if item.state == "CHANGES_REQUESTED"}
    trust = ctx.repo.spec.issues.trust
    return frozenset([login for login in sorted(asking) if is_trusted(login, await ctx.forge.permission(login), trust)])


def _answered(ctx: RunContext, item: Review) -> bool:
    """Whether our head was pushed after the review was written: then it is the reviewer's turn."""
    pushed = find_effect(ctx.run, f"push/{branch(ctx).head_sha}")
    return pushed is not None and pushed.time > item.time


def _feedback(item: Review) -> Feedback:
    text = "\n\n".join([item.body, *item.comments])
    return Feedback(source=f"review by {one_line(item.author, limit=100)}", text=cut(plain(text), 30_000))
