"""How long to wait after the n-th failure in a row of one key. Called by the manager's workers; no clock, no sleep."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Backoff(Generic[K]):
    """Exponential back-off with jitter for each key, forgotten at the first success."""

    def __init__(
        self,
        *,
        first: float = 1.0,
        factor: float = 2.0,
        limit: float = 300.0,
        spread: float = 0.2,
        rand: Callable[[], float] = random.random,
    ) -> None:
        """Seconds. `spread` 0.2 takes up to 20 % off, so that keys that failed together do not come back together."""
        self._first, self._factor, self._limit, self._spread = first, factor, limit, spread
        self._rand = rand
        self._failures: dict[K, int] = {}

    def next(self, key: K) -> float:
        """Count a failure; return the seconds to wait, at most `limit`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # The exponent is bounded before the power is taken: a key may fail for months.
        whole = min(self._limit, self._first * self._factor ** min(failures, 64))
        return whole * (1 - self._spread * self._rand())

    def forget(self, key: K) -> None:
        """A success, or nobody asks for the key any more."""
        self._failures.pop(key, None)

    def failures(self, key: K) -> int:
        """In a row, so far."""
        return self._failures.get(key, 0)
