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


FULL = {"conditions": [{"type": "Waiting", "status": "True", "reason": "QueueFull"}]}


def test_a_full_operator_takes_next_from_the_repository_that_holds_the_fewest() -> None:
    watch = Watch()
    slots = AssumedSlots(watch.index, 2)
    for name in ("a-1", "a-2", "a-3", "a-4"):
        watch.sees(name)
    watch.sees("b-1", repo="api")
    many = repo(active=50)
    assert [slots.admit(run(name), many) is None for name in ("a-1", "a-2", "a-3")] == [True, True, False]
    assert "the operator takes 2" in str(slots.admit(run("b-1"), repo("api")))
    watch.sees("a-1", startTime="x", completionTime="y")
    assert "for repositories with fewer" in str(slots.admit(run("a-3"), many))
    assert "for repositories with fewer" in str(slots.admit(run("a-4"), many)), "a new one is no better"
    assert slots.admit(run("b-1"), repo("api")) is None
    watch.sees("a-2", startTime="x", completionTime="y")
    assert slots.admit(run("a-3"), many) is None


def test_who_does_not_wait_for_the_operator_any_more_keeps_nobody_waiting() -> None:
    watch = Watch()
    slots = AssumedSlots(watch.index, 2)
    for name in ("a-1", "a-2", "a-3"):
        watch.sees(name)
    watch.sees("b-1", repo="api")
    many = repo(active=50)
    assert [slots.admit(run(name), many) is None for name in ("a-1", "a-2")] == [True, True]
    assert slots.admit(run("b-1"), repo("api")) is not None
    watch.sees("a-1", startTime="x", completionTime="y")
    assert slots.admit(run("a-3"), many) is not None
    watch.sees("b-1", repo="api", conditions=[{"type": "Waiting", "status": "True", "reason": "Suspended"}])
    assert slots.admit(run("a-3"), many) is None


def test_a_free_slot_wakes_the_oldest_few_and_one_of_each_repository() -> None:
    watch = Watch()
    for number in range(9):
        watch.sees(f"web-{number}", created=f"2026-01-0{9 - number}", **FULL)
    watch.sees("api-1", repo="api", created="2026-02-01", **FULL)
    watch.sees("api-2", repo="api", created="2026-02-02", **FULL)
    watch.sees("cli-1", repo="cli", created="2026-01-01", **FULL)
    watch.sees("cli-2", repo="cli", startTime="x")
    done = watch.sees("web-10", startTime="x", completionTime="y")
    woken = next_in_line(watch.index, Change(Key("team", "web-10"), None, done))
    assert [key.name for key in woken] == ["web-8", "web-7", "web-6", "web-5", "api-1", "cli-1"]


def test_a_run_that_only_goes_on_wakes_nobody() -> None:
    watch = Watch()
    watch.sees("a", conditions=[{"type": "Waiting", "status": "True", "reason": "QueueFull"}])
    going = watch.sees("b", startTime="x")
    assert next_in_line(watch.index, Change(Key("team", "b"), None, going)) == []
