"""`diff` and `plan`: the documents that a run has left for people. Called by `orch.cli.verbs.look`; only reads.

They are the work of a model on a stranger's text: control and invisible characters are shown as escapes.
"""

from __future__ import annotations

import json
from typing import Any

import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from orch.api.v1alpha1 import Artifact, IssueRun
from orch.cli.connection import on_cluster
from orch.cli.lookup import get_run
from orch.cli.options import Failure, Place
from orch.kube.client import Kube
from orch.kube.secrets import read_configmap
from orch.policy.text import visible


def diff(place: Place, name: str) -> int:
    """Print the newest diff against the base branch. Raises Failure."""
    text = _newest(place, name, "diff")
    console = Console(highlight=False)
    if console.is_terminal and not console.no_color:
        console.print(Syntax(text, "diff", theme="ansi_dark", background_color="default"))
    else:
        typer.echo(text, nl=not text.endswith("\n"))
    return 0


def plan(place: Place, name: str, as_json: bool) -> int:
    """Print the newest plan. Raises Failure."""
    text = _newest(place, name, "plan")
    if as_json:
        typer.echo(text)
        return 0
    try:
        made: dict[str, Any] = json.loads(text)
    except ValueError:
        raise Failure(
            f"the plan of {name} is cut short: kubectl orch plan {name} --json prints what there is"
        ) from None
    console = Console(highlight=False)
    for key, value in made.items():
        if key == "issue" or value in (None, [], ""):
            continue
        console.print(Text(key.replace("_", " ").capitalize()), style="bold")
        for entry in value if isinstance(value, list) else [value]:
            console.print(Text(f"  {'- ' if isinstance(value, list) else ''}{_words(entry)}"), soft_wrap=True)
    return 0


def _words(entry: object) -> str:
    text = "; ".join(f"{key}: {value}" for key, value in entry.items()) if isinstance(entry, dict) else str(entry)
    return visible(text).replace("\n", "\n    ")


def _newest(place: Place, name: str, kind: str) -> str:
    async def session(kube: Kube, namespace: str) -> str:
        run = await get_run(kube, namespace, name)
        kept = [artifact for artifact in run.status.artifacts if artifact.name.partition("-")[0] == kind]
        if not kept:
            raise Failure(f"{name} has no {kind} yet: kubectl orch explain {name}")
        return await _read(kube, run, kept[-1])

    return visible(on_cluster(session, place))


async def _read(kube: Kube, run: IssueRun, artifact: Artifact) -> str:
    held = await read_configmap(kube, run.metadata.namespace or "", artifact.ref.name)
    content = held.get(artifact.ref.key or "") if artifact.ref.key else next(iter(held.values()), None)
    if content is None:
        raise Failure(f"ConfigMap {artifact.ref.name} has lost its key {artifact.ref.key}")
    return content.decode(errors="replace")
