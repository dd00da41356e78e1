"""Caps hold on an assumed state, and a free slot wakes those who wait longest."""

from __future__ import annotations

from tests.builders import a_repo, a_run

from orch.api.v1alpha1 import ConcurrencySpec, IssueRun, OrchestratedRepo
from orch.reconcilers.index import BY_REPO, RunIndex
from orch.reconcilers.projections import RunProjection, by_repo, project_run
from orch.reconcilers.slots import AssumedSlots, next_in_line
from orch.runtime.cache import Cache, Change, Entry
from orch.runtime.reconcile import Key


class Watch:
    """A cache that is told what it would have seen."""

    def __init__(self) -> None:
        self.cache: Cache[RunProjection] = Cache({BY_REPO: by_repo})
        self.index = RunIndex(self.cache)
        self._version = 0

    def sees(self, name: str, *, repo: str = "web", created: str = "", **facts: object) -> RunProjection:
        document = {
            "metadata": {"name": name, "namespace": "team", "creationTimestamp": created},
            "spec": {"repositoryRef": {"name": repo}},
            "status": facts,
        }
        self._version += 1
        entry = Entry(Key("team", name), name, self._version, {}, project_run(document))
        self.cache.put(entry)
        return entry.value


def repo(name: str = "web", active: int = 2, pulls: int = 5) -> OrchestratedRepo:
    made = a_repo(concurrency=ConcurrencySpec(max_active_runs=active, max_open_pull_requests=pulls))
    made.metadata.name, made.metadata.namespace = name, "team"
    return made


def run(name: str) -> IssueRun:
    made = a_run()
    made.metadata.name, made.metadata.namespace = name, "team"
    return made


def test_runs_that_no_watch_has_shown_as_started_count() -> None:
    watch = Watch()
    for name in ("a", "b", "c"):
        watch.sees(name)
    slots = AssumedSlots(watch.index, 100)
    assert slots.admit(run("a"), repo()) is None
    assert slots.admit(run("b"), repo()) is None
    assert "maxActiveRuns is 2" in str(slots.admit(run("c"), repo()))
    assert slots.admit(run("a"), repo()) is None, "who has a slot keeps it"


def test_a_slot_is_free_again_with_the_pull_request_and_with_the_end() -> None:
    watch = Watch()
    for name in ("a", "b", "c", "d"):
        watch.sees(name)
    slots = AssumedSlots(watch.index, 100)
    assert [slots.admit(run(name), repo()) is None for name in ("a", "b", "c")] == [True, True, False]
    watch.sees("a", startTime="x", pullRequest={})
    assert slots.admit(run("c"), repo()) is None
    watch.sees("b", startTime="x", completionTime="y")
    assert slots.admit(run("d"), repo()) is None


def test_open_pull_requests_are_capped() -> None:
    watch = Watch()
    watch.sees("a", startTime="x", pullRequest={})
    watch.sees("b")
    assert "maxOpenPullRequests is 1" in str(AssumedSlots(watch.index, 100).admit(run("b"), repo(pulls=1)))


def test_the_operator_takes_so_many_in_all_repositories() -> None:
    watch = Watch()
    watch.sees("a")
    watch.sees("b", repo="api")
    slots = AssumedSlots(watch.index, 1)
    assert slots.admit(run("a"), repo()) is None
    assert slots.admit(run("b"), repo("api")) == "1 runs are active in all repositories, the operator takes 1"


def test_a_free_slot_wakes_the_oldest_few() -> None:
    watch = Watch()
    full = {"conditions": [{"type": "Waiting", "status": "True", "reason": "QueueFull"}]}
    for number in range(9):
        watch.sees(f"web-{number}", created=f"2026-01-0{9 - number}", **full)
    watch.sees("api-1", repo="api", created="2025-12-31", **full)
    done = watch.sees("web-10", startTime="x", completionTime="y")
    woken = next_in_line(watch.index, Change(Key("team", "web-10"), None, done))
    assert [key.name for key in woken] == ["web-8", "web-7", "web-6", "web-5", "api-1"]


def test_a_run_that_only_goes_on_wakes_nobody() -> None:
    watch = Watch()
    watch.sees("a", conditions=[{"type": "Waiting", "status": "True", "reason": "QueueFull"}])
    going = watch.sees("b", startTime="x")
    assert next_in_line(watch.index, Change(Key("team", "b"), None, going)) == []
