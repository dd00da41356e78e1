"""The demo on GitHub itself: your repository, your issue, your tokens; only the cluster is a throw-away one."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.prompt import Confirm

from hack.demo.story import NAMESPACE
from hack.servers import ControlPlane
from hack.world import World
from hack.world.outside import way_out
from hack.world.people import People

API = "https://api.github.com"
MODELS = "https://api.anthropic.com"
PERSON = "demo"
"""Who asks and answers, as the API server knows them."""


@dataclass
class Scene:
    """One issue of a repository on github.com."""

    repository: str
    issue: int
    token: str
    model_key: str

    @contextmanager
    def open(self, plane: ControlPlane, kubectl: Path) -> Iterator[World]:
        """Gateway and operator alone: GitHub and the model are the real ones."""
        with tempfile.TemporaryDirectory(prefix="orch-demo-") as name:
            folder = Path(name)
            world = World(
                folder,
                kubeconfig=plane.kubeconfig,
                kubectl=kubectl,
                seed={},
                scripts=[],
                namespaces=[NAMESPACE],
                network=way_out(os.environ),
            )
            key = folder / "anthropic.key"
            key.touch(mode=0o600)
            key.write_text(self.model_key)
            try:
                world.prepare_cluster()
                world.start_gateway(upstream=MODELS, key=key)
                world.start_operator()
                world.wait_ready()
                yield world
            finally:
                world.stop()

    def begin(self, console: Console, world: World) -> str:
        """An OrchestratedRepo in mode Manual, and an IssueRun for the one issue."""
        world.repository(NAMESPACE, "demo", self.repository, token=self.token, host="github.com", mode="Manual")
        name = f"demo-{self.issue}-1"
        world.bind(PERSON, "orch-admin")
        trigger = {"type": "Manual", "username": PERSON}
        spec = {"repositoryRef": {"name": "demo"}, "issueNumber": self.issue, "trigger": trigger}
        meta = {"name": name, "namespace": NAMESPACE}
        run = {"apiVersion": "orch.dev/v1alpha1", "kind": "IssueRun", "metadata": meta, "spec": spec}
        world.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(run), as_user=PERSON)
        console.print(f"IssueRun {name} for {self.repository}#{self.issue}")
        return name

    def answer(self, console: Console, world: World, name: str) -> None:
        """Ask whoever sits here."""
        console.out(world.kubectl("describe", "approval", name, "-n", NAMESPACE))
        verdict = "Approve" if Confirm.ask(f"Approve {name}?") else "Deny"
        patch = json.dumps({"spec": {"decisions": {PERSON: {"verdict": verdict}}}})
        world.kubectl("patch", "approval", name, "-n", NAMESPACE, "--type=merge", "-p", patch, as_user=PERSON)

    def diff(self, world: World, document: dict[str, Any]) -> str:
        """What was merged."""
        return People(API, self.token).diff(self.repository, document["status"]["pullRequest"]["number"])

    def where(self, world: World) -> list[str]:
        """Where it is now."""
        return [f"https://github.com/{self.repository}/pulls", f"  export KUBECONFIG={world.kubeconfig}"]


def scene(console: Console) -> Scene | None:
    """Check what is needed, say what will be written, ask. None: not agreed, or something is missing."""
    values = {key: os.environ.get(key, "") for key in ("REPO", "ISSUE", "GITHUB_TOKEN", "ANTHROPIC_API_KEY")}
    missing = [key for key, value in values.items() if not value]
    if missing or not values["ISSUE"].isdigit():
        lacking = ", ".join(missing) or "a number in ISSUE"
        sys.stderr.write(f"demo: set {lacking}: make demo REPO=owner/name ISSUE=7\n")
        return None
    repository, issue = values["REPO"], int(values["ISSUE"])
    console.print(f"On [bold]{repository}[/bold] this will, with your GITHUB_TOKEN:")
    for act in (
        f"write one comment on issue #{issue} and edit it, and label the issue while it waits for you or was declined",
        f"push a branch orch/issue-{issue}-…, which runs your CI on it",
        "open a pull request with the commit status `orch`, and merge it if you approve here, which closes the issue",
        "delete the branch after the merge",
    ):
        console.print(f"  - {act}")
    console.print("and spend at most 5 USD on your ANTHROPIC_API_KEY.")
    if not sys.stdin.isatty() or not Confirm.ask("Go on?", default=False):
        console.print("nothing was written")
        return None
    return Scene(repository, issue, values["GITHUB_TOKEN"], values["ANTHROPIC_API_KEY"])
