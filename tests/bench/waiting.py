"""What runs cost that only wait: 1,000 of them, one half for checks, the other for people. And what an idle operator asks for.

The checks run for two hours already, so each of these runs is looked at once in five minutes; one whose checks began just now is
looked at more often. People are asked when the operator has started and do not answer; their runs are looked at as often.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Final

from tests.bench.bed import Bed, Beds, Operator, bed
from tests.bench.figure import Figure
from tests.bench.fleet import a_repo, waits_for_checks, waits_for_people

_WRITES: Final = ("POST", "PUT", "PATCH", "DELETE", "APPLY")
_PEOPLE: Final = 500_000
"""Issues from here on belong to runs that wait for people."""


def measure(runs: int = 1_000, repos: int = 50, seconds: float = 300, *, beds: Beds = bed) -> Iterator[Figure]:
    """Let all of them settle, then look on for `seconds`: in five minutes each is looked at once, so a shorter time may hold all of
    the looks or none. `repos`: ask about plans, as many again do not."""
    with beds() as place:
        checks = range(0, runs // 2 * 2, 2)
        people = range(_PEOPLE + 1, _PEOPLE + 1 + runs // 2 * 2, 2)
        place.create([a_repo(number, gates="Never" if number % 2 == 0 else "Always") for number in range(2 * repos)])
        place.create([waits_for_checks(number + 2, repos=2 * repos) for number in checks])
        place.create([waits_for_people(number, repos=2 * repos) for number in people])
        issues = [*(number + 2 for number in checks), *people]
        with place.operator(issues=issues) as operator:
            operator.until(lambda it: len(it.first("reconciled")) == len(issues), what="a look at every run")
            operator.until(lambda it: it.is_quiet(), seconds=300, what="an operator at rest")
            _until_nothing_is_written(place)
            yield from _watched(place, operator, seconds)
        yield from _idle(place, seconds / 5)


def _until_nothing_is_written(place: Bed) -> None:
    """The last questions are counted a little after the last run has asked."""
    before = None
    while before != (now := _writes(place.requests())):
        before = now
        time.sleep(5)


def _watched(place: Bed, operator: Operator, seconds: float) -> Iterator[Figure]:
    before, cpu, began, looked = place.requests(), operator.cpu(), time.monotonic(), operator.count("reconciled")
    time.sleep(seconds)
    spent, asked = operator.cpu() - cpu, place.requests() - before
    operator.look()
    share = 100 * spent / (time.monotonic() - began)
    yield Figure("waiting-cpu-percent", round(share, 2), "% of a core", "<= 5")
    yield Figure("waiting-writes", _writes(asked), "writes", "<= 0")
    yield Figure("waiting-reconciles-per-second", round((operator.count("reconciled") - looked) / seconds, 1), "1/s")
    yield Figure("waiting-rss-megabytes", round(operator.rss(), 1), "MB")


def _idle(place: Bed, seconds: float) -> Iterator[Figure]:
    """Another operator, in a namespace where nothing is."""
    with place.operator("idle", env={"ORCH_NAMESPACES": '["default"]'}) as operator:
        operator.until(lambda it: it.is_ready(), what="a ready operator")
        time.sleep(3)
        before = place.requests()
        time.sleep(seconds)
        asked = place.requests() - before
    yield Figure("idle-requests-besides-lease", sum(n for key, n in asked.items() if key[1] != "leases"), "", "<= 0")


def _writes(asked: Counter[tuple[str, str]]) -> int:
    return sum(count for (verb, resource), count in asked.items() if verb in _WRITES and resource != "leases")
