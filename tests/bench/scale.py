"""What the number of objects costs: start, memory and requests of the operator before 1,000 to 20,000 IssueRuns.

98 in 100 runs are finished, at most 200 are active, over 100 repositories. One API server, filled further between the
measurements; each is a fresh process, and a run that was created just before it starts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.bench.bed import Bed, Beds, Operator, bed
from tests.bench.figure import Figure
from tests.bench.fleet import Document, a_repo, a_run, finished, waits_for_checks

SIZES = (1_000, 5_000, 10_000, 20_000)
_GOALS = {
    ("first-reconcile-seconds", 10_000): "<= 60",
    ("rss-megabytes", 20_000): "<= 300",
    ("requests-per-500-objects", 10_000): "<= 1",
    ("requests-per-500-objects", 20_000): "<= 1",
    ("rss-megabytes", 5_000): "<= 200",
    ("first-step-seconds", 5_000): "<= 5",
}


@dataclass(frozen=True)
class Start:
    """One start of the operator before so many objects."""

    objects: int
    first_reconcile: float
    first_step: float
    rss: float
    requests: int


def measure(sizes: Sequence[int] = SIZES, active: int = 200, repos: int = 100, *, beds: Beds = bed) -> Iterator[Figure]:
    """Fill and measure, size by size."""
    with beds() as place:
        place.create([a_repo(number, active=100) for number in range(repos)])
        issues = range(1, active + 1)
        place.create([waits_for_checks(number, repos=repos) for number in issues])
        with place.operator("before", issues=list(issues)) as operator:  # adopts what no operator has seen yet
            operator.until(lambda it: it.count("reconciled") >= active and it.is_quiet(), what="an operator at rest")
        done, starts = active, []
        for size in sizes:
            place.create([finished(number, repos=repos) for number in range(done + 1, size + 1)])
            done = size
            before = place.versions("issueruns", "orch.dev/terminal")
            starts.append(_start(place, size, issues, _fresh(size, repos)))
            yield from _figures(starts[-1])
            after = place.versions("issueruns", "orch.dev/terminal")
            written = sum(after.get(name) != version for name, version in before.items())
            yield Figure(f"scale-{size}-finished-written", written, "objects", "<= 0")
        yield Figure("scale-growth-per-finished-run", round(_growth(starts), 2), "kB", "<= 4")


def _fresh(size: int, repos: int) -> Document:
    """A run nobody has looked at yet."""
    return a_run(1_000_000 + size, repos=repos)


def _start(place: Bed, size: int, issues: Sequence[int], fresh: Document) -> Start:
    place.create([fresh])
    before = place.requests()
    with place.operator(f"operator-{size}", issues=list(issues)) as operator:
        seen = operator.until(lambda it: _all(it, len(issues) + 1), what="a reconcile of every active run")
        step = operator.until(lambda it: it.first("step").get(f"{fresh['metadata']['name']}-analyse-1"))
        time.sleep(3)
        rss = operator.rss(peak=True)
    asked = place.requests() - before  # a watch is counted when it ends
    return Start(
        objects=size,
        first_reconcile=seen - operator.began,
        first_step=step - operator.began,
        rss=rss,
        requests=sum(count for (verb, _), count in asked.items() if verb in ("LIST", "WATCH")),
    )


def _all(operator: Operator, runs: int) -> float | None:
    """When the last of so many runs was reconciled first."""
    first = operator.first("reconciled")
    return max(first.values()) if len(first) >= runs else None


def _figures(start: Start) -> Iterator[Figure]:
    figures = {
        "first-reconcile-seconds": (start.first_reconcile, "s"),
        "first-step-seconds": (start.first_step, "s"),
        "rss-megabytes": (start.rss, "MB"),
        "requests-per-500-objects": (start.requests / (start.objects / 500), "requests"),
    }
    for name, (value, unit) in figures.items():
        yield Figure(f"scale-{start.objects}-{name}", round(value, 2), unit, _GOALS.get((name, start.objects), ""))


def _growth(starts: Sequence[Start]) -> float:
    """Kilobytes of memory for each run more, all of which had ended."""
    first, last = starts[0], starts[-1]
    return (last.rss - first.rss) * 1000 / max(1, last.objects - first.objects)
