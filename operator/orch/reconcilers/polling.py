"""When a repository's host is asked for new work: once in each `spec.interval`, not all repositories in the same second.

Used by the OrchestratedRepo reconciler, which is woken far more often: to count runs that moved, it needs no poll.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from orch.api.v1alpha1 import OrchestratedRepo
from orch.reconcilers.projections import RESET_ANNOTATION
from orch.runtime.reconcile import Key

VERIFIED_FOR: Final = timedelta(minutes=5)
"""How long a repository is taken for what it was while nothing is started in it: half of what a poll asks is whether it still is."""
RULES_FOR: Final = timedelta(minutes=30)
"""How long GitHub's rules are taken for what they were, while they fit: people change them seldom, and each look costs points."""
LONGEST: Final = timedelta(minutes=5)
"""At most so long after a refusal the host is asked again, unless the interval is longer: a Secret that was put right is not
watched."""
_SPREAD: Final = 0.2
"""The part of the interval that a poll may come early."""


class Polls:
    """The last poll of each repository. A new process has none: each repository is due then, and the pace spreads them."""

    def __init__(self) -> None:
        self._polled: dict[Key, tuple[datetime, object]] = {}
        self._verified: dict[Key, datetime] = {}
        self._ruled: dict[Key, datetime] = {}
        self._refusals: dict[Key, int] = {}

    def rest(self, key: Key, repo: OrchestratedRepo, now: datetime) -> timedelta | None:
        """How long the host is not asked again; None: it is time."""
        polled, asked_for = self._polled.get(key, (None, None))
        if polled is None or asked_for != _request(repo):
            return None
        rest = self.pause(key, repo.spec.interval) - (now - polled)
        return rest if rest > timedelta(0) else None

    def pause(self, key: Key, interval: timedelta) -> timedelta:
        """From the last poll to the next. After refusals in a row it is twice as long each time: GitHub locks out who comes back
        and back with a token that is none. Source: REST "Authenticating to the REST API", failed login limit."""
        longest, doublings = max(interval, LONGEST), min(max(self._refusals.get(key, 0) - 1, 0), 20)
        return pause(key, min(interval * 2**doublings, longest))

    def refused(self, key: Key, *, is_asked_for: bool) -> None:
        """Only a person can help. A look that one has asked for is the first try of a new row."""
        self._refusals[key] = 1 if is_asked_for else self._refusals.get(key, 0) + 1

    def welcomed(self, key: Key) -> None:
        """Nothing was refused."""
        self._refusals.pop(key, None)

    def is_asked_for(self, key: Key, repo: OrchestratedRepo) -> bool:
        """Whether a person wants this look: a new spec, or the annotation that asks."""
        return key in self._polled and self._polled[key][1] != _request(repo)

    def note(self, key: Key, repo: OrchestratedRepo, now: datetime) -> None:
        """The host was asked, beginning at `now`."""
        self._polled[key] = (now, _request(repo))

    def verified(self, key: Key) -> datetime:
        """When the repository was last found to be what it should be; the beginning of time if that is not known."""
        return self._verified.get(key, datetime.min.replace(tzinfo=UTC))

    def note_verified(self, key: Key, now: datetime) -> None:
        """It is what it should be."""
        self._verified[key] = now

    def ruled(self, key: Key) -> datetime:
        """When the host's rules were last read; the beginning of time if that is not known."""
        return self._ruled.get(key, datetime.min.replace(tzinfo=UTC))

    def note_ruled(self, key: Key, now: datetime) -> None:
        """The rules were read."""
        self._ruled[key] = now

    def doubt(self, key: Key) -> None:
        """Something was wrong: the next poll verifies it."""
        self._verified.pop(key, None)

    def forget(self, key: Key) -> None:
        """The object is gone."""
        self._polled.pop(key, None)
        self._verified.pop(key, None)
        self._ruled.pop(key, None)
        self._refusals.pop(key, None)


def pause(key: Key, interval: timedelta) -> timedelta:
    """From one poll to the next: up to a fifth less than the interval, by the key, so that polls which began together
    drift apart. Never more: the interval is a promise."""
    share = int.from_bytes(sha256(str(key).encode()).digest()[:4]) / 2**32
    return interval * (1 - _SPREAD * share)


def _request(repo: OrchestratedRepo) -> object:
    """What makes a look at the host due at once."""
    asked = repo.metadata.annotations
    return repo.metadata.generation, asked.get("orch.dev/requestedAt"), asked.get(RESET_ANNOTATION)
