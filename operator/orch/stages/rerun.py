"""Checks that ended without a verdict: a machine failed, not the change. Jobs of Actions run again, the rest is for people.

Called by the stage Checks. No attempt is consumed and nothing goes to the agent, which could only guess from a log that was
cut short. One job at a time, since a workflow run takes no second order while it is at one. Of each check one record is
kept, that of its newest re-run on this head: `rerun/<head>/<check>/<number>/<id of the run that ended>`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.v1alpha1 import Effect, EffectState, IssueRun
from orch.api.v1alpha1.reasons import WaitingReason
from orch.errors import CredentialsRefused, StillRunning, Terminal
from orch.policy.checks import ChecksVerdict
from orch.policy.text import one_line
from orch.ports import Check, Checks
from orch.stages.contract import RunContext, Waiting
from orch.stages.effects import confirm_effect, done, once, withdraw_effect
from orch.stages.pacing import SOONEST

MOST: Final = 2
"""Re-runs of a check on one head. What is interrupted a third time is not chance."""
MOST_CHECKS: Final = 10
"""Checks of one head that are run again: their records have to fit into the run's status."""
_GROUP: Final = "rerun/"
_STARTED: Final = "started"
_REFUSED: Final = "refused"
"""Observed of a re-run that the host does not let us have."""
_REFUSAL_HOLDS: Final = timedelta(minutes=15)
"""Asking again costs quota, and each time a write to the cluster."""


@dataclass(frozen=True)
class _Record:
    """What is known of a check's newest re-run: its number on this head, and the run that it took the place of."""

    effect: Effect
    number: int
    check_id: int

    @property
    def is_refused(self) -> bool:
        return self.effect.observed == _REFUSED

    @property
    def used(self) -> int:
        """Re-runs that there were."""
        return self.number - self.is_refused


def take_note(ctx: RunContext, found: Checks) -> None:
    """Record what a look at the checks of the head tells of re-runs: those of other heads are history, and one whose answer
    was lost has happened if the run that it was for is not among the newest any more."""
    for effect in [effect for effect in ctx.run.status.effects if effect.key.startswith(_GROUP)]:
        if not effect.key.startswith(f"{_GROUP}{found.sha}/"):
            withdraw_effect(ctx.run, effect.key)
        elif effect.state is not EffectState.DONE and _is_replaced(found, _read(effect).check_id):
            confirm_effect(ctx.run, effect.key, ctx.clock(), _STARTED)


def newest(run: IssueRun, head: str) -> Effect | None:
    """The last re-run on this head."""
    begun = [record.effect for record in _records(run, head) if record.effect.observed == _STARTED]
    return max(begun, key=lambda effect: effect.time, default=None)


async def run_again(ctx: RunContext, head: str, verdict: ChecksVerdict, rest: timedelta) -> Waiting:
    """Have the first of the interrupted checks run again that may be; where none may, a person is asked. `rest`: until the
    next look."""
    asked = list[str]()
    for check in verdict.interrupted:
        found = _why_not(ctx, head, check) or await _start(ctx, head, check, rest)
        if isinstance(found, Waiting):
            return found
        asked.append(found)
    more = f" (and {len(asked) - 1} more)" if len(asked) > 1 else ""
    return Waiting(WaitingReason.AWAITING_HUMAN, asked[0] + more, rest)


def _why_not(ctx: RunContext, head: str, check: Check) -> str | None:
    """What a person has to do about a check that orch cannot run again; None: it can."""
    name, record = _shown(check), _record(ctx.run, head, check)
    if check.ending == "action_required":
        return f"check {name} asks a person to act: see it on GitHub"
    if not check.can_rerun:
        return f"check {name} ended as {check.ending}, and orch can run jobs of GitHub Actions alone again: start it where it runs"
    if record is None:
        full = len(list(_records(ctx.run, head))) >= MOST_CHECKS
        return (
            f"check {name} ended as {check.ending}, after {MOST_CHECKS} others that orch ran again: see to CI"
            if full
            else None
        )
    if record.is_refused and ctx.clock() - record.effect.time < _REFUSAL_HOLDS:
        return _refused(check)
    if record.used >= MOST and record.check_id != check.id:
        return f"check {name} ended as {check.ending} once more, after {MOST} re-runs: find out why, then run it again on GitHub"
    return None


async def _start(ctx: RunContext, head: str, check: Check, rest: timedelta) -> Waiting | str:
    """Waiting, for its next run; or what a person has to do since the host refuses."""
    record = _record(ctx.run, head, check)
    number = 1 if record is None else record.number if record.check_id == check.id else record.used + 1
    key = f"{_GROUP}{head}/{_tag(check)}/{number}/{check.id}"
    text = f"check {_shown(check)} ended as {check.ending} and runs again ({number} of {MOST})"
    if record is not None and (record.effect.key != key or record.is_refused):
        withdraw_effect(ctx.run, record.effect.key)
    if done(ctx.run, key) is not None:
        return Waiting(WaitingReason.AWAITING_CHECKS, f"{text}: its next run has not shown up yet", rest)

    async def find() -> str | None:
        return _STARTED if _is_replaced(await ctx.forge.checks(head), check.id or 0) else None

    async def act() -> str:
        await ctx.forge.rerun_check(check)
        return _STARTED

    try:
        started = await once(ctx, key, find=find, act=act)
    except StillRunning as err:
        text = f"check {_shown(check)} ended as {check.ending} and is to run again: {err.message}"
        return Waiting(WaitingReason.AWAITING_CHECKS, text, rest)
    except (CredentialsRefused, Terminal) as err:
        if err.reason == "BadCredentials":
            raise
        ctx.lines(AuditEvent.RERUN_REFUSED, {"check": _shown(check), "why": err.message})
        confirm_effect(ctx.run, key, ctx.clock(), _REFUSED)
        return _refused(check)
    return started if isinstance(started, Waiting) else Waiting(WaitingReason.AWAITING_CHECKS, text, SOONEST)


def _refused(check: Check) -> str:
    return (
        f"check {_shown(check)} ended as {check.ending}, and GitHub does not let orch run it again: grant the token the "
        "permission Actions (write), or run it again on GitHub"
    )


def _records(run: IssueRun, head: str) -> Iterator[_Record]:
    return (_read(effect) for effect in run.status.effects if effect.key.startswith(f"{_GROUP}{head}/"))


def _record(run: IssueRun, head: str, check: Check) -> _Record | None:
    mine = f"{_GROUP}{head}/{_tag(check)}/"
    return next((record for record in _records(run, head) if record.effect.key.startswith(mine)), None)


def _read(effect: Effect) -> _Record:
    *_, number, check_id = effect.key.split("/")
    return _Record(effect, int(number), int(check_id))


def _is_replaced(found: Checks, check_id: int) -> bool:
    """Whether another run has taken its place. Statuses alone tell nothing of it."""
    return found.readable and all(item.id != check_id for item in found.items)


def _tag(check: Check) -> str:
    """The check's name, in a key: whoever reports a check names it, at any length."""
    return sha256(check.name.encode(errors="replace")).hexdigest()[:10]


def _shown(check: Check) -> str:
    return repr(one_line(check.name, 100))
