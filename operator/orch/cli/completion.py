"""Completion: for the shells, and for kubectl, which asks the program `kubectl_complete-orch` beside the plugin.

Words come from the verbs; names of objects are asked of the cluster. It never says why a name cannot be completed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Callable
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

from orch.cli.options import Place

if TYPE_CHECKING:
    from orch.kube.client import Kube

VARIABLE: Final = "_KUBECTL_ORCH_COMPLETE"
"""Set by a shell's completion script to what it wants: `complete_bash`, `complete_zsh`, `complete_fish`."""
_NO_FILES: Final = ":4"
"""The last line that kubectl reads: cobra's ShellCompDirectiveNoFileComp."""
_MOST: Final = 200


def script(shell: str) -> str:
    """What a shell sources to complete `kubectl-orch`: bash, zsh or fish."""
    from typer._completion_shared import get_completion_script

    return get_completion_script(prog_name="kubectl-orch", complete_var=VARIABLE, shell=shell)


def main() -> int:
    """The console script `kubectl_complete-orch`: its arguments are the words so far, the last one to be completed."""
    sys.stdout.write("\n".join([*complete(sys.argv[1:]), _NO_FILES]) + "\n")
    return 0


def complete(words: list[str]) -> list[str]:
    """The words that may stand where the last one stands."""
    from orch.cli.app import run

    line = ["kubectl-orch", *(words or [""])]
    asked = {VARIABLE: "complete_bash", "COMP_WORDS": shlex.join(line), "COMP_CWORD": str(len(line) - 1)}
    before = dict(os.environ)
    os.environ.update(asked)
    try:
        with contextlib.redirect_stdout(StringIO()) as said, contextlib.redirect_stderr(StringIO()):
            run([])
    finally:
        os.environ.clear()
        os.environ.update(before)
    return [word for word in said.getvalue().split("\n") if word]


def repositories(ctx: Any, incomplete: str) -> list[str]:
    """Names of OrchestratedRepos, for Typer's `autocompletion`."""
    return _names(ctx, incomplete, "OrchestratedRepo")


def runs(ctx: Any, incomplete: str) -> list[str]:
    """Names of IssueRuns."""
    return _names(ctx, incomplete, "IssueRun")


def targets(ctx: Any, incomplete: str) -> list[str]:
    """Names of both."""
    return _names(ctx, incomplete, "OrchestratedRepo", "IssueRun")


def approvals(ctx: Any, incomplete: str) -> list[str]:
    """Names of Approvals."""
    return _names(ctx, incomplete, "Approval")


Names = Callable[[Any, str], list[str]]


def _names(ctx: Any, incomplete: str, *kinds: str) -> list[str]:
    """Names that begin so; none when the cluster does not tell."""
    from orch.api import v1alpha1
    from orch.cli.connection import on_cluster
    from orch.cli.options import Failure
    from orch.kube.objects import Objects
    from orch.kube.resource import Resource

    async def session(kube: Kube, namespace: str) -> list[str]:
        found = []
        for kind in kinds:
            objects = Objects(kube, Resource.of(getattr(v1alpha1, kind)))
            listing = await objects.list(namespace, metadata_only=True)
            found += [str(item["metadata"]["name"]) for item in listing.items]
        return found

    given = ctx.params
    place = Place(given.get("kubeconfig"), given.get("context"), given.get("namespace"))
    try:
        names = on_cluster(session, place)
    except Failure:
        return []
    return sorted(name for name in names if name.startswith(incomplete))[:_MOST]
