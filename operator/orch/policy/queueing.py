"""What follows when a merge queue gives a pull request back unmerged: enter again, take the base branch in, or ask a person.

Called by `merging`. The reasons are GitHub's words in `RemovedFromMergeQueueEvent.reason`, which its documentation does not list:
those here are seen in timelines, and named alike in the webhook "pull_request.dequeued". An unknown one counts as its own failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orch.policy.text import one_line

MOST: Final = 3
"""So often a run is given back, whatever for and whichever its head; then only a person puts it into the queue."""
_SHOWN: Final = 3
"""So many of the checks that failed are named in a message."""
UNTOLD: Final = "untold"
"""It was gone from the queue, and GitHub has told no reason."""
_BY_HAND: Final = frozenset({"manual"})
_NOT_ITS_OWN: Final = frozenset({"queue_cleared", "roll_back", "stack_invalidated"})
"""Something else in the queue, or the queue itself, was the cause."""
_WORDS: Final = {
    "failed_checks": "its checks failed there, on the merge with what was in front of it",
    "checks_timed_out": "its required checks did not report there in time (does CI run on merge_group?)",
    "merge_conflict": "it conflicts with what was in front of it",
    UNTOLD: "GitHub does not say why",
}
_BY_PERSON: Final = "a person can queue it again on GitHub (Merge when ready), or push what mends it"


@dataclass(frozen=True)
class GivenBack:
    """`head`: the commit that was given back the last time; `times`: how often that happened in this run; `failing`: what
    failed there."""

    reason: str
    head: str | None
    times: int
    failing: Sequence[str] = ()


class Next(StrEnum):
    """What orch does about it."""

    ENTER = "Enter"
    UPDATE = "Update"
    """Merge the base branch into ours: what failed in the queue then fails on our own head, where it can be mended."""
    PERSON = "Person"


def after(given: GivenBack, *, head: str, behind: bool) -> tuple[Next, str]:
    """What follows, and why. `behind`: the base branch has commits that the head lacks."""
    told = f"the merge queue gave it back ({one_line(given.reason, 60)})"
    if given.reason in _BY_HAND and given.head == head:
        return Next.PERSON, f"{told}: somebody took it out. {_BY_PERSON}"
    if given.times >= MOST:
        return Next.PERSON, f"{told}, {given.times} times in all: {_why(given)}. {_BY_PERSON}"
    if given.head != head or given.reason in _NOT_ITS_OWN:
        return Next.ENTER, f"{told} before: it enters once more"
    if behind:
        return Next.UPDATE, f"{told}: {_why(given)}. The base branch has moved since, and is merged in"
    return Next.PERSON, f"{told}: {_why(given)}. It enters again when the base branch has moved; {_BY_PERSON}"


def _why(given: GivenBack) -> str:
    why = _WORDS.get(given.reason, "something about it does not let GitHub merge it")
    names = ", ".join(one_line(name, 60) for name in given.failing[:_SHOWN])
    more = f" and {len(given.failing) - _SHOWN} more" if len(given.failing) > _SHOWN else ""
    return f"{why} ({names}{more})" if names else why
