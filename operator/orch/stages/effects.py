"""Effects happen once: intent in status, then the act, then what was observed. Used by every stage that writes to the world.

An act whose answer was lost becomes `Unknown`: it may still happen after our time-out, so the effect waits, is looked up
twice, and only then repeated (THREATS: a POST that timed out at 10 s landed at 12 s).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

from orch.api.v1alpha1 import Effect, EffectState, IssueRun
from orch.errors import Ambiguous, OrchError
from orch.stages.contract import RunContext, Waiting

_KEPT: Final = 30
_REPEATED: Final = ("push/", "merge/", "dequeue/", "group/")
"""What a run does again for each new head. The rest is done once in its life, so its record is kept as long."""

Find = Callable[[], Awaitable[str | None]]
Act = Callable[[], Awaitable[str]]


def find_effect(run: IssueRun, key: str) -> Effect | None:
    """The record of an effect, if it was ever intended."""
    return next((effect for effect in run.status.effects if effect.key == key), None)


def done(run: IssueRun, key: str) -> str | None:
    """What was observed when the effect was done, else None."""
    effect = find_effect(run, key)
    return effect.observed if effect and effect.state is EffectState.DONE else None


async def once(ctx: RunContext, key: str, *, find: Find, act: Act, look_first: bool = False) -> str | Waiting:
    """Make the effect `key` happen exactly once and return what was observed.

    `find` looks the effect up in the world (None: not there), `act` makes it. Any other failure than Ambiguous means
    that the act did not happen: its intent is withdrawn and the failure goes on. `look_first`: look it up before the
    first intent too, since a status restored from a backup has forgotten what was done after it.
    """
    observed = done(ctx.run, key)
    if observed is not None:
        return observed
    now = ctx.clock()
    known = find_effect(ctx.run, key)
    there = await find() if known is not None or look_first else None
    if there is not None:
        return _record(ctx.run, key, EffectState.DONE, now, there)
    if known is not None:
        if (
            now < known.time
        ):  # the clock was set back: how long ago it was is not known any more, so the wait is a whole one
            known = _record_effect(ctx.run, key, known.state, now, None)
        if now < known.time + ctx.settle or ctx.since_step() < ctx.settle:
            return _wait(ctx, known, now)
        if known.state is EffectState.INTENDED or known.observed != "absent":
            # The first look after the settling time found nothing; the second, a moment later, decides.
            _record(ctx.run, key, EffectState.UNKNOWN, known.time, "absent")
            return Waiting(None, f"the outcome of {key} is unknown: looking once more", timedelta(seconds=2))
    ctx.fence()  # an intent that is not acted upon costs two writes
    _record(ctx.run, key, EffectState.INTENDED, now, None)
    await ctx.save()
    return await _act(ctx, key, act)


def confirm_effect(run: IssueRun, key: str, now: datetime, observed: str) -> None:
    """Record an effect as done: a look at the world has shown it."""
    _record(run, key, EffectState.DONE, now, observed)


def withdraw_effect(run: IssueRun, key: str) -> None:
    """Forget an effect: it did not happen, or something else has taken its place."""
    run.status.effects = [effect for effect in run.status.effects if effect.key != key]


async def _act(ctx: RunContext, key: str, act: Act) -> str | Waiting:
    try:
        ctx.fence()
        observed = await act()
    except Ambiguous:
        unknown = _record_effect(ctx.run, key, EffectState.UNKNOWN, ctx.clock(), None)
        return _wait(ctx, unknown, ctx.clock())
    except OrchError:
        withdraw_effect(ctx.run, key)
        raise
    return _record(ctx.run, key, EffectState.DONE, ctx.clock(), observed)


def _wait(ctx: RunContext, effect: Effect, now: datetime) -> Waiting:
    """A clock that was set forward makes an act look old that may still be on its way."""
    rest = max(effect.time + ctx.settle - now, ctx.settle - min(ctx.since_step(), ctx.settle), timedelta(seconds=1))
    return Waiting(None, f"the outcome of {effect.key} is unknown: looking again before it is repeated", rest)


def _record(run: IssueRun, key: str, state: EffectState, time: datetime, observed: str | None) -> str:
    _record_effect(run, key, state, time, observed)
    return observed or ""


def _record_effect(run: IssueRun, key: str, state: EffectState, time: datetime, observed: str | None) -> Effect:
    effect = Effect(key=key, state=state, time=time, observed=observed)
    run.status.effects = [*_with_room([other for other in run.status.effects if other.key != key]), effect]
    return effect


def _with_room(effects: list[Effect]) -> list[Effect]:
    """At most as many as leave room for one more; the oldest push or merge goes."""
    surplus = len(effects) - (_KEPT - 1)
    dropped = [effect for effect in effects if effect.key.startswith(_REPEATED)][: max(surplus, 0)]
    return [effect for effect in effects if effect not in dropped]
