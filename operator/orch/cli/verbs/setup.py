"""The verbs before there is a run: init, validate."""

from __future__ import annotations

from typing import Annotated

import typer

from orch.cli.options import Place
from orch.cli.verbs.declare import offline, online


def add(app: typer.Typer) -> None:
    """Declare them on the app."""

    @offline(app, "init")
    def init(
        repository: Annotated[str, typer.Argument(metavar="owner/name", help="The repository on the host.")],
        name: Annotated[
            str | None, typer.Option("--name", help="Name of the object; default: from the repository.")
        ] = None,
        host: Annotated[str, typer.Option("--host", help="Code host.")] = "github.com",
        namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace to write down.")] = None,
    ) -> int:
        """Print a first OrchestratedRepo, and how to make its Secret; never a token."""
        from orch.cli import init as verb

        return verb.init(repository, name, host, namespace)

    @online(app, "validate")
    def validate(
        place: Place,
        files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON files; - reads stdin.")],
        server: Annotated[bool, typer.Option("--server", help="Ask the API server as well, by a dry run.")] = False,
    ) -> int:
        """Say what is wrong with objects, strictly and with line numbers; offline without --server."""
        from orch.cli import validate as verb

        return verb.validate(files, place if server else None)
