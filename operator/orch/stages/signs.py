"""What is going on shows on GitHub beside the sticky comment: a commit status `orch` on our head, and labels on the issue.

Called by the reconciler after each look, by publish, merge and the ending. A sign is an effect like any other, but that a new one
takes the place of the one before it. It is written when it changes, never because time goes by; and but for the one that branch rules
may require before a merge, none holds a run up: what cannot be shown now is shown later. None is put up before the issue is claimed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.conditions import remove_condition, set_condition
from orch.api.v1alpha1 import Effect, EffectState, IssueRun, StepState
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason, WaitingReason
from orch.errors import CredentialsRefused, LeaseEnding, OrchError, RateLimited, Terminal
from orch.kube.errors import KubeError
from orch.policy.checks import OWN_CONTEXT
from orch.policy.intake import DECLINED, WAITING
from orch.ports import CommitStatus, StatusState
from orch.stages import texts
from orch.stages.base import not_ours
from orch.stages.contract import RunContext, Waiting
from orch.stages.effects import Act, Find, confirm_effect, done, find_effect, once, withdraw_effect
from orch.stages.pacing import SOONEST
from orch.stages.sticky import refresh_sticky

REFUSED: Final = "refused"
"""Observed of a sign that the host does not let us put up."""
_REFUSAL_HOLDS: Final = timedelta(minutes=15)
"""Asking again costs quota, and each time a write to the cluster."""
_LATER: Final = timedelta(minutes=5)
_ASKING: Final = frozenset(
    {
        WaitingReason.AWAITING_APPROVAL,
        WaitingReason.AWAITING_HUMAN,
        WaitingReason.AWAITING_REVIEW,
        WaitingReason.CONTENT_CHANGED,
        WaitingReason.TAKEN_OVER,
    }
)
"""What only people end."""
_NOTHING_DECLINED: Final = frozenset(
    {
        IssueRunReason.CLAIMED_ELSEWHERE,
        IssueRunReason.DELETED,
        IssueRunReason.ISSUE_CLOSED,
        IssueRunReason.UNLABELLED,
        "IssueGone",
    }
)
"""The issue is another run's, or people do not want it done any more: orch has not declined it."""


async def show(ctx: RunContext, outcome: Waiting) -> timedelta | None:
    """Show how a run stands that goes on. When to come back, if something is left to show; None: nothing is."""
    if not _is_claimed(ctx.run) or outcome.reason is WaitingReason.SUSPENDED or not_ours(ctx.repo) is not None:
        return None
    wanted = None if ctx.open_head == _head(ctx.run) else _pending(ctx.run, outcome)
    rests = [
        await _quietly(ctx, _status(ctx, wanted)),
        await _quietly(ctx, _label(ctx, DECLINED, False)),
        await _quietly(ctx, _comment(ctx)),
    ]
    if outcome.reason is not None or wanted is not None:
        rests.append(await _quietly(ctx, _label(ctx, WAITING, outcome.reason in _ASKING)))
    return min((rest for rest in rests if rest is not None), default=None)


async def show_open(ctx: RunContext) -> bool | Waiting:
    """Show that nothing of orch's own stands between our head and its merge; whether that was news. May raise as a write does."""
    key = _status_key(ctx.run, OPEN)
    is_known = key is None or done(ctx.run, key) is not None
    return await _status(ctx, OPEN) or not is_known


async def show_on_group(ctx: RunContext, sha: str) -> Waiting | None:
    """Say on the merge that a queue tests what is said of our head: a required status is awaited there as well. Only a look that
    found every gate open comes here. May raise as a write does."""
    key, url = f"group/{sha}", (ctx.run.status.issue and ctx.run.status.issue.url) or ""
    for old in [effect.key for effect in ctx.run.status.effects if effect.key.startswith("group/")]:
        if old != key:
            withdraw_effect(ctx.run, old)

    async def find() -> str | None:
        return OPEN.state.value if await ctx.forge.find_status(sha, OWN_CONTEXT) == OPEN else None

    async def act() -> str:
        await ctx.forge.set_status(sha, OWN_CONTEXT, OPEN, url=url)
        return OPEN.state.value

    shown = await once(ctx, key, find=find, act=act)
    return shown if isinstance(shown, Waiting) else None


