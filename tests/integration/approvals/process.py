"""One life of the operator, with all that it remembers, and the failpoints at which it dies. Holds no test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from tests.fakes.acts import Crash
from tests.fakes.work import FakeMeter
from tests.integration.approvals.host import NAME, GitHub
from tests.integration.approvals.model import Model

from orch import failpoints
from orch.adapters.git import MirrorGit
from orch.adapters.github import GitHubForges
from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.kube.client import Kube
from orch.kube.errors import KubeError
from orch.kube.events import Recorder
from orch.kube.objects import Objects
from orch.kube.resource import Resource
from orch.kube.store import Store
from orch.reconcilers.admission import Admission
from orch.reconcilers.approval import ApprovalReconciler
from orch.reconcilers.context import Contexts
from orch.reconcilers.counting import Counting, Enforcement
from orch.reconcilers.index import BY_REPO, RunIndex
from orch.reconcilers.issuerun import IssueRunReconciler
from orch.reconcilers.orchestratedrepo import OrchestratedRepoReconciler
from orch.reconcilers.projections import TERMINAL_LABEL, RunProjection, by_repo, project_run
from orch.reconcilers.repository_claim import RepositoryClaims
from orch.reconcilers.slots import AssumedSlots
from orch.reconcilers.trail import Trail
from orch.runtime.reconcile import Key
from orch.runtime.source import Source

INSTALLATION = "here"
RUNS, REPOS, QUESTIONS = IssueRun.PLURAL, OrchestratedRepo.PLURAL, Approval.PLURAL


@dataclass(frozen=True)
class Outside:
    """What outlives the operator: the cluster, the host, the mirrors, the steps."""

    kube: Kube
    """As the operator's own account."""
    github: GitHub
    git: MirrorGit
    """Its children remember nothing between two acts, so they need not die with an operator."""
    model: Model
    namespace: str
    home: str
    mark: str
    """Of the installation."""


class Process:
    """The three reconcilers as `orch.main` puts them together, looked at by whoever asks instead of a queue."""

    def __init__(self, outside: Outside, *, enforcement: Enforcement | None = None) -> None:
        kube, clock, self._outside = outside.kube, outside.github.now, outside
        self._forges = GitHubForges({NAME: outside.github.address})
        self._runs: Source[RunProjection] = Source(
            Resource.of(IssueRun), project_run, labels=f"!{TERMINAL_LABEL}", indexes={BY_REPO: by_repo}
        )
        runs, repos, index = Store(kube, IssueRun), Store(kube, OrchestratedRepo), RunIndex(self._runs.cache)
        admission = Admission(kube, suffix=outside.mark)
        counting = Counting(
            kube, repos, enforcement=enforcement or admission, operator_namespace=outside.home, clock=clock
        )
        contexts = Contexts(
            kube=kube,
            recorder=Recorder(kube),
            runs=runs,
            forges=self._forges,
            git=outside.git,
            runner=outside.model,
            artifacts=outside.model.shelf,
            meter=FakeMeter(),
            counting=counting,
            slots=AssumedSlots(index, 1_000),
            clock=clock,
            fence=lambda: None,
            trail=Trail(lambda _event, _fields: None),
            default_model="model",
            installation=INSTALLATION,
        )
        claims = RepositoryClaims(kube, outside.home)
        self._reconcilers = {
            REPOS: OrchestratedRepoReconciler(
                repos=repos, runs=runs, index=index, contexts=contexts, claims=claims, admission=admission
            ),
            RUNS: IssueRunReconciler(runs=runs, repos=repos, contexts=contexts),
            QUESTIONS: ApprovalReconciler(
                approvals=Store(kube, Approval), runs=runs, counting=counting, clock=clock, trail=contexts.trail
            ),
        }

    def close(self) -> None:
        self._forges.close()

    async def look(self, plural: str, name: str) -> None:
        """One reconcile. What the API server did not answer, or answered with a conflict, the queue would try again."""
        try:
            await self._watch()
            await self._reconcilers[plural].reconcile(Key(self._outside.namespace, name))
        except KubeError:
            return

    async def _watch(self) -> None:
        """What the watch would have told by now."""
        found = await Objects(self._outside.kube, self._runs.resource).list(
            self._outside.namespace, labels=self._runs.labels
        )
        entries = [self._runs.entry(document) for document in found.items]
        self._runs.cache.replace(entries, int(found.resource_version))


@contextmanager
def mortal() -> Iterator[None]:
    """A failpoint ends what is under way, and not the process of the tests."""

    def die(words: str) -> None:
        raise Crash(words)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "_die", die)
        yield


@contextmanager
def dying_at(point: str) -> Iterator[None]:
    """The operator dies when it gets there; that is what `ORCH_FAILPOINTS` says to a true process."""
    failpoints._armed.update(failpoints.parse(point))
    try:
        yield
    finally:
        failpoints._armed.clear()
