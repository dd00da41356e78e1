"""How the demo tells what happens: one line a stage while the run is on its way, the result at its end."""

from __future__ import annotations

import time
from typing import Any, Protocol

from rich.console import Console
from rich.markup import escape
from rich.syntax import Syntax

from hack.world import World

NAMESPACE = "team-a"
_LOOK = 0.4


class Answers(Protocol):
    """Who answers an Approval."""

    def answer(self, console: Console, world: World, name: str) -> None: ...


class Teller(Protocol):
    """Where the result can be looked at."""

    def where(self, world: World) -> list[str]: ...
    def diff(self, world: World, document: dict[str, Any]) -> str: ...


def follow(console: Console, world: World, run: str, *, people: Answers) -> dict[str, Any]:
    """Print a line whenever the run gets on, and what it waits for; answer what it asks; return the run when it has ended."""
    said: list[str] = []
    waited = ""
    asked: set[str] = set()
    began = time.monotonic()
    while True:
        for process in world.processes.values():
            process.check()
        document = world.server.get("issueruns", run, NAMESPACE)
        if (waits := _waits(world, document)) != waited:
            waited = waits
            if waits:
                console.print(f"[yellow]…[/yellow] {escape(waits)}  [dim]{time.monotonic() - began:.1f} s[/dim]")
        for line in _lines(document.get("status") or {}):
            if line not in said:
                said.append(line)
                console.print(f"[green]✓[/green] {escape(line)}  [dim]{time.monotonic() - began:.1f} s[/dim]")
        status = document.get("status") or {}
        for entry in status.get("approvals") or []:
            if entry["outcome"] == "Pending" and entry["name"] not in asked:
                asked.add(entry["name"])
                people.answer(console, world, entry["name"])
        if "completionTime" in status:
            return document
        time.sleep(_LOOK)


def tell(console: Console, world: World, document: dict[str, Any], *, seconds: float, scene: Teller) -> bool:
    """The merged diff, the cost, the tables, and where to look; whether it was merged."""
    status = document["status"]
    failure = status.get("failure")
    if failure:
        console.print(f"[red]✗ {failure['reason']}[/red]: {escape(failure['message'])}")
        return False
    diff = scene.diff(world, document).strip()
    # not wrapped, a long line would be cut off
    console.print(Syntax(diff, "diff", theme="ansi_dark", background_color="default", word_wrap=True))
    usage = status["usage"]
    spent = f"{usage['costUSD']} USD for {usage['modelCalls']} model calls"
    console.print(f"\n[bold]merged after {seconds:.0f} s; {spent}[/bold]\n")
    for kind in ("orepo", "irun", "appr", "rbp"):
        console.print(f"[dim]$ kubectl get {kind} -n {NAMESPACE}[/dim]")
        console.out(world.kubectl("get", kind, "-n", NAMESPACE))
    for line in scene.where(world):
        console.print(line, soft_wrap=True)
    return True


def _waits(world: World, run: dict[str, Any]) -> str:
    """What stands in the way, in the words of a condition: the repository's first, for nothing goes on without it. Nothing is
    known of a run that is not there yet."""
    if not run:
        return ""
    repo = world.server.get("orchestratedrepos", run["spec"]["repositoryRef"]["name"], NAMESPACE)
    for document, kind, status in ((repo, "Ready", "False"), (run, "Waiting", "True")):
        for condition in (document.get("status") or {}).get("conditions") or []:
            if (condition["type"], condition["status"]) == (kind, status):
                return f"{condition['reason']}: {condition['message']}"
    return ""


def _lines(status: dict[str, Any]) -> list[str]:
    """What has been reached, in order. A fact that is recorded stays, so a line is printed once."""
    lines = []
    if status.get("issue"):
        lines.append(f"claimed: {status['issue']['title']}")
    if status.get("analysis"):
        analysis = status["analysis"]
        lines.append(f"analysed: {analysis['type']}, complexity {analysis['complexity']} of 10")
    if status.get("plan"):
        lines.append(f"planned: {status['plan'].get('summary', '')}")
    lines += [f"step {step['name']}: {step.get('reason', '')}" for step in _finished(status)]
    if change := status.get("change"):
        counts = f"{change.get('files', 0)} files, +{change.get('additions', 0)} −{change.get('deletions', 0)}"
        lines.append(f"guarded: {counts}, risk {change['risk']}")
    if pull := status.get("pullRequest"):
        lines.append(f"published: pull request #{pull['number']}")
    if (checks := status.get("checks")) and checks["state"] == "Passed":
        lines.append(f"checks passed on {checks['headSHA'][:8]}")
    if (pull := status.get("pullRequest")) and pull.get("mergeSHA"):
        lines.append(f"merged as {pull['mergeSHA'][:8]}")
    if status.get("rollbackPointRef"):
        lines.append(f"recorded: RollbackPoint {status['rollbackPointRef']['name']}")
    return lines


def _finished(status: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = ("implement", "checks", "review", "conflict")
    steps = status.get("steps") or []
    return [
        step for step in steps if step["state"] == "Succeeded" and any(f"-{kind}-" in step["name"] for kind in wanted)
    ]