def since_shown(ctx: RunContext) -> timedelta:
    """How long what is shown on our head has stood; long when nothing is."""
    key = _status_key(ctx.run, OPEN)
    shown = find_effect(ctx.run, key) if key else None
    return ctx.clock() - shown.time if shown else timedelta.max


async def show_end(ctx: RunContext, *, by_us: bool) -> timedelta | None:
    """Show how the run ended, and take down what does not hold any more; when to come back if an answer was lost. `by_us`: our
    merge, which stood behind all gates; of one that somebody else made nothing is said. May raise as a write does."""
    if not _is_claimed(ctx.run):
        return None
    failure = ctx.run.status.failure
    wanted = texts.failed_status(failure) if failure is not None else OPEN if by_us else None
    declined = failure is not None and failure.reason not in _NOTHING_DECLINED
    waiting = await _status(ctx, wanted) or await _label(ctx, WAITING, False) or await _label(ctx, DECLINED, declined)
    return waiting.retry_after if waiting is not None else None


OPEN: Final = CommitStatus(StatusState.SUCCESS, "nothing of orch's own stands in the way of a merge")


def _pending(run: IssueRun, outcome: Waiting) -> CommitStatus | None:
    """None: what is shown stands. A pause of a moment is no news."""
    is_working = any(step.state in (StepState.INTENDED, StepState.RUNNING) for step in run.status.steps)
    if outcome.reason is None and not is_working:
        return None
    text = texts.waiting_status(outcome.reason, outcome.message)
    return CommitStatus(StatusState.PENDING, text) if text else None


async def _status(ctx: RunContext, wanted: CommitStatus | None) -> Waiting | None:
    key = _status_key(ctx.run, wanted) if wanted is not None else None
    if wanted is None or key is None:
        return None
    head, url = _head(ctx.run) or "", (ctx.run.status.issue and ctx.run.status.issue.url) or ""

    async def find() -> str | None:
        found = await ctx.forge.find_status(head, OWN_CONTEXT)
        return wanted.state.value if found == wanted else None

    async def act() -> str:
        try:
            await ctx.forge.set_status(head, OWN_CONTEXT, wanted, url=url)
        except CredentialsRefused as err:
            _show_refusal(ctx, err)
            raise
        return wanted.state.value

    outcome = await _put(ctx, "status/", key, find=find, act=act)
    if isinstance(outcome, Waiting):
        return outcome
    if outcome != REFUSED:
        remove_condition(ctx.run, IssueRunCondition.STATUS_SHOWN)
    return None


def _show_refusal(ctx: RunContext, err: CredentialsRefused) -> None:
    text = f"{err.message}. Grant the token the permission Commit statuses (write)"
    set_condition(ctx.run, IssueRunCondition.STATUS_SHOWN, False, IssueRunReason.STATUS_REFUSED, text, ctx.clock())


async def _label(ctx: RunContext, name: str, on: bool) -> Waiting | None:
    """Put a label of ours on the issue, or take it off; one that people took off by themselves stays off."""
    number, group = ctx.run.spec.issue_number, f"label/{name}/"
    is_there = ctx.issue is not None and _holds(ctx.issue.labels, name)
    if not on and not is_there and not any(effect.key.startswith(group) for effect in ctx.run.status.effects):
        return None

    async def find() -> str | None:
        return "there" if _holds((await ctx.forge.get_issue(number)).labels, name) is on else None

    async def act() -> str:
        await (ctx.forge.add_labels(number, [name]) if on else ctx.forge.remove_label(number, name))
        return "there"

    outcome = await _put(ctx, group, f"{group}{'on' if on else 'off'}", find=find, act=act)
    return outcome if isinstance(outcome, Waiting) else None


