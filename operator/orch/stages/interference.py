"""What people and the world do while a run is on its way. Looked at before the stages, at every reconcile.

Once a pull request is published, the pull request is what counts: GitHub is asked about it and about the issue with
conditional requests, which cost nothing while nothing changed.
"""

from __future__ import annotations

from orch.api.v1alpha1 import ContentChange, IssueRun, PullRequestState, StepState, TriggerType
from orch.api.v1alpha1.reasons import OrchestratedRepoReason, WaitingReason
from orch.api.work import IssueText
from orch.errors import Cancelled, CredentialsRefused, NotFound
from orch.policy.intake import refusal
from orch.policy.text import cut, one_line, plain
from orch.ports import Issue, Pull
from orch.stages.adoption import adopted
from orch.stages.base import not_ours
from orch.stages.claim import BODY_LIMIT
from orch.stages.content import HOLD, await_label, labelled_since, stranger_labelled_last
from orch.stages.contract import RunContext, Waiting
from orch.stages.effects import find_effect
from orch.stages.gates import take_over
from orch.stages.inputs import issue_text
from orch.stages.merge import adopt_merge
from orch.stages.pacing import for_people
from orch.stages.work import place


async def interference(ctx: RunContext) -> Waiting | None:
    """None: nothing stands in the way. Raises Cancelled when a person ended the run."""
    if ctx.run.spec.cancel is not None:
        raise Cancelled(
            "CancelledByUser", f"{ctx.run.spec.cancel.username}: {one_line(ctx.run.spec.cancel.reason, limit=300)}"
        )
    if ctx.run.spec.suspend or ctx.repo.spec.suspend:
        return Waiting(WaitingReason.SUSPENDED, "the run or its repository is suspended: unset spec.suspend to go on")
    if (why := not_ours(ctx.repo)) is not None:
        return Waiting(WaitingReason.AWAITING_HUMAN, why, for_people(ctx))
    if ctx.run.status.start_time is None or ctx.run.status.issue is None or is_merged(ctx.run):
        return None
    held = await _pull(ctx)
    return held if held is not None or is_merged(ctx.run) else await _issue(ctx)


async def must_see_repository(ctx: RunContext) -> None:
    """Raises CredentialsRefused when the host answers 404 for the repository itself: then a 404 for something in it says
    nothing about that, and no run ends for it."""
    try:
        await ctx.forge.repository()
    except NotFound:
        text = f"{ctx.repo.spec.repository} is gone, or the token may not see it any more: check both"
        raise CredentialsRefused(OrchestratedRepoReason.REPOSITORY_NOT_FOUND, text) from None


def is_merged(run: IssueRun) -> bool:
    """Whether its pull request is merged, as far as was observed."""
    return run.status.pull_request is not None and run.status.pull_request.state is PullRequestState.MERGED


async def _pull(ctx: RunContext) -> Waiting | None:
    status = ctx.run.status.pull_request
    if status is None or status.number is None:
        return None
    try:
        pull = ctx.pull = await ctx.forge.get_pull(status.number)
    except NotFound:
        await must_see_repository(ctx)
        raise
    if pull.state == "merged" and pull.merge_sha:
        adopt_merge(ctx, pull.merge_sha)
        return None
    if pull.state == "closed":
        status.state = PullRequestState.CLOSED
        raise Cancelled("ClosedByHuman", f"#{pull.number} was closed without a merge")
    status.head_sha = pull.head_sha
    return await _moved(ctx, pull)


async def _moved(ctx: RunContext, pull: Pull) -> Waiting | None:
    """Somebody else's commit on our branch: orch stops pushing until a person has it go on with that. A push of ours that is on
    its way is none."""
    branch = ctx.run.status.branch
    if branch is None:
        return None
    is_ours = pull.head_sha in (branch.expected_sha, branch.head_sha)
    if not branch.taken_over and (is_ours or find_effect(ctx.run, f"push/{pull.head_sha}") is not None):
        return None
    if not branch.taken_over:
        await take_over(ctx)
    return await adopted(ctx, pull.head_sha)


async def _issue(ctx: RunContext) -> Waiting | None:
    try:
        issue = ctx.issue = await ctx.forge.get_issue(ctx.run.spec.issue_number)
    except NotFound as err:
        await must_see_repository(ctx)
        return _gone(ctx, "IssueGone", err.message)
    if issue.state != "open":
        return _gone(ctx, "IssueClosed", f"issue #{issue.number} was closed")
    held = await _content(ctx, issue)
    if held is not None:
        return held
    unwanted = refusal(issue.labels, ctx.repo.spec.issues.selector)
    if ctx.run.spec.trigger.type is TriggerType.LABEL and unwanted is not None:
        return _gone(ctx, "Unlabelled", f"issue #{issue.number} is not wanted any more: {unwanted}")
    if ctx.run.status.held_time is not None and (stranger := await stranger_labelled_last(ctx)) is not None:
        text = f"{one_line(stranger, 40)} labelled issue #{issue.number} again, whom policy does not trust with that"
        return _gone(ctx, "Unlabelled", text)
    ctx.run.status.held_time = None
    return None


def _gone(ctx: RunContext, reason: str, message: str) -> Waiting:
    """Before the pull request the run ends; after it the merge is held for a day, then the run ends and leaves the PR."""
    if ctx.run.status.pull_request is None:
        raise Cancelled(reason, message)
    since = ctx.run.status.held_time or ctx.clock()
    ctx.run.status.held_time = since
    if ctx.clock() - since > HOLD:
        raise Cancelled(reason, f"{message}; the pull request stays open")
    return Waiting(
        WaitingReason.AWAITING_HUMAN, f"{message}: the merge is held for 24 h, then the run ends", for_people(ctx)
    )


async def _content(ctx: RunContext, issue: Issue) -> Waiting | None:
    """Edits after the snapshot: held until a trusted person labels anew, or planned anew where policy says so."""
    policy = ctx.repo.spec.issues.trust.on_content_change
    if policy is ContentChange.IGNORE or _same(await issue_text(ctx), issue):
        return None
    if policy is ContentChange.HOLD:
        edited = await ctx.forge.last_edited(issue.number)
        if edited is None or not await labelled_since(ctx, edited):
            return await_label(ctx, issue)
    await _start_over(ctx)
    return None


def _same(snapshot: IssueText, issue: Issue) -> bool:
    return snapshot.title == one_line(issue.title, limit=512) and snapshot.body == cut(plain(issue.body), BODY_LIMIT)


async def _start_over(ctx: RunContext) -> None:
    """A new snapshot. What was made from the old one is dropped, unless it is public already: then it goes on from there."""
    status = ctx.run.status
    status.issue = None
    if status.pull_request is not None:
        return
    status.analysis = status.plan = status.change = None
    if status.branch is not None:
        status.branch.head_sha = status.branch.expected_sha  # a commit that nobody saw is no parent of what comes
    for step in status.steps:
        if step.state in (StepState.INTENDED, StepState.RUNNING):
            if step.runner_uid is not None:
                await ctx.runner.cancel(place(ctx.run, step), step.runner_uid)
            step.state = StepState.CANCELLED
        step.reason = "ContentChanged"
