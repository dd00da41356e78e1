"""Completion: for the shells, and for kubectl, which asks the program `kubectl_complete-orch` beside the plugin.

Words come from the verbs; names of objects are asked of the cluster. It never says why a name cannot be completed.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Awaitable, Callable
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from orch.kube.client import Kube

VARIABLE: Final = "_KUBECTL_ORCH_COMPLETE"
"""Set by a shell's completion script to what it wants: `complete_bash`, `complete_zsh`, `complete_fish`."""
_NO_FILES: Final = ":4"
"""The last line that kubectl reads: cobra's ShellCompDirectiveNoFileComp."""
_FILES: Final = ":0"
"""ShellCompDirectiveDefault: the shell offers files where there is no word."""
_wanted: list[str] = []
"""What was completed by files in this process."""
_MOST: Final = 200


def script(shell: str) -> str:
    """What a shell sources to complete `kubectl-orch`: bash, zsh or fish."""
    from typer._completion_shared import get_completion_script

    return get_completion_script(prog_name="kubectl-orch", complete_var=VARIABLE, shell=shell)


def main() -> int:
    """The console script `kubectl_complete-orch`: its arguments are the words so far, the last one to be completed."""
    from orch.cli.lean import collect_seldom, spare_the_client

    collect_seldom()
    spare_the_client()
    words = complete(sys.argv[1:])
    sys.stdout.write("\n".join([*words, _FILES if _wanted else _NO_FILES]) + "\n")
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


def files(incomplete: str) -> list[str]:
    """No words: the shell knows its files. kubectl is told to have it offer them."""
    _wanted.append(incomplete)
    return []


def repositories(ctx: Any, incomplete: str) -> list[str]:
    """Names of OrchestratedRepos."""
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


def questions(ctx: Any, incomplete: str) -> list[str]:
    """Names of the Approvals that are open, and not on the line yet."""
    from orch.api.v1alpha1 import Approval

    async def session(kube: Kube, namespace: str) -> list[str]:
        found = await _objects(kube, Approval).list(namespace)
        is_open = [item for item in found.items if (item.get("status") or {}).get("outcome", "Pending") == "Pending"]
        return [str(item["metadata"]["name"]) for item in is_open]

    given = ctx.params.get("names") or ()
    return [name for name in _asked(ctx, incomplete, session) if name not in given]


def steps(ctx: Any, incomplete: str) -> list[str]:
    """The work steps of the run that stands before, as `logs` takes them."""
    from orch.api.v1alpha1 import IssueRun

    run = str(ctx.params.get("run") or "")

    async def session(kube: Kube, namespace: str) -> list[str]:
        found = await _objects(kube, IssueRun).find(namespace, run) if run else None
        return [
            str(step["name"]).removeprefix(f"{run}-") for step in ((found or {}).get("status") or {}).get("steps", ())
        ]

    return _asked(ctx, incomplete, session)


def namespaces(ctx: Any, incomplete: str) -> list[str]:
    """Of the cluster, where the person may list them."""
    from orch.kube.objects import Objects
    from orch.kube.resource import NAMESPACES

    async def session(kube: Kube, namespace: str) -> list[str]:
        found = await Objects(kube, NAMESPACES).list(metadata_only=True)
        return [str(item["metadata"]["name"]) for item in found.items]

    return _asked(ctx, incomplete, session)


def contexts(ctx: Any, incomplete: str) -> list[str]:
    """Of the kubeconfig."""
    from orch.cli.connection import context_names
    from orch.cli.options import Failure

    try:
        return _beginning(context_names(ctx.params.get("kubeconfig")), incomplete)
    except Failure:
        return []


def _objects(kube: Kube, model: Any) -> Any:
    from orch.kube.objects import Objects
    from orch.kube.resource import Resource

    return Objects(kube, Resource.of(model))


def _names(ctx: Any, incomplete: str, *kinds: str) -> list[str]:
    from orch.api import v1alpha1

    async def session(kube: Kube, namespace: str) -> list[str]:
        found = []
        for kind in kinds:
            listing = await _objects(kube, getattr(v1alpha1, kind)).list(namespace, metadata_only=True)
            found += [str(item["metadata"]["name"]) for item in listing.items]
        return found

    return _asked(ctx, incomplete, session)


def _asked(ctx: Any, incomplete: str, session: Callable[[Kube, str], Awaitable[list[str]]]) -> list[str]:
    """What the cluster answers to the person whom the words so far name; nothing when it does not tell."""
    from orch.cli.connection import on_cluster
    from orch.cli.options import Failure, Place

    given = ctx.params
    groups = tuple(given.get("as_group") or ())
    place = Place(given.get("kubeconfig"), given.get("context"), given.get("namespace"), given.get("as_user"), groups)
    try:
        return _beginning(on_cluster(session, place), incomplete)
    except Failure:
        return []


def _beginning(names: list[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))[:_MOST]
