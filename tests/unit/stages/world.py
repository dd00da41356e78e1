"""One run in a world in memory, reconciled as the reconciler does: what was not saved is lost in a crash."""

from __future__ import annotations

from datetime import timedelta

from tests.builders import a_repo, a_run
from tests.fakes.acts import Acts, Crash, FakeClock
from tests.fakes.cluster import FakeRecords, FakeSlots
from tests.fakes.forge import FakeForge
from tests.fakes.git import FakeGit
from tests.fakes.work import FakeArtifacts, FakeMeter, FakeRunner

from orch.api.v1alpha1 import ApprovalOutcome, IssueRun, OrchestratedRepo
from orch.api.work import StepOutcome
from orch.errors import Transient
from orch.stages import PIPELINE, Again, Done, Outcome, RunContext, Stage, Waiting, interference
from orch.stages.merge_queue import leave

INSTALLATION = "here"


class World:
    """A run and all that is around it."""

    def __init__(self, repo: OrchestratedRepo | None = None, run: IssueRun | None = None) -> None:
        self.acts = Acts()
        branches: dict[str, str] = {}
        self.forge, self.git = FakeForge(self.acts, branches), FakeGit(self.acts, branches)
        self.artifacts, self.meter = FakeArtifacts(), FakeMeter()
        self.runner = FakeRunner(self.acts, self.artifacts)
        self.records, self.slots, self.clock = FakeRecords(self.acts), FakeSlots(), FakeClock()
        self.repo, self.run = repo or a_repo(), run or a_run()
        self.previous: IssueRun | None = None
        self.audit: list[str] = []
        self.writes = 0
        self._saved = self.run.deep_copy()

    @property
    def head(self) -> str:
        """The commit that is to be on the run's branch."""
        branch = self.run.status.branch
        assert branch is not None
        assert branch.head_sha is not None
        return branch.head_sha

    @property
    def remote_head(self) -> str | None:
        """The commit that is on the run's branch."""
        name = self.run.status.branch.name if self.run.status.branch else None
        return self.forge.branches.get(name or "")

    def order(self, **wishes: object) -> None:
        """A person changes the run's spec. The status is as it was last saved."""
        for name in ("run", "_saved"):
            run: IssueRun = getattr(self, name)
            setattr(self, name, run.model_copy(update={"spec": run.spec.model_copy(update=wishes)}))

    def context(self) -> RunContext:
        """One look at the run."""
        return RunContext(
            run=self.run,
            repo=self.repo,
            forge=self.forge,
            remote=self.forge.remote(1),
            git=self.git,
            runner=self.runner,
            artifacts=self.artifacts,
            meter=self.meter,
            records=self.records,
            slots=self.slots,
            clock=self.clock,
            default_model="model",
            installation=INSTALLATION,
            save=self._save,
            settle=timedelta(seconds=60),
            fence=lambda: None,
            previous=self.previous,
            lines=lambda event, _fields: self.audit.append(event),
        )

    async def _save(self) -> None:
        self.writes += self.run.status != self._saved.status
        self._saved = self.run.deep_copy()

    async def play(self, stage: Stage) -> Outcome:
        """One stage, then the status is written; a crash loses what was not saved before."""
        try:
            return await stage(self.context())
        except Crash:
            self.run = self._saved.deep_copy()
            raise
        finally:
            await self._save()

    async def look(self) -> Waiting | None:
        """What people and the world do meanwhile, looked at once."""
        try:
            return await interference(self.context())
        finally:
            await self._save()

    async def reconcile(self) -> Outcome:
        """The whole way from its start, until a stage waits."""
        try:
            outcome = await interference(ctx := self.context()) or await self._walk(ctx)
            return await leave(ctx) or outcome
        except Transient as err:
            return Waiting(None, err.message, timedelta(seconds=10))
        except Crash:
            self.run = self._saved.deep_copy()
            raise
        finally:
            await self._save()

    async def _walk(self, ctx: RunContext) -> Outcome:
        for stage in PIPELINE:
            outcome = await stage(ctx)
            if not isinstance(outcome, Done):
                return outcome
        return Done()

    async def settle(self, *, rounds: int = 40) -> Outcome:
        """Reconcile while it goes on by itself; work steps end well, time passes as asked for."""
        outcome: Outcome = Again()
        for _ in range(rounds):
            outcome = await self.reconcile()
            if isinstance(outcome, Done) or (isinstance(outcome, Waiting) and outcome.reason is not None):
                return outcome
            if isinstance(outcome, Waiting) and outcome.message.endswith(" runs"):
                await self.runner.finish()
            elif isinstance(outcome, Waiting):
                self.clock.forward(outcome.retry_after or timedelta(0))
        return outcome

    async def reach(self, stage: Stage) -> None:
        """Go the good way until `stage` is the next one."""
        for earlier in PIPELINE[: PIPELINE.index(stage)]:
            for _ in range(8):
                outcome = await self.play(earlier)
                if isinstance(outcome, Done):
                    break
                if isinstance(outcome, Waiting) and outcome.message.endswith(" runs"):
                    await self.runner.finish()
            else:
                raise AssertionError(f"{earlier.__name__} is not done: {outcome}")

    async def step(self, stage: Stage, outcome: StepOutcome = StepOutcome.DONE, **parts: object) -> Outcome:
        """Play a stage that starts a work step, let the step end so, and play it again."""
        started = await self.play(stage)
        assert isinstance(started, Waiting), started
        assert started.message.endswith(" runs"), started
        await self.runner.finish(outcome, **parts)
        return await self.play(stage)

    def decide(self, outcome: ApprovalOutcome) -> str:
        """People answer the newest question; its name."""
        name, approval = list(self.records.asked.items())[-1]
        approval.status.outcome = outcome
        if outcome is ApprovalOutcome.APPROVED:
            approval.status.valid_until = self.clock() + approval.spec.policy.valid_for
        return name


async def at(stage: Stage, repo: OrchestratedRepo | None = None, run: IssueRun | None = None) -> World:
    """A world in which everything before `stage` went well."""
    world = World(repo, run)
    await world.reach(stage)
    return world
