"""The text that counts is the one that a trusted person saw when labelling. Used by the claim and by interference.

Anyone can edit an issue between its label and its claim, or later. The host says when the text was last changed; who
labels after that vouches for it. Both times are the host's, so its clock and ours need not agree.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from orch.api.v1alpha1 import ContentChange, TriggerType
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import Cancelled
from orch.policy.intake import asking, is_trusted, refusal
from orch.ports import Issue, LabelEvent
from orch.stages.contract import RunContext, Waiting
from orch.stages.pacing import for_people

RELABEL: Final = timedelta(hours=1)
"""How long a label that was taken off an edited issue is waited for: putting it on again takes two clicks."""
HOLD: Final = timedelta(hours=24)
"""The same for a run with a pull request, as for an issue that was closed."""


async def unvouched(ctx: RunContext, issue: Issue) -> Waiting | None:
    """Waiting when the issue was edited after its label, or after a person asked for the run, and nobody trusted has
    labelled it since. Where policy does not hold, the text is taken as it is now."""
    if ctx.repo.spec.issues.trust.on_content_change is not ContentChange.HOLD:
        return None
    trigger = ctx.run.spec.trigger
    asked = trigger.time if trigger.type is TriggerType.LABEL else ctx.run.metadata.creation_timestamp
    edited = await ctx.forge.last_edited(issue.number)
    if edited is None or (asked is not None and edited < asked) or await labelled_since(ctx, edited):
        return None
    return await_label(ctx, issue)


async def labelled_since(ctx: RunContext, moment: datetime) -> bool:
    """Whether a trusted person has put a selector label on after the moment. One second is as fine as the host's times
    are: a label within the same second may be older than the edit."""
    for event in await _labellings(ctx, moment):
        if await _is_trusted(ctx, event):
            return True
    return False


async def stranger_labelled_last(ctx: RunContext) -> str | None:
    """Who put a selector label on last, after the label of the trigger, without being trusted; None when nobody did."""
    asked = ctx.run.spec.trigger.time
    labellings = await _labellings(ctx, asked) if asked is not None else []
    return labellings[0].actor if labellings and not await _is_trusted(ctx, labellings[0]) else None


async def _labellings(ctx: RunContext, since: datetime) -> list[LabelEvent]:
    """Each time that a selector label was put on after `since`, newest first."""
    wanted = asking(ctx.repo.spec.issues.selector)
    events = reversed(await ctx.forge.label_events(ctx.run.spec.issue_number))
    return [event for event in events if event.added and event.label.casefold() in wanted and event.time > since]


async def _is_trusted(ctx: RunContext, event: LabelEvent) -> bool:
    return is_trusted(event.actor, await ctx.forge.permission(event.actor), ctx.repo.spec.issues.trust)


def await_label(ctx: RunContext, issue: Issue) -> Waiting:
    """Waiting for the label of somebody trusted. It may be off meanwhile: to put it on again, one takes it off first.
    Raises Cancelled when it stays off, or another label says that the issue is not wanted."""
    status, selector = ctx.run.status, ctx.repo.spec.issues.selector
    message = f"issue #{issue.number} was edited after its label: somebody trusted labels it again to go on"
    unwanted = refusal(issue.labels, selector) if ctx.run.spec.trigger.type is TriggerType.LABEL else None
    if unwanted is None:
        status.held_time = None
        return Waiting(WaitingReason.CONTENT_CHANGED, message, for_people(ctx))
    since, limit = status.held_time or ctx.clock(), HOLD if status.pull_request is not None else RELABEL
    is_only_off = refusal(issue.labels | set(selector.any_of), selector) is None
    if not is_only_off or ctx.clock() - since > limit:
        raise Cancelled("Unlabelled", f"issue #{issue.number} is not wanted any more: {unwanted}")
    status.held_time = since
    return Waiting(
        WaitingReason.CONTENT_CHANGED, f"{message}; while its label is off, the run ends soon", for_people(ctx)
    )
