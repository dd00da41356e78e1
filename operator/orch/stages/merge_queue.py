"""The merge queue of a branch whose rules demand one: GitHub merges by itself what was put into it, so orch keeps an eye on it there.

Called by the stage Merge, and by the reconciler after each look: what may not be merged any more is taken out again, if orch has
put it in. To put it in is the act that stands behind the gate, `merge/<head>`; what is observed of it is the queue's entry.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orch.api.v1alpha1 import Effect, EffectState, Gate, IssueRun, PullRequestState, QueueStatus
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import NotMergeable
from orch.policy.checks import by_others, requires_own
from orch.policy.fitting import shortened
from orch.policy.queueing import UNTOLD, GivenBack
from orch.policy.text import one_line
from orch.ports import BranchRules, CheckState, Pull, QueueEntry, QueuePlace
from orch.stages.base import branch, not_ours
from orch.stages.checks import pace
from orch.stages.contract import Again, Outcome, RunContext, Waiting
from orch.stages.effects import find_effect, once, withdraw_effect
from orch.stages.gates import once_open
from orch.stages.pacing import SOONEST, after
from orch.stages.signs import show_on_group, show_open, since_shown

_MERGE: Final = "merge/"
_ENTERED: Final = "queue/"
"""Begin of what is observed of an entry: its id follows, nothing when it was gone again before it was seen."""
_LONGEST: Final = 128
"""Characters that are kept of an id of the host's. GitHub's own are shorter."""
_MERGED: Final = "merged"
"""GitHub's reason for an entry that ended well. The pull request shows it a moment later."""


def is_entered(run: IssueRun) -> bool:
    """Whether orch has put the head into the queue, as far as is recorded."""
    effect = _of_head(run)
    return effect is not None and _is_entry(effect)


def is_under_way(run: IssueRun) -> bool:
    """Whether the act was begun and its outcome is not known: it may be in the queue, where other things of it count."""
    effect = _of_head(run)
    return effect is not None and effect.state is not EffectState.DONE


def given_back(run: IssueRun) -> GivenBack | None:
    """The last time that the queue gave it back; None: never."""
    queue = run.status.pull_request.queue if run.status.pull_request else None
    return GivenBack(queue.reason, queue.head_sha, queue.removals, queue.failing) if queue and queue.reason else None


async def enter(ctx: RunContext, pull: Pull) -> Outcome:
    """Put our head into the queue, once. An entry that somebody else has made is waited for, and never touched."""
    head = branch(ctx).head_sha or ""
    place = await ctx.forge.queue_place(pull.number)
    queue, known = _queue(ctx.run), find_effect(ctx.run, f"{_MERGE}{head}")
    if known is None and place.entry is not None:
        return _stands(pull, place.entry, after(since_shown(ctx)), by=", into which somebody else has put it")
    if known is None:
        queue.removal_id = _removal_id(place)

    async def find() -> str | None:
        found = await ctx.forge.queue_place(pull.number)
        if found.entry is not None:
            queue.position = found.entry.position
            return _observed(found.entry)
        return _ENTERED if _news(queue, found) else None

    async def act() -> str:
        entry = await ctx.forge.enqueue(pull.number, sha=head)
        queue.position = entry.position
        return _observed(entry)

    ctx.keeps_place = True
    try:
        entered = await once_open(ctx, Gate.MERGE, f"{_MERGE}{head}", find=find, act=act)
    except NotMergeable as err:
        return await refused(ctx, err)
    if isinstance(entered, Waiting):
        return entered
    ctx.open_head = head
    return Waiting(WaitingReason.AWAITING_CHECKS, f"#{pull.number} is in the merge queue", SOONEST)


async def follow(ctx: RunContext, pull: Pull, rules: BranchRules) -> Outcome:
    """Every gate that orch watches is open: wait for GitHub, or take note that it has given the pull request back."""
    ctx.keeps_place, ctx.open_head = True, branch(ctx).head_sha
    effect, queue = _entry(ctx.run), _queue(ctx.run)
    place = await ctx.forge.queue_place(pull.number)
    if effect is not None and place.entry is not None and _is_ours(effect, place.entry):
        queue.position = place.entry.position
        if requires_own(rules) and place.entry.group_sha is not None:
            shown = await show_on_group(ctx, place.entry.group_sha)
            if shown is not None:
                return shown
        return _stands(pull, place.entry, after(ctx.clock() - effect.time))
    was_there, queue.position = queue.position is not None, None
    removal = _news(queue, place)
    if place.entry is None and (removal == _MERGED or (removal is None and was_there)):
        # its entry goes a moment before the pull request shows the merge
        return Waiting(WaitingReason.AWAITING_CHECKS, f"#{pull.number} has left the merge queue", SOONEST)
    if place.entry is None and find_effect(ctx.run, _leaving(ctx.open_head)) is not None:
        return _came_out(ctx, ctx.open_head)
    return await _take_back(ctx, queue, place, removal or UNTOLD)


