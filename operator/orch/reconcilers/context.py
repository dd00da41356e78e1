"""Puts together what a stage sees of one run: its objects, its credentials, the ports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.v1alpha1 import IssueRun, OrchestratedRepo
from orch.errors import CredentialsRefused
from orch.kube.client import Kube
from orch.kube.errors import Conflict, Unreadable
from orch.kube.events import Recorder, Regarding
from orch.kube.resource import Resource
from orch.kube.secrets import read_secret
from orch.kube.store import Store
from orch.policy.fitting import fit
from orch.policy.identity import run_name
from orch.policy.versions import is_forsaken
from orch.ports import Artifacts, Clock, Credential, Forge, Forges, Git, Meter, Remote, WorkRunner
from orch.reconcilers.counting import Counting
from orch.reconcilers.news import news
from orch.reconcilers.records import ClusterRecords
from orch.reconcilers.trail import Trail
from orch.stages.claim import is_claimed
from orch.stages.contract import RunContext, Slots
from orch.stages.work import forsake


class RunWriter:
    """Writes a run's status, guarded by the version that was read; a stage may save several times on its way.

    Only what was decided upon counts: labels and annotations that somebody else wrote meanwhile are no conflict. Else a look
    that takes longer than others leave between two writes would start anew for ever.

    What is new and written is told to the audit log, and as Events."""

    def __init__(self, runs: Store[IssueRun], run: IssueRun, recorder: Recorder, trail: Trail) -> None:
        self._runs = runs
        self._recorder, self._trail = recorder, trail
        self._said: list[tuple[AuditEvent, Mapping[str, object]]] = []
        self._run = run
        self._written = run.deep_copy()
        self.writes = 0

    async def save(self) -> None:
        """Write what has changed since the last save. Raises Conflict when somebody else changed spec or status."""
        if self._run == self._written:
            self._tell_said()
            return
        fit(self._run)
        try:
            stored = await self._runs.write_status(self._run, self._written)
        except Conflict:
            if not await self._catch_up():
                raise
            stored = await self._runs.write_status(self._run, self._written)
        self._tell_said()
        if stored is self._run:
            return
        self.writes += 1
        self._run.metadata.resource_version = stored.metadata.resource_version
        before, self._written = self._written, stored
        self._trail.wrote_run(before, stored)
        await self._tell(before)

    def say(self, event: AuditEvent, fields: Mapping[str, object]) -> None:
        """A line of the audit log, to be written once what it is about is."""
        self._said.append(
            (event, {"namespace": self._run.metadata.namespace, "run": self._run.metadata.name, **fields})
        )

    def _tell_said(self) -> None:
        said, self._said = self._said, []
        for event, fields in said:
            self._trail.audit(event, fields)

    async def _tell(self, before: IssueRun) -> None:
        meta = self._run.metadata
        about = Regarding(_RUNS, meta.namespace or "", meta.name, meta.uid or "")
        for told in news(before, self._run):
            say = self._recorder.warning if told.bad else self._recorder.normal
            await say(about, told.reason, told.note)

    async def _catch_up(self) -> bool:
        """Take over the newest version if it differs in nothing that counts; whether it was so."""
        known = self._written
        now = await self._runs.find(known.metadata.namespace or "", known.metadata.name)
        if now is None or _decided_upon(now) != _decided_upon(known):
            return False
        known.metadata.resource_version = now.metadata.resource_version
        return True


_RUNS: Final = Resource.of(IssueRun)


def _decided_upon(run: IssueRun) -> tuple[object, ...]:
    """What a look at a run is about. The generation counts changes of spec, and the wish to delete it."""
    return run.metadata.uid, run.metadata.generation, run.status


_VERSION: Final = version("orch")


@dataclass
class Contexts:
    """The process's adapters, from which every context is made."""

    kube: Kube
    recorder: Recorder
    runs: Store[IssueRun]
    forges: Forges
    git: Git
    runner: WorkRunner
    artifacts: Artifacts
    meter: Meter
    counting: Counting
    slots: Slots
    clock: Clock
    fence: Callable[[], None]
    trail: Trail
    default_model: str
    installation: str
    settle: timedelta = timedelta(seconds=60)
    since_step: Callable[[], timedelta] = lambda: timedelta.max

    async def forge(self, repo: OrchestratedRepo, *, polling: bool = False) -> Forge:
        """The repository's code host with the repository's own credential, read now so that rotation needs no restart.
        `polling`: to look for new work. Raises CredentialsRefused, PolicyDenied (host)."""
        namespace = repo.metadata.namespace or ""
        secret = await read_secret(self.kube, namespace, repo.spec.credentials_ref.name)
        known = repo.status.repository
        return self.forges.open(
            host=repo.spec.host,
            repository=repo.spec.repository,
            secret=secret,
            tenant=namespace,
            pinned=known.id if known else None,
            polling=polling,
        )

    async def open(self, run: IssueRun, repo: OrchestratedRepo, writer: RunWriter) -> RunContext:
        """One look at one run."""
        forge = await self.forge(repo)
        if not is_claimed(run):
            forge.hurry()
        is_old = is_forsaken(run.status.worker_version, _VERSION)
        run.status.worker_version = _VERSION

        ctx = RunContext(
            run=run,
            repo=repo,
            forge=forge,
            remote=self._remote(repo, forge),
            git=self.git,
            runner=self.runner,
            artifacts=self.artifacts,
            meter=self.meter,
            records=ClusterRecords(self.kube, run.metadata.namespace or "", self.counting, self.trail),
            slots=self.slots,
            clock=self.clock,
            default_model=self.default_model,
            installation=self.installation,
            settle=self.settle,
            save=writer.save,
            fence=self.fence,
            since_step=self.since_step,
            signing_key=lambda: self._signing_key(repo),
            previous=await self._previous(run),
            lines=writer.say,
        )
        if is_old:
            await forsake(ctx)
        return ctx

    async def _signing_key(self, repo: OrchestratedRepo) -> Credential | None:
        """The private key of `publish.commit.signingSecretRef`, as a Secret of the type kubernetes.io/ssh-auth holds it."""
        named = repo.spec.publish.commit.signing_secret_ref
        if named is None:
            return None
        secret = await read_secret(self.kube, repo.metadata.namespace or "", named.name)
        try:
            return Credential(secret["ssh-privatekey"].decode())
        except (KeyError, UnicodeDecodeError):
            text = f"Secret {named.name!r} holds no key ssh-privatekey: kubectl create secret generic {named.name} --from-file"
            raise CredentialsRefused("SigningKeyUnusable", f"{text}=ssh-privatekey=FILE") from None

    def _remote(self, repo: OrchestratedRepo, forge: Forge) -> Remote:
        if repo.status.repository is None:
            return forge.remote(0)
        return forge.remote(repo.status.repository.id)

    async def _previous(self, run: IssueRun) -> IssueRun | None:
        """The attempt that this one retries, if it is still there."""
        if run.status.analysis is not None and run.status.plan is not None:
            return None
        if run.spec.retry_of is not None:
            name = run.spec.retry_of.name
        elif run.spec.attempt > 1:
            name = run_name(run.spec.repository_ref.name, run.spec.issue_number, run.spec.attempt - 1)
        else:
            return None
        try:
            return await self.runs.find(run.metadata.namespace or "", name)
        except Unreadable:  # it says so itself; what it learnt is lost to this one
            return None
