"""A person at a terminal: the verbs of `kubectl orch` on the test run's API server, in a namespace of the test's own."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hack.world.server import Server
from tests.cluster import RBAC, Cluster, Kubectl, rights

from orch.cli.app import run


@dataclass(frozen=True)
class Said:
    """How a verb ended, and what the person read."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What `-o json` printed."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Terminal:
    """`terminal("status", "web", as_user="ann")` runs a verb in the test's namespace, as the administrator or as whom is named."""

    kubeconfig: Path
    namespace: str
    cluster: Cluster
    capsys: pytest.CaptureFixture[str]

    @property
    def server(self) -> Server:
        """For what kubectl is not the point of."""
        return self.cluster.server

    @property
    def kubectl(self) -> Kubectl:
        return self.cluster.kubectl

    def __call__(self, *words: str, as_user: str | None = None, as_groups: Sequence[str] = ()) -> Said:
        person = ["--as", as_user, *(f"--as-group={group}" for group in as_groups)] if as_user else []
        code = run([*words, "--kubeconfig", str(self.kubeconfig), "-n", self.namespace, *person])
        said = self.capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    def apply(self, *documents: dict[str, Any], status: bool = True) -> None:
        """Make objects, and write their status as the operator would."""
        for document in documents:
            self.server.apply(
                {key: value for key, value in document.items() if key != "status"}, namespace=self.namespace
            )
            if status and document.get("status"):
                plural = f"{document['kind'].lower()}s"
                self.write_status(plural, document["metadata"]["name"], document["status"])

    def write_status(self, plural: str, name: str, status: dict[str, Any]) -> None:
        """A merge patch on the status."""
        self.server.write_status(plural, name, self.namespace, status)

    def get(self, plural: str, name: str) -> dict[str, Any]:
        """An object as the server has it."""
        return self.server.get(plural, name, self.namespace)

    def delete(self, plural: str, name: str) -> None:
        """Delete an object."""
        self.server.delete(plural, name, self.namespace)

    def grant(self, user: str, *rules: str, kind: str = "User", only: str = "") -> None:
        """Give a person or a group rights in the namespace: `verb,verb:resource,resource` of orch's; on one object, if it is named.

        They hold when it returns: the server's authorizer learns of them by a watch of its own."""
        subject = {"apiGroup": RBAC, "kind": kind, "name": user}
        name = f"rights-{secrets.token_hex(4)}"
        self.server.apply(*rights(name, self.namespace, subject, *rules, only=only))
        verbs, resources = (part.split(",") for part in rules[-1].split(":"))
        with Server(self.kubeconfig, user=user, group=user if kind == "Group" else "") as person:
            while not person.may(verbs[0], resources[0], self.namespace, name=only):
                time.sleep(0.02)


@pytest.fixture(autouse=True)
def _nobody_waits_for_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is none here that would count answers, unless a test plays it."""
    monkeypatch.setattr("orch.cli.counted.PATIENCE", 0.0)


@pytest.fixture
def terminal(control_plane: Cluster, namespace: str, capsys: pytest.CaptureFixture[str]) -> Terminal:
    """A terminal in a fresh namespace."""
    return Terminal(control_plane.kubeconfig, namespace, control_plane, capsys)


def repo(name: str = "web", repository: str = "acme/web", **spec: Any) -> dict[str, Any]:
    """An OrchestratedRepo that the operator has found ready."""
    ready = {"type": "Ready", "status": "True", "reason": "Available", "message": f"{repository} is watched"}
    return {
        "apiVersion": "orch.dev/v1alpha1",
        "kind": "OrchestratedRepo",
        "metadata": {"name": name},
        "spec": {"repository": repository, "credentialsRef": {"name": "s"}, **spec},
        "status": {"conditions": [ready | {"lastTransitionTime": "2026-01-01T00:00:00Z"}]},
    }


def issue_run(issue: int = 7, attempt: int = 1, repo: str = "web", **status: Any) -> dict[str, Any]:
    """An IssueRun that a label started."""
    return {
        "apiVersion": "orch.dev/v1alpha1",
        "kind": "IssueRun",
        "metadata": {"name": f"{repo}-{issue}-{attempt}"},
        "spec": {
            "repositoryRef": {"name": repo},
            "issueNumber": issue,
            "attempt": attempt,
            "trigger": {"type": "Label", "githubLogin": "ann"},
        },
        "status": status,
    }


def conditions(**found: tuple[str, str, str]) -> list[dict[str, str]]:
    """Conditions by type: status, reason, message."""
    return [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        for kind, (status, reason, message) in found.items()
    ]
