"""Many at once: 200 runs created together, and 200 issues labelled together in a repository that takes 20 at a time."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from statistics import quantiles
from typing import Any

from tests.bench.bed import Bed, Beds, Operator, bed
from tests.bench.figure import Figure
from tests.bench.fleet import a_repo, a_run

_INTERVAL = 10.0


def created(runs: int = 200, repos: int = 20, *, beds: Beds = bed) -> Iterator[Figure]:
    """From the request that creates a run to the start of its first step, which does nothing."""
    with beds() as place:
        place.create([a_repo(number, active=100) for number in range(repos)])
        with place.operator() as operator:
            operator.until(lambda it: it.is_ready(), what="a ready operator")
            time.sleep(2)
            cpu = operator.cpu()
            began = place.create([a_run(number, repos=repos) for number in range(1, runs + 1)])
            operator.until(lambda it: len(it.first("step")) == runs, what="a first step of every run")
            started = {name.removesuffix("-analyse-1"): at for name, at in operator.first("step").items()}
            waits = [started[name] - at for name, at in began.items()]
            yield Figure("burst-created-to-step-p95", round(p95(waits), 2), "s", "<= 5")
            yield Figure("burst-created-to-step-median", round(sorted(waits)[len(waits) // 2], 2), "s")
            yield Figure("burst-cpu-per-run", round(1000 * (operator.cpu() - cpu) / runs, 1), "ms")
            time.sleep(2)
            operator.look()
            yield Figure("burst-looks-per-run", round(operator.count("reconciled") / runs, 2), "looks")
            yield from _writes(operator, runs)


def _writes(operator: Operator, runs: int) -> Iterator[Figure]:
    took = [float(which) for _, what, which in operator.lines if what == "status"]
    yield Figure("burst-status-writes-per-run", round(len(took) / runs, 2), "writes", "<= 40")
    yield Figure("burst-status-write-p95", round(p95(took), 1), "ms")
    yield Figure("burst-conflicts-per-run", round(operator.count("conflict") / runs, 3), "conflicts")


def labelled(issues: int = 200, cap: int = 20, step_seconds: float = 2.0, *, beds: Beds = bed) -> Iterator[Figure]:
    """Steps end after `step_seconds` and say that there is nothing to do, so that the slots go round."""
    with beds() as place:
        place.create([a_repo(number, active=cap, interval=f"{_INTERVAL:.0f}s") for number in range(2)])
        labels = {"acme/r0": issues, "acme/r1": 1}
        began = time.monotonic()
        with place.operator(labelled=labels, step_seconds=step_seconds) as operator, _Cap(place) as seen:
            other = operator.until(lambda it: it.first("step").get("r1-1-1-analyse-1"), what="the other one's run")
            operator.until(lambda it: _ended(it, issues + 1), seconds=900, what="an end of every run")
        runs = place.documents("issueruns")
        yield Figure("labelled-most-active", max(seen.most, _overlap(runs)), "runs", f"<= {cap}")
        yield Figure("labelled-runs", len(runs), "runs", f"== {issues + 1}")
        twice = [issue for issue, count in Counter(_issue(run) for run in runs).items() if count > 1]
        yield Figure("labelled-duplicates", len(twice), "issues", "<= 0")
        ready = min(operator.first("reconciled").values(), default=began)
        yield Figure("labelled-other-claimed-intervals", round((other - ready) / _INTERVAL, 2), "intervals", "<= 2")


def _issue(run: dict[str, Any]) -> tuple[str, int]:
    return run["spec"]["repositoryRef"]["name"], run["spec"]["issueNumber"]


def _ended(operator: Operator, runs: int) -> bool:
    """Every run had a step, and it was written afterwards that it came to nothing."""
    return len(operator.first("step")) == runs and operator.count("ended") >= runs


def _overlap(runs: list[dict[str, Any]]) -> int:
    """How many runs of the first repository were between start and end at once, by their own records (whole seconds)."""
    moments = []
    for run in runs:
        if run["spec"]["repositoryRef"]["name"] == "r0":
            moments.append((datetime.fromisoformat(run["status"]["startTime"]), 1))
            moments.append((datetime.fromisoformat(run["status"]["completionTime"]), -1))
    active = most = 0
    for _, step in sorted(moments, key=lambda moment: (moment[0], moment[1])):
        active += step
        most = max(most, active)
    return most


class _Cap:
    """Counts the active runs on the API server again and again, beside the operator."""

    def __init__(self, place: Bed) -> None:
        self._place, self._stop = place, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.most = 0

    def __enter__(self) -> _Cap:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(1):
            runs = self._place.documents("issueruns", "orch.dev/repo=r0,!orch.dev/terminal")
            status = [run.get("status", {}) for run in runs]
            self.most = max(self.most, sum("startTime" in it and "completionTime" not in it for it in status))


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return quantiles(values, n=20)[-1] if len(values) > 1 else values[0]
