"""The OrchestratedRepo reconciler as the operator's own account, on a real API server, with GitHub's stand-in."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from tests.cluster import Cluster

from orch.adapters.github import GitHubForges, Host
from orch.api.manifests import Installation, operator_access
from orch.api.v1alpha1 import IssueRun, OrchestratedRepo
from orch.kube.client import Kube, connect
from orch.kube.errors import Unavailable
from orch.kube.store import Store
from orch.reconcilers.admission import Admission
from orch.reconcilers.context import Contexts
from orch.reconcilers.index import BY_REPO, RunIndex
from orch.reconcilers.orchestratedrepo import OrchestratedRepoReconciler
from orch.reconcilers.projections import RunProjection, by_repo
from orch.reconcilers.repository_claim import RepositoryClaims
from orch.reconcilers.trail import Trail
from orch.runtime.cache import Cache
from orch.runtime.reconcile import Key, Result
from orch.testservers.github.server import Running, serve_in_thread

BOT = "ghp_bot_value"
HOST = "git.example"


def seed(project: Path) -> dict[str, Any]:
    demo = {"owner": "octo", "name": "demo", "from": str(project), "collaborators": {"orch-bot": "write"}}
    return {
        "accounts": [{"login": login} for login in ("octo", "orch-bot")],
        "tokens": [{"login": "orch-bot", "value": BOT}, {"login": "octo", "value": "ghp_octo_value"}],
        "repos": [{**demo, "issues": [{"title": "Labelled", "user": "octo", "labels": ["orch"]}]}],
    }


class Desk:
    """What people apply and see, and a clock that goes where it is told."""

    def __init__(self, server: Running, project: Path, cluster: Cluster, kube: Kube, system: str) -> None:
        self.project, self.kubectl, self.api, self.system = project, cluster.kubectl, cluster.server, system
        self.control = httpx2.Client(base_url=server.url, trust_env=False, timeout=20)
        self.ahead = timedelta(0)
        self.said: list[tuple[str, dict[str, Any]]] = []
        self._host = Host(
            api_url=server.url, git_url=server.url, web_url=server.url, allow_private=True, write_interval=0
        )
        self._forges: list[GitHubForges] = []
        self._kube = kube
        self.repos = Store(kube, OrchestratedRepo)
        self.start()

    def start(self) -> None:
        """A new process: it knows what is in the cluster, and nothing else."""
        forges: Any = GitHubForges({HOST: self._host})
        self._forges.append(forges)
        unused: Any = None
        contexts = Contexts(
            kube=self._kube,
            recorder=unused,
            runs=unused,
            forges=forges,
            git=unused,
            runner=unused,
            artifacts=unused,
            meter=unused,
            counting=unused,
            slots=unused,
            clock=lambda: datetime.now(UTC) + self.ahead,
            fence=unused,
            trail=Trail(lambda event, fields: self.said.append((event, dict(fields)))),
            default_model="",
            installation="test",
        )
        cache: Cache[RunProjection] = Cache({BY_REPO: by_repo})
        self._reconciler = OrchestratedRepoReconciler(
            repos=self.repos,
            runs=Store(self._kube, IssueRun),
            index=RunIndex(cache),
            contexts=contexts,
            claims=RepositoryClaims(self._kube, self.system),
            admission=Admission(self._kube, suffix=self.system),
        )

    def stop(self) -> None:
        for forges in self._forges:
            forges.close()
        self.control.close()

    def apply(self, namespace: str, name: str, *, repository: str = "octo/demo", token: str = BOT, **spec: Any) -> None:
        """A Secret and an OrchestratedRepo."""
        meta = {"namespace": namespace, "name": name}
        data = {"token": base64.b64encode(token.encode()).decode()}
        spec = {"repository": repository, "host": HOST, "credentialsRef": {"name": name}, "mode": "Autonomous", **spec}
        self.api.apply(
            {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "data": data},
            {"apiVersion": "orch.dev/v1alpha1", "kind": "OrchestratedRepo", "metadata": meta, "spec": spec},
        )

    async def look(self, namespace: str, name: str, *, later: timedelta = timedelta(hours=1)) -> Result:
        """One reconcile, when it is due; tried again as the queue would, for a young API server is not always there."""
        self.ahead += later
        while True:
            try:
                return await self._reconciler.reconcile(Key(namespace, name))
            except Unavailable:
                await asyncio.sleep(0.2)

    async def condition(self, namespace: str, name: str, kind: str = "Ready") -> tuple[str, str, str]:
        """Status, reason and message; empty when there is none."""
        repo = await self.repos.get(namespace, name)
        found = [entry for entry in repo.status.conditions if entry.type == kind]
        return (found[0].status, found[0].reason, found[0].message) if found else ("", "", "")

    def spent(self) -> int:
        """Requests that counted against the bot's hour."""
        return int(self.control.get("/_control/limits").json()["accounts"]["orch-bot"]["core"])

    def runs(self, namespace: str) -> list[str]:
        """Names of its IssueRuns."""
        return [run["metadata"]["name"] for run in self.api.list("issueruns", namespace)]


@pytest.fixture
def system(control_plane: Cluster) -> str:
    """The operator's namespace, with its account and roles."""
    name = f"orch-{secrets.token_hex(5)}"
    control_plane.server.apply(*operator_access(Installation(namespace=name, suffix=name)))
    return name


@pytest.fixture
async def operator(control_plane: Cluster, system: str, tmp_path: Path) -> AsyncIterator[Kube]:
    """A connection as the operator's own account: its roles apply."""
    token = control_plane.server.make_token("orch", system)
    config = yaml.safe_load(control_plane.kubeconfig.read_text())
    config["users"] = [{"name": entry["name"], "user": {"token": token}} for entry in config["users"]]
    path = tmp_path / "operator.kubeconfig"
    path.write_text(yaml.safe_dump(config))
    async with await connect(path) as connection:
        yield connection


@pytest.fixture
def other(control_plane: Cluster) -> str:
    """Another tenant's namespace."""
    return control_plane.make_namespace("other")


@pytest.fixture
def desk(tmp_path: Path, control_plane: Cluster, operator: Kube, system: str) -> Iterator[Desk]:
    project = tmp_path / "project"
    project.mkdir()
    (project / "calc.py").write_text("def add(a, b):\n    return a - b\n")
    with serve_in_thread(tmp_path / "data", seed(project)) as server:
        made = Desk(server, project, control_plane, operator, system)
        yield made
        made.stop()