async def _comment(ctx: RunContext) -> Waiting | None:
    """Have the sticky comment tell that the branch was taken over and how to go on, or that the run is at work again."""
    record, group = ctx.run.status.branch, "comment/"
    is_theirs = record is not None and record.taken_over
    if not is_theirs and not any(effect.key.startswith(group) for effect in ctx.run.status.effects):
        return None

    async def find() -> str | None:
        return None  # the same words once more change nothing

    async def act() -> str:
        await refresh_sticky(ctx)
        return "there"

    outcome = await _put(ctx, group, f"{group}{'taken-over' if is_theirs else 'at-work'}", find=find, act=act)
    return outcome if isinstance(outcome, Waiting) else None


async def _put(ctx: RunContext, group: str, key: str, *, find: Find, act: Act) -> str | Waiting:
    """Make `key` the sign of its group that stands; what was observed of it. One before it whose answer was lost may still land,
    and would then stand in its place: that is waited for."""
    others = [e for e in ctx.run.status.effects if e.key.startswith(group) and e.key != key]
    for other in others:
        rest = _landing(ctx, other)
        if rest > timedelta(0):
            return Waiting(None, f"the outcome of {other.key} is unknown: waiting before something else is shown", rest)
        withdraw_effect(ctx.run, other.key)
    # what was begun and never came leaves the sign before it, which may be the one that is wanted again
    is_open = any(other.state is not EffectState.DONE for other in others)
    known = find_effect(ctx.run, key)
    if known is not None and known.observed == REFUSED and ctx.clock() - known.time >= _REFUSAL_HOLDS:
        withdraw_effect(ctx.run, key)
    try:
        outcome = await once(ctx, key, find=find, act=act, look_first=is_open)
    except (CredentialsRefused, Terminal) as err:
        if err.reason == "BadCredentials":
            raise
        ctx.lines(AuditEvent.SIGN_REFUSED, {"effect": key, "why": err.message})
        refusal = Effect(key=key, state=EffectState.DONE, time=ctx.clock(), observed=REFUSED)
        ctx.run.status.effects = [*ctx.run.status.effects, refusal]
        return REFUSED
    _tell_apart(ctx.run, key, others)
    return outcome


def _tell_apart(run: IssueRun, key: str, others: Sequence[Effect]) -> None:
    """Give a sign a later time than those in whose place it stands. A status keeps whole seconds (metav1.Time), and the same sign
    put up, taken down and put up again within one would be one and the same fact to auditors."""
    effect = find_effect(run, key)
    if effect is None or effect.state is not EffectState.DONE or not others:
        return
    soonest = max(other.time for other in others).replace(microsecond=0) + timedelta(seconds=1)
    if effect.time < soonest:
        confirm_effect(run, key, soonest, effect.observed or "")


def _landing(ctx: RunContext, effect: Effect) -> timedelta:
    """How long an act with a lost answer may still happen. The clock may have been set back since."""
    if effect.state is EffectState.DONE:
        return timedelta(0)
    return min(effect.time + ctx.settle - ctx.clock(), ctx.settle)


async def _quietly(ctx: RunContext, shown: Awaitable[Waiting | None]) -> timedelta | None:
    try:
        waiting = await shown
    except KubeError:
        raise
    except RateLimited as err:
        return max(err.retry_at - ctx.clock(), timedelta(seconds=1))
    except LeaseEnding:
        return SOONEST
    except OrchError:
        return _LATER
    return waiting.retry_after if waiting is not None else None


def _status_key(run: IssueRun, wanted: CommitStatus) -> str | None:
    """The head and what is said of it; None while nothing of the run is published."""
    head = _head(run)
    said = sha256(f"{wanted.state}\n{wanted.description}".encode()).hexdigest()[:10]
    return f"status/{head}/{said}" if head else None


def _head(run: IssueRun) -> str | None:
    """The commit that the run has published in its pull request."""
    return run.status.branch.expected_sha if run.status.branch and run.status.pull_request else None


def _is_claimed(run: IssueRun) -> bool:
    return done(run, f"claim/{run.status.identity}") is not None


def _holds(labels: frozenset[str], name: str) -> bool:
    """GitHub's labels ignore case."""
    return name in {label.casefold() for label in labels}
