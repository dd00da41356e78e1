"""Stage Review: people's reviews. A trusted CHANGES_REQUESTED goes to the agent; missing approvals are waited for."""

from __future__ import annotations

from collections.abc import Sequence

from orch.api.v1alpha1 import PullRequestState
from orch.api.v1alpha1.reasons import WaitingReason
from orch.api.work import Feedback, StepOutcome, StepStage
from orch.policy.intake import is_trusted
from orch.policy.text import cut, one_line, plain
from orch.ports import Permission, Review
from orch.stages.base import branch
from orch.stages.checks import pace
from orch.stages.contract import Done, Outcome, RunContext, Waiting
from orch.stages.fix import fix
from orch.stages.inputs import read_input
from orch.stages.work import steps_of


async def review(ctx: RunContext) -> Outcome:
    """Address what trusted people ask for on our head, then wait for the approvals that the branch rules demand."""
    pull = ctx.run.status.pull_request
    if pull is None or pull.state is PullRequestState.MERGED:
        return Done()
    reviews = await ctx.forge.reviews(pull.number)
    rules = await ctx.forge.branch_rules(branch(ctx).base_branch or "main")
    trusted = await trusted_reviewers(ctx, reviews)
    asked = [item for item in reviews if item.state == "CHANGES_REQUESTED" and item.author in trusted]
    answered = await _answered(ctx) if asked else ()
    fresh = [item for item in asked if _source(item) not in answered]
    if fresh:
        return await fix(ctx, StepStage.REVIEW, tuple(_feedback(item) for item in fresh[:10]))
    if asked:
        names = ", ".join(sorted({one_line(item.author, limit=40) for item in asked}))
        return Waiting(
            WaitingReason.AWAITING_REVIEW,
            f"{names} asked for changes, a fix is pushed: waiting for a new review",
            pace(ctx),
        )
    approvals = len(await approvers(ctx, reviews)) if rules.required_approvals else 0
    if approvals < rules.required_approvals:
        message = f"GitHub demands {rules.required_approvals} approving reviews, {approvals} by people with write access are there"
        return Waiting(WaitingReason.AWAITING_REVIEW, message, pace(ctx))
    return Done()


async def trusted_reviewers(ctx: RunContext, reviews: Sequence[Review]) -> frozenset[str]:
    """The logins, of those that ask for changes, whose word counts by their permission now."""
    asking = {item.author for item in reviews if item.state == "CHANGES_REQUESTED"}
    trust = ctx.repo.spec.issues.trust
    return frozenset([login for login in sorted(asking) if is_trusted(login, await ctx.forge.permission(login), trust)])


async def approvers(ctx: RunContext, reviews: Sequence[Review]) -> frozenset[str]:
    """The logins whose approvals count on GitHub: of people who may write (GitHub Docs, "About protected branches")."""
    approving = sorted({item.author for item in reviews if item.state == "APPROVED"})
    return frozenset([login for login in approving if await ctx.forge.permission(login) >= Permission.WRITE])


async def _answered(ctx: RunContext) -> frozenset[str]:
    """The reviews that a fix was made for: then it is the reviewer's turn. What the step was given says it; a review that
    came while the step ran, or before a push for another reason, is not answered by that push."""
    ended = [step for step in steps_of(ctx.run, StepStage.REVIEW) if step.reason == StepOutcome.DONE]
    given = [await read_input(ctx, step) for step in ended]
    return frozenset(feedback.source for work in given for feedback in work.feedback)


def _source(item: Review) -> str:
    return f"review {item.id} by {one_line(item.author, limit=100)}"


def _feedback(item: Review) -> Feedback:
    text = "\n\n".join([item.body, *item.comments])
    return Feedback(source=_source(item), text=cut(plain(text), 30_000))
