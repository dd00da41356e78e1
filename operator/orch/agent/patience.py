"""How long a step waits for a service that is busy, slow or down: it obeys `retry-after`, and gives up in time.

Used by `gateway` and `model`. The gateway and the model service are never retried anywhere else, so that nine calls do not
become of three.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from orch.agent.errors import StepError

T = TypeVar("T")

MOST_ATTEMPTS: Final = 8
MOST_CUT: Final = 4
"""A stream that breaks costs its tokens each time: three more attempts, not seven. A connection that is refused costs nothing, and
is no reason to give up at the first stream that breaks."""
_FIRST_WAIT: Final = 1.0
_LONGEST_WAIT: Final = 60.0


class Trouble(StepError):
    """One attempt failed. `kind`: the service's error type, or `connection` or `cut`; `status`: None without a response."""

    def __init__(self, kind: str, message: str, *, status: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(f"{status or ''} {kind} {message}".strip())
        self.kind = kind
        self.message = message
        self.status = status
        self.retry_after = retry_after


class GaveUp(StepError):
    """Waiting has no end in sight, or the step's time is up: another step may have more luck."""


class Refused(StepError):
    """The service said no for good."""


class OutOfMoney(StepError):
    """The gateway refuses the next call: the run's limit is spent."""


@dataclass
class Patience:
    """Waits between attempts. `deadline`: monotonic time after which nobody waits; `total`: seconds of waiting in all."""

    deadline: float
    total: float = 900.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic
    _waited: float = field(default=0.0, init=False)

    def is_over(self) -> bool:
        """Whether the deadline has passed."""
        return self.now() >= self.deadline

    def keep_trying(self, act: Callable[[], T], raise_final: Callable[[Trouble], None]) -> T:
        """What `act` returns once it succeeds. `raise_final` raises for a failure that waiting does not change. Raises GaveUp."""
        failed = list[Trouble]()
        while True:
            try:
                return act()
            except Trouble as trouble:
                raise_final(trouble)
                failed.append(trouble)
                self.wait(failed)

    def wait(self, failed: Sequence[Trouble]) -> None:
        """Wait for one more attempt, after those that `failed` (at least one; the last one last). Raises GaveUp if that would be
        one too many, or would take too long."""
        trouble = failed[-1]
        if len(failed) >= MOST_ATTEMPTS or sum(each.kind == "cut" for each in failed) >= MOST_CUT:
            raise GaveUp(f"{len(failed)} attempts failed, the last with: {trouble}") from trouble
        seconds = self._seconds(trouble, len(failed))
        if self._waited + seconds > self.total or self.now() + seconds >= self.deadline:
            raise GaveUp(f"the service asks for more patience than the step has: {trouble}") from trouble
        self._waited += seconds
        self.sleep(seconds)

    def _seconds(self, trouble: Trouble, attempt: int) -> float:
        """What the server says; else exponential, with jitter so that fifty steps do not come back together."""
        if trouble.retry_after is not None:
            return trouble.retry_after
        seconds: float = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (attempt - 1))
        return seconds * random.uniform(0.5, 1.0)  # noqa: S311
