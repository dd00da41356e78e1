"""What the reconciler makes of failures that do not pass."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from tests.unit.stages.world import World

from orch.api.v1alpha1 import IssueRun
from orch.errors import LeaseEnding, Transient
from orch.reconcilers.issuerun import FINALIZER, IssueRunReconciler
from orch.reconcilers.projections import ISSUE_LABEL, REPO_LABEL
from orch.reconcilers.trail import Trail
from orch.runtime.reconcile import Key
from orch.stages.checks import checks
from orch.stages.verify import verify


class Runs:
    """The one run, as a Store gives it."""

    def __init__(self, world: World) -> None:
        self.world = world
        meta = world.run.metadata
        meta.finalizers = [FINALIZER]
        meta.labels |= {REPO_LABEL: world.repo.metadata.name, ISSUE_LABEL: str(world.run.spec.issue_number)}

    async def find(self, *_: str) -> IssueRun:
        return self.world.run

    async def write_status(self, run: IssueRun, previous: IssueRun) -> IssueRun:
        return run

    async def patch_metadata(self, run: IssueRun, **_: Any) -> IssueRun:
        return run


class Repos(Runs):
    async def find(self, *_: str) -> Any:
        return self.world.repo


_GONE = Transient("Unreachable", "GitHub does not answer")


async def _fail(
    world: World, why: Transient = _GONE, *, times: int = 20, every: timedelta = timedelta(hours=1)
) -> IssueRun:
    """It fails for the same reason, however often it is looked at."""

    async def gone(*_: Any, **__: Any) -> None:
        raise why

    async def opened(*_: Any) -> Any:
        return world.context()

    world.git.fetch = gone  # type: ignore[method-assign]
    world.forge.checks = world.forge.get_pull = gone  # type: ignore[method-assign]
    contexts: Any = SimpleNamespace(
        open=opened, clock=world.clock, recorder=None, trail=Trail(lambda _event, _fields: None)
    )
    runs: Any = Runs(world)
    repos: Any = Repos(world)
    reconciler = IssueRunReconciler(runs=runs, repos=repos, contexts=contexts)
    for _ in range(times):
        result = await reconciler.reconcile(Key("team", world.run.metadata.name))
        world.clock.forward(every)
        assert world.run.status.completion_time is not None or result.requeue_after
    return world.run


async def test_what_is_merged_does_not_fail_because_the_rest_takes_long() -> None:
    world = World()
    await world.reach(verify)
    run = await _fail(world)
    assert run.status.failure is None
    assert run.status.completion_time is None


async def test_what_is_not_merged_fails_in_the_end() -> None:
    world = World()
    await world.reach(checks)
    run = await _fail(world)
    assert run.status.failure is not None
    assert run.status.failure.reason == "AttemptsExhausted"


async def test_a_look_before_the_next_attempt_is_due_consumes_none() -> None:
    world = World()
    await world.reach(checks)
    run = await _fail(world, every=timedelta(milliseconds=100))
    assert run.status.failure is None
    assert run.status.attempts.transient == 1
    run = await _fail(world, times=1)
    assert run.status.attempts.transient == 1
    run = await _fail(world, times=1)
    assert run.status.attempts.transient == 2


async def test_what_is_left_for_the_next_renewal_of_the_lease_consumes_no_attempt() -> None:
    world = World()
    await world.reach(checks)
    run = await _fail(world, LeaseEnding("LeaseEnding", "the lease may end before the answer"))
    assert run.status.failure is None
    assert run.status.attempts.transient == 0
    assert run.status.next_attempt_time is None
