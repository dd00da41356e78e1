"""How long until GitHub is looked at again, where nothing wakes a run. Used by the stages that wait for it, or for people on it.

A tenth of the wait so far is not noticed by whoever waits, and many runs that wait for long ask little.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import ConditionStatus
from orch.api.v1alpha1.reasons import IssueRunCondition
from orch.stages.contract import RunContext

SOONEST: Final = timedelta(seconds=2)
"""Until the next look at what machines do."""
PEOPLE: Final = timedelta(seconds=30)
"""Until the next look at what people do."""
LATEST: Final = timedelta(minutes=5)


def after(waited: timedelta, *, soonest: timedelta = SOONEST) -> timedelta:
    """A tenth of `waited`, not below `soonest`, at most five minutes."""
    return min(max(waited / 10, soonest), LATEST)


def for_people(ctx: RunContext) -> timedelta:
    """The same by how long the run waits already, whatever for: 30 s at first."""
    waiting = find_condition(ctx.run, IssueRunCondition.WAITING)
    since = waiting.last_transition_time if waiting is not None and waiting.status is ConditionStatus.TRUE else None
    return after(ctx.clock() - since if since is not None else timedelta(0), soonest=PEOPLE)
