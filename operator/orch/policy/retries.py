"""How long to wait before a failed or waiting run is looked at again. Called by the IssueRun reconciler.

Waiting on events (a check, a person, a webhook) wakes a run earlier; this is the fallback.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orch.api.v1alpha1.vocabulary import FailureClass

MAX_TRANSIENT: Final = 8
"""Attempts at something transient, about an hour and a half in all; then the run fails."""


@dataclass(frozen=True)
class BackOff:
    """`first`, then `factor` times as long for each further attempt, at most `longest`."""

    first: timedelta
    factor: float = 1.0
    longest: timedelta = timedelta(hours=1)


TABLE: Final[dict[FailureClass, BackOff | None]] = {
    FailureClass.TRANSIENT: BackOff(timedelta(seconds=10), 3.0, timedelta(minutes=30)),
    FailureClass.LOST: BackOff(timedelta(seconds=5), 2.0, timedelta(minutes=5)),
    FailureClass.NEEDS_HUMAN: BackOff(timedelta(minutes=5), 1.5, timedelta(minutes=30)),
    FailureClass.BUDGET_EXHAUSTED: BackOff(timedelta(minutes=10)),
    FailureClass.RATE_LIMITED: BackOff(timedelta(minutes=1)),  # only if the server named no time
    FailureClass.TERMINAL: None,
    FailureClass.POLICY_DENIED: None,
    FailureClass.CANCELLED: None,
}
"""None: the run is over."""


def delay(failure: FailureClass, attempt: int, *, key: str) -> timedelta | None:
    """How long to wait after the `attempt`-th failure in a row (from 1); None if it is not tried again.

    `key` spreads runs that failed together by up to a fifth, the same for the same run, so that status is stable."""
    back_off = TABLE[failure]
    if back_off is None or (failure is FailureClass.TRANSIENT and attempt >= MAX_TRANSIENT):
        return None
    grown = back_off.first.total_seconds() * back_off.factor ** min(max(attempt, 1) - 1, 30)
    seconds = min(grown, back_off.longest.total_seconds())
    return timedelta(seconds=round(seconds * (1 + _spread(f"{key}/{attempt}") / 5), 1))


def _spread(key: str) -> float:
    """A number from 0 up to 1, the same for the same key."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") / 2**32
