"""What goes wrong in a soak, and when: drawn from a seed, so that the same seed gives the same blows. Values only."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

WORLD = ("operator", "gateway", "github", "model")
SERVERS = ("kube-apiserver", "etcd")
EVERY = 2.0
"""Seconds between two blows, on average."""
_LATE = 2.0
"""Seconds after which a write that GitHub has not answered may still be carried out. The operator waits for longer."""
_ACTS = "^/repos/.+/(comments|pulls|labels|merge|refs/heads/.+)$"
_SECONDARY = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
_PRIMARY = "API rate limit exceeded for user ID 1."


@dataclass(frozen=True)
class Blow:
    """One thing that happens `at` seconds after the beginning.

    `kill`: `target` dies and is started again after `seconds`; `freeze`: it stands still for so long; `fault`: an order
    to GitHub's stand-in."""

    at: float
    kind: Literal["kill", "freeze", "fault"]
    target: str
    seconds: float = 0.0
    fault: Mapping[str, Any] | None = None


def schedule(seed: int, seconds: float) -> list[Blow]:
    """The blows of so many seconds, in order of time."""
    chance = random.Random(seed)
    return list(_draw(chance, seconds))


def _draw(chance: random.Random, seconds: float) -> Iterator[Blow]:
    at = chance.uniform(0.5, EVERY)
    while at < seconds:
        yield _blow(chance, round(at, 2))
        at += chance.uniform(0.2, 2 * EVERY - 0.2)


def _blow(chance: random.Random, at: float) -> Blow:
    kind = chance.choices(("kill", "freeze", "fault"), (3, 2, 3))[0]
    if kind == "fault":
        return Blow(at, "fault", "github", fault=_fault(chance))
    target = chance.choice((*WORLD, *SERVERS, "operator"))
    if kind == "kill":
        return Blow(at, "kill", target, seconds=round(chance.uniform(0.0, 2.0), 2))
    # an operator that stands still for longer than its lease has to notice that it is not the one any more
    longest = 18.0 if target == "operator" else 5.0
    return Blow(at, "freeze", target, seconds=round(chance.uniform(0.5, longest), 2))


def _fault(chance: random.Random) -> dict[str, Any]:
    count = chance.randint(1, 3)
    refused = {"headers": {"retry-after": "1"}, "count": count, "path": "^/repos/"}
    return chance.choice(
        [
            {"status": 403, "body": {"message": _SECONDARY}, **refused},
            {"status": 429, "body": {"message": _PRIMARY}, **refused},
            {"status": chance.choice((500, 502, 503)), "path": "^/repos/", "count": count},
            {"status": 502, "after": True, "path": _ACTS, "method": "POST", "count": count},
            {"drop": "after", "path": _ACTS, "method": chance.choice(("POST", "PUT", "DELETE")), "count": count},
            {"drop": "before", "path": "", "count": count},
            {"delay": round(chance.uniform(1.0, 8.0), 1), "path": "^/repos/", "count": count},
            {
                "late": round(chance.uniform(0.2, _LATE), 1),
                "drop": "before",
                "path": _ACTS,
                "method": "POST",
                "count": 1,
            },
            {"late": round(chance.uniform(0.2, _LATE), 1), "path": "/merge$", "method": "PUT", "count": 1},
            {"drop": "after", "path": "git-receive-pack$", "method": "POST", "count": 1},
        ]
    )
