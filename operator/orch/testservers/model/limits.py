"""Rate limits: the headers on every answer, and a refusal once a minute's requests or input tokens are used up.

Called by `app`. Source: "Rate limits: response headers" of the Claude API reference. Simpler than the true bucket:
the figures are per key and calendar minute.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from orch.testservers.model.cache import InputUsage
from orch.testservers.model.errors import ApiError

MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class Limits:
    """What one key may use in a minute. The defaults are above what a machine of tests can send."""

    requests: int = 20_000
    input_tokens: int = 50_000_000
    """Tokens read from the cache do not count, as documented."""
    output_tokens: int = 10_000_000


class Meter:
    """Counts the running minute. `clock` gives aware times."""

    def __init__(self, limits: Limits, clock: Callable[[], datetime]) -> None:
        self._limits = limits
        self._clock = clock
        self._minute: datetime | None = None
        self._used: Counter[tuple[str, str]] = Counter()

    def admit(self, owner: str) -> None:
        """Count a request. Raises ApiError 429 with `retry-after` when the minute is used up."""
        self._turn_over()
        for name in ("requests", "input-tokens", "output-tokens"):
            limit = self._limit(name)
            if self._used[owner, name] >= limit:
                wait = max(int((self._reset - self._clock()).total_seconds()), 1)
                shown = name.replace("-", " ")
                raise ApiError(
                    429,
                    f"This request would exceed your organization's rate limit of {limit} {shown} per minute.",
                    headers={"retry-after": str(wait)},
                )
        self._used[owner, "requests"] += 1

    def spend(self, owner: str, spent: InputUsage, output_tokens: int) -> None:
        """Count the tokens of an answer."""
        self._turn_over()
        self._used[owner, "input-tokens"] += spent.fresh + sum(spent.written.values())
        self._used[owner, "output-tokens"] += output_tokens

    def headers(self, owner: str) -> dict[str, str]:
        """`anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{limit,remaining,reset}`."""
        self._turn_over()
        found: dict[str, str] = {}
        for name in ("requests", "input-tokens", "output-tokens", "tokens"):
            limit = self._limit(name)
            parts = ("input-tokens", "output-tokens") if name == "tokens" else (name,)
            used = sum(self._used[owner, part] for part in parts)
            found[f"anthropic-ratelimit-{name}-limit"] = str(limit)
            found[f"anthropic-ratelimit-{name}-remaining"] = str(max(limit - used, 0))
            found[f"anthropic-ratelimit-{name}-reset"] = self._reset.strftime("%Y-%m-%dT%H:%M:%SZ")
        return found

    def _limit(self, name: str) -> int:
        limits = self._limits
        each = {"requests": limits.requests, "input-tokens": limits.input_tokens, "output-tokens": limits.output_tokens}
        return each.get(name, limits.input_tokens + limits.output_tokens)

    @property
    def _reset(self) -> datetime:
        return self._clock().replace(second=0, microsecond=0) + MINUTE

    def _turn_over(self) -> None:
        minute = self._clock().replace(second=0, microsecond=0)
        if minute != self._minute:
            self._minute, self._used = minute, Counter()
