"""Times in which nothing is merged. Called by the merge stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from orch.api.v1alpha1.orchestratedrepo_policy import Freeze


@dataclass(frozen=True)
class Frozen:
    """A freeze that holds now, and its end in UTC; `until` is None when its schedule cannot be read."""

    name: str
    until: datetime | None


def in_freeze(freezes: Iterable[Freeze], now: datetime) -> Frozen | None:
    """The freeze that ends last of those that hold at `now` (aware); None if none does.

    A schedule that cron cannot read (`0 17-9 * * *`, 30 February) freezes without end: a typo must not open the gate."""
    found = [frozen for freeze in freezes if (frozen := _frozen(freeze, now))]
    return max(found, key=lambda f: (f.until is None, f.until or now, f.name), default=None)


def _frozen(freeze: Freeze, now: datetime) -> Frozen | None:
    """A freeze holds from its last start at or before `now`, which is included, until its end, which is not."""
    local = now.astimezone(ZoneInfo(freeze.time_zone)).replace(microsecond=0)
    try:
        started = next(CronSim(freeze.schedule, local + timedelta(minutes=1), reverse=True))
    except CronSimError:
        return Frozen(freeze.name, None)
    except StopIteration:  # a day that never comes
        return None
    if started > local:
        started = next(CronSim(freeze.schedule, local, reverse=True))
    until = started.astimezone(UTC) + freeze.duration
    return Frozen(freeze.name, until) if until > now else None