async def leave(ctx: RunContext) -> Waiting | None:
    """Take the pull request out of the queue unless this look found that it may stay, or GitHub has merged it. Only what orch has
    put in: an entry of somebody else's is theirs. None: nothing is left to do. May raise as a write does."""
    effect, pull = _entry(ctx.run), ctx.run.status.pull_request
    if effect is None or pull is None or ctx.keeps_place or pull.state is PullRequestState.MERGED or not_ours(ctx.repo):
        return None
    if effect.state is not EffectState.DONE and not (await ctx.forge.branch_rules(_base(ctx))).merge_queue:
        return None
    place = await ctx.forge.queue_place(pull.number)
    is_merged = place.entry is None and _news(_queue(ctx.run), place) == _MERGED
    if ctx.run.status.failure is None and is_merged:  # too late: the pull request shows our merge a moment later
        return Waiting(None, f"#{pull.number} has left the merge queue", SOONEST)

    async def find() -> str | None:
        return None if place.entry is not None and _is_ours(effect, place.entry) else "left"

    async def act() -> str:
        await ctx.forge.dequeue(pull.number)
        return "left"

    key = _leaving(effect.key.removeprefix(_MERGE))
    try:
        left = await once(ctx, key, find=find, act=act, look_first=True)
    except NotMergeable as err:
        return Waiting(None, f"GitHub does not let #{pull.number} out of the merge queue: {err.message}", SOONEST)
    if isinstance(left, Waiting):
        return left
    withdraw_effect(ctx.run, key)  # it is one for each entry
    rest = effect.time + ctx.settle - ctx.clock()
    if effect.state is not EffectState.DONE and rest > timedelta(0):
        return Waiting(None, "what was sent to the merge queue may still arrive: looking again", min(rest, ctx.settle))
    withdraw_effect(ctx.run, effect.key)
    _queue(ctx.run).position = None
    return None


async def refused(ctx: RunContext, err: NotMergeable) -> Waiting:
    """GitHub declines a merge, or to let it into the queue: what was recorded no longer holds, so everything is looked at again."""
    ctx.run.status.checks = None
    await show_open(ctx)  # what GitHub lacks may be our word, and its own look at the rules may have been old
    rest = min(pace(ctx), after(since_shown(ctx)))
    return Waiting(WaitingReason.AWAITING_HUMAN, f"GitHub refuses the merge: {err.message}", rest)


def _leaving(head: str | None) -> str:
    """The key of the act that takes it out."""
    return f"dequeue/{head}"


def _came_out(ctx: RunContext, head: str | None) -> Again:
    """We took it out, nobody has read the answer, and it may be in again: that is no failure, and nobody else's doing."""
    withdraw_effect(ctx.run, _leaving(head))
    withdraw_effect(ctx.run, f"{_MERGE}{head}")
    return Again()


async def _take_back(ctx: RunContext, queue: QueueStatus, place: QueuePlace, reason: str) -> Outcome:
    """The head was not merged: the stage Checks looks again, and policy says what follows."""
    head = branch(ctx).head_sha
    queue.removals, queue.reason, queue.head_sha = queue.removals + 1, reason, head
    queue.removal_id, queue.failing = _removal_id(place), await _failing(ctx, place)
    withdraw_effect(ctx.run, f"{_MERGE}{head}")
    ctx.run.status.checks = None
    return Again()


async def _failing(ctx: RunContext, place: QueuePlace) -> list[str]:
    """What failed on the merge that the queue had made, for people: our head may be green."""
    sha = place.removal.group_sha if place.removal else None
    found = by_others(await ctx.forge.checks(sha)).items if sha else ()
    return shortened([one_line(check.name, 255) for check in found if check.state is CheckState.FAILED], 10)


def _stands(pull: Pull, entry: QueueEntry, rest: timedelta, *, by: str = "") -> Waiting:
    text = f"#{pull.number} is number {entry.position} in the merge queue of {pull.base_branch}{by}"
    return Waiting(WaitingReason.AWAITING_CHECKS, f"{text}: GitHub merges it when it is green there", rest)


def _news(queue: QueueStatus, place: QueuePlace) -> str | None:
    """The reason of a removal that was not looked at yet."""
    if place.removal is None or _removal_id(place) == queue.removal_id:
        return None
    return one_line(place.removal.reason.lower(), 64) or UNTOLD


def _of_head(run: IssueRun) -> Effect | None:
    """The record of the act for the head as it is."""
    return find_effect(run, f"{_MERGE}{run.status.branch.head_sha}") if run.status.branch else None


def _entry(run: IssueRun) -> Effect | None:
    """The record of what is in the queue by our act, or may be: of one head, whichever that was."""
    mine = (effect for effect in run.status.effects if effect.key.startswith(_MERGE))
    return next((effect for effect in mine if effect.state is not EffectState.DONE or _is_entry(effect)), None)


def _is_entry(effect: Effect) -> bool:
    return effect.state is EffectState.DONE and (effect.observed or "").startswith(_ENTERED)


def _is_ours(effect: Effect, entry: QueueEntry) -> bool:
    """Whether it is the entry that we have made. One whose answer was lost is taken for ours."""
    return effect.state is not EffectState.DONE or effect.observed == _observed(entry)


def _observed(entry: QueueEntry) -> str:
    return f"{_ENTERED}{one_line(entry.id, _LONGEST)}"


def _removal_id(place: QueuePlace) -> str | None:
    return one_line(place.removal.id, _LONGEST) if place.removal else None


def _queue(run: IssueRun) -> QueueStatus:
    pull = run.status.pull_request
    if pull is None:  # what is not published stands in no queue
        return QueueStatus()
    pull.queue = pull.queue or QueueStatus()
    return pull.queue


def _base(ctx: RunContext) -> str:
    return branch(ctx).base_branch or "main"
