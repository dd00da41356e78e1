"""The verbs around an installation: init, validate, doctor, completion, version."""

from __future__ import annotations

from typing import Annotated

import typer

from orch.cli import completion as words
from orch.cli.options import AllNamespaces, Labels, OperatorNamespace, Output, Place, Which
from orch.cli.verbs.choices import Shell
from orch.cli.verbs.declare import offline, online
from orch.cli.verbs.names import AnyRepo


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
        """Print a first OrchestratedRepo, and how to make its Secret; never a token.

        Example: kubectl orch init acme/web -n team-a > web.yaml
        """
        from orch.cli import init as verb

        return verb.init(repository, name, host, namespace)

    @online(app, "validate")
    def validate(
        place: Place,
        files: Annotated[
            list[str],
            typer.Argument(metavar="FILE...", help="YAML or JSON files; - reads stdin.", autocompletion=words.files),
        ],
        server: Annotated[bool, typer.Option("--server", help="Ask the API server as well, by a dry run.")] = False,
    ) -> int:
        """Say what is wrong with objects, strictly and with line numbers; offline without --server.

        Exit code 0: nothing is wrong; 1: something is; 2: a file cannot be read, or the cluster cannot be asked.

        Example: kubectl orch validate web.yaml --server
        """
        from orch.cli import validate as verb

        return verb.validate(files, place if server else None)

    @online(app, "doctor")
    def doctor(
        place: Place,
        repo: AnyRepo = None,
        all_namespaces: AllNamespaces = False,
        selector: Labels = None,
        operator_namespace: OperatorNamespace = "orch-system",
        suffix: Annotated[
            str, typer.Option("--suffix", envvar="ORCH_SUFFIX", help="Ends the names of its admission policies.")
        ] = "",
        gateway: Annotated[str | None, typer.Option("--gateway", help="Address of the gateway, to ask it too.")] = None,
        operator: Annotated[
            str | None, typer.Option("--operator", help="Address of the operator's health port, to ask it too.")
        ] = None,
        output: Output = None,
    ) -> int:
        """What is well, what is not, and how to mend it: API server, CRDs, policies, operator, repositories, gateway.

        Exit code 0: all is well; 1: something is to be mended; 2: something could not be looked at.
        The gateway and the operator's watches are skipped, and the answer is without them, unless their addresses are given.

        Example: kubectl orch doctor -A --gateway http://127.0.0.1:8443
        """
        from orch.cli import doctor as verb

        which = Which(repo, selector, all_namespaces)
        return verb.doctor(place, verb.Wish(which, operator_namespace, suffix, gateway, operator, output))

    @offline(app, "completion")
    def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> int:
        """Print what a shell sources to complete `kubectl-orch`, e.g. source <(kubectl orch completion bash).

        `kubectl orch` itself is completed by kubectl, which finds the program kubectl_complete-orch on the PATH.
        """
        from orch.cli.completion import script

        typer.echo(script(shell.value))
        return 0

    @offline(app, "version")
    def version() -> int:
        """Print the release of this plugin."""
        from importlib.metadata import version as release

        typer.echo(f"kubectl orch {release('orch')}")
        return 0
