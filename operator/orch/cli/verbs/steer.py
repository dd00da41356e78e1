"""The verbs that change what is under way: mode, pause, resume, cancel, drain."""

from __future__ import annotations

from typing import Annotated

import typer

from orch.cli.options import AllNamespaces, Changed, Labels, Place, Which, Yes
from orch.cli.verbs.choices import ModeName
from orch.cli.verbs.declare import online
from orch.cli.verbs.names import AnyRepo, Repo, Run, Targets

_AllRepos = Annotated[bool, typer.Option("--all", help="All OrchestratedRepos of the namespace; with -A, of all.")]


def add(app: typer.Typer) -> None:
    """Declare them on the app."""

    @online(app, "mode")
    def mode(
        place: Place,
        repo: Repo,
        mode: Annotated[
            ModeName | None, typer.Argument(help="Manual, Supervised or Autonomous; none prints it.")
        ] = None,
        output: Changed = None,
    ) -> int:
        """Say or set how much freedom a repository's runs have; needs the verb setpolicy.

        What Argo CD or Flux manages is not changed here: it would be changed back. Change it in Git.

        Example: kubectl orch mode web Supervised
        """
        from orch.api.v1alpha1 import Mode
        from orch.cli import steering

        return steering.mode(place, repo, Mode(mode.value) if mode else None, output)

    @online(app, "pause")
    def pause(
        place: Place,
        names: Targets = None,
        all_repos: _AllRepos = False,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        output: Changed = None,
    ) -> int:
        """Hold repositories or single runs: what is running finishes its step, then waits; nothing new starts.

        It sets spec.suspend, which stays out of Git, so that no GitOps tool takes it back. With --all or -l it says for each
        repository what happened; exit code 1 when one of them could not be paused.

        Example: kubectl orch pause --all -l team=web
        """
        from orch.cli import steering

        return steering.suspend(place, names or [], steering.Many(all_repos, all_namespaces, selector), output, on=True)

    @online(app, "resume")
    def resume(
        place: Place,
        names: Targets = None,
        all_repos: _AllRepos = False,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        adopt: Annotated[
            bool, typer.Option("--adopt", help="Have a run go on with what somebody else pushed to its branch.")
        ] = False,
        yes: Yes = False,
        output: Changed = None,
    ) -> int:
        """Let repositories or runs that were paused go on, and repositories whose circuit breaker is open.

        Of an open circuit breaker look at the failed runs first: it says that as many failed in a row as policy allows.

        With --adopt a run that waits with TakenOver goes on with the commits that somebody else pushed to its branch. They are shown,
        and exactly the head that was shown is asked for; then all guards judge the change, and people are asked about it anew.

        Example: kubectl orch resume web web-12-1
        """
        from orch.cli import adopting, steering

        many = steering.Many(all_repos, all_namespaces, selector)
        if adopt:
            return adopting.adopt(place, names or [], many, sure=yes, output=output)
        return steering.suspend(place, names or [], many, output, on=False)

    @online(app, "cancel")
    def cancel(
        place: Place,
        run: Run,
        reason: Annotated[str, typer.Option("--reason", help="Why; it is told on the issue.")],
        output: Changed = None,
    ) -> int:
        """End a run, for good. An open pull request stays, a branch without one is removed.

        Example: kubectl orch cancel web-12-1 --reason "asked for twice"
        """
        from orch.cli import steering

        return steering.cancel(place, run, reason, output)

    @online(app, "drain")
    def drain(
        place: Place,
        repo: AnyRepo = None,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        timeout: Annotated[str | None, typer.Option("--timeout", help="Give up after this long, e.g. 10m.")] = None,
    ) -> int:
        """Wait until nothing is in flight: no work step runs, no act waits for its answer.

        It only waits; pause first. Exit code 1 when the time is over and something still runs.

        Example: kubectl orch drain web --timeout 10m
        """
        from orch.cli import steering

        return steering.drain(place, Which(repo, selector, all_namespaces), timeout)
