"""The demo without any account: the stand-ins play GitHub and the model, with a real project and one of its old bugs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from hack.demo.story import NAMESPACE
from hack.projects import DEMO, Project, prepare, seed_for
from hack.servers import ControlPlane
from hack.world import World

PERSON = "alice@example.com"
"""Who answers, as the API server knows them."""


@dataclass
class Scene:
    """One issue of one project."""

    folder: Path
    project: Project
    url: str = ""

    @contextmanager
    def open(self, plane: ControlPlane, kubectl: Path) -> Iterator[World]:
        """The project in GitHub's stand-in, and everything else around it."""
        source = prepare(self.project.name, self.folder / "project")
        world = World(
            self.folder,
            kubeconfig=plane.kubeconfig,
            kubectl=kubectl,
            seed=seed_for(self.project, source),
            scripts=[self.project.script],
            namespaces=[NAMESPACE],
        )
        with world:
            yield world

    def begin(self, console: Console, world: World) -> str:
        """Apply the OrchestratedRepo, open the issue, label it; the run's name."""
        project = self.project
        world.repository(NAMESPACE, "demo", project.repository, token="ghp_orch", interval="10s", **project.spec)
        console.print(f"[dim]$ kubectl apply -f …   # OrchestratedRepo {NAMESPACE}/demo: {project.repository}[/dim]")
        maintainer = world.person("ghp_maintainer")
        number = maintainer.open_issue(project.repository, project.issue_title, project.issue_body)
        console.print(f"issue #{number}: [bold]{project.issue_title}[/bold]")
        maintainer.label(project.repository, number, "orch")
        console.print(f"[dim]maintainer puts the label `orch` on #{number}[/dim]")
        self.url = f"{world.github_url}/{project.repository}"
        return f"demo-{number}-1"

    def answer(self, console: Console, world: World, name: str) -> None:
        """Approve as a person does: with kubectl, under one's own name."""
        decision = {"spec": {"decisions": {PERSON: {"verdict": "Approve", "comment": "looks right"}}}}
        patch = json.dumps(decision)
        console.print(f"[yellow]?[/yellow] Approval {name} waits for a person; {PERSON} answers:")
        console.print(
            f"[dim]$ kubectl patch appr {name} -n {NAMESPACE} --type=merge -p '{patch}'[/dim]", soft_wrap=True
        )
        world.bind(PERSON, "orch-approver")
        world.kubectl("patch", "approval", name, "-n", NAMESPACE, "--type=merge", "-p", patch, as_user=PERSON)

    def diff(self, world: World, document: dict[str, Any]) -> str:
        """What was merged."""
        person = world.person("ghp_maintainer")
        return person.diff(self.project.repository, document["status"]["pullRequest"]["number"])

    def where(self, world: World) -> list[str]:
        """How to look around while it runs."""
        return [
            "Look around:",
            f"  export KUBECONFIG={world.kubeconfig}",
            f"  {world.kubectl_path} describe irun -n {NAMESPACE}",
            f"  {Path(sys.executable).with_name('kubectl-orch')} logs demo-1-1 -n {NAMESPACE} --gateway {world.gateway_url}",
            f"  {self.url}   (issues, pull requests, checks)",
        ]


def scene(folder: Path) -> Scene:
    """The demo's project."""
    return Scene(folder, DEMO)
