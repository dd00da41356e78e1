"""The IssueRun reconciler on a real API server; GitHub, git and the work steps are in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.builders import a_repo, a_run
from tests.cluster import Cluster, control_plane, kubeconfig, kubectl, namespace
from tests.fakes.acts import Acts, FakeClock
from tests.fakes.cluster import Enforced, FakeSlots
from tests.fakes.forge import FakeForge, FakeForges
from tests.fakes.git import FakeGit
from tests.fakes.work import FakeArtifacts, FakeMeter, FakeRunner

from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.kube.client import Kube, connect
from orch.kube.events import Recorder
from orch.kube.store import Store
from orch.reconcilers.context import Contexts
from orch.reconcilers.counting import Counting
from orch.reconcilers.issuerun import IssueRunReconciler
from orch.reconcilers.trail import Trail
from orch.runtime.reconcile import Key, Result

__all__ = ["control_plane", "kubeconfig", "kubectl", "namespace"]


class Desk:
    """One repository in one namespace, and what is around it."""

    def __init__(self, kube: Kube, cluster: Cluster, namespace: str) -> None:
        self.kube, self.kubectl, self.api, self.namespace = kube, cluster.kubectl, cluster.server, namespace
        self.lines: list[dict[str, Any]] = []
        self.acts, self.clock = Acts(), FakeClock()
        branches: dict[str, str] = {}
        self.forge, self.git = FakeForge(self.acts, branches), FakeGit(self.acts, branches)
        self.artifacts = FakeArtifacts()
        self.runner = FakeRunner(self.acts, self.artifacts)
        self.runs: Store[IssueRun] = Store(kube, IssueRun)
        self.repos, self.approvals = Store(kube, OrchestratedRepo), Store(kube, Approval)
        self.contexts = Contexts(
            kube=kube,
            recorder=Recorder(kube),
            runs=self.runs,
            forges=FakeForges(lambda _: self.forge),
            git=self.git,
            runner=self.runner,
            artifacts=self.artifacts,
            meter=FakeMeter(),
            counting=Counting(kube, self.repos, enforcement=Enforced(), operator_namespace=namespace, clock=self.clock),
            slots=FakeSlots(),
            clock=self.clock,
            fence=lambda: None,
            trail=Trail(lambda event, fields: self.lines.append({"event": event.value, **fields})),
            default_model="model",
            installation="here",
        )
        self.reconciler = IssueRunReconciler(runs=self.runs, repos=self.repos, contexts=self.contexts)

    async def prepare(self, **spec: Any) -> None:
        """The Secret, and the repository, which is Ready."""
        meta = {"name": "github", "namespace": self.namespace}
        self.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"token": "x"}})
        wanted = a_repo(**spec)
        wanted.metadata = wanted.metadata.model_copy(
            update={"namespace": self.namespace, "uid": None, "resource_version": None, "generation": None}
        )
        stored = await self.repos.create(wanted)
        read = stored.deep_copy()
        stored.status = wanted.status
        await self.repos.write_status(stored, read)

    async def add_run(self, name: str = "web-7-1") -> IssueRun:
        """A run as the intake makes it, but without labels and finalizer: it gets them at its first look."""
        run = a_run(name)
        run.metadata = run.metadata.model_copy(
            update={"namespace": self.namespace, "uid": None, "resource_version": None, "generation": None}
        )
        return await self.runs.create(run)

    async def look(self, name: str = "web-7-1") -> Result:
        """One reconcile."""
        return await self.reconciler.reconcile(Key(self.namespace, name))

    async def settle(self, name: str = "web-7-1", *, rounds: int = 30) -> IssueRun | None:
        """Reconcile, with steps that end well, until it waits for something else or is over; the run."""
        for _ in range(rounds):
            result = await self.look(name)
            run = await self.runs.find(self.namespace, name)
            if run is None or run.status.completion_time is not None:
                return run
            if any(step.state == "Running" for step in run.status.steps):
                await self.runner.finish()
            elif result.requeue_after is None or result.requeue_after.total_seconds() > 20:
                return run
            else:
                self.clock.forward(result.requeue_after)
        raise AssertionError("it does not settle")

    async def run(self, name: str = "web-7-1") -> IssueRun:
        return await self.runs.get(self.namespace, name)


@pytest.fixture
async def desk(control_plane: Cluster, namespace: str) -> AsyncIterator[Desk]:
    """A repository that asks nobody."""
    async with await connect(control_plane.kubeconfig) as kube:
        yield Desk(kube, control_plane, namespace)
