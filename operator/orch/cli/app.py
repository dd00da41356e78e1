"""The verbs of `kubectl orch`, and how it ends. Called by `orch.cli.main`; each verb's work is imported when it runs.

Exit codes: 0 done, or the answer is yes; 1 the answer is no, or it failed; 2 wrong use, or the cluster cannot be
reached or refuses; 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Annotated

import typer

from orch.cli.options import WRONG_USE, Context, Failure, Kubeconfig, Namespace

app = typer.Typer(
    name="kubectl orch",
    help="GitHub issues become merged pull requests, under policy, budget and approval.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def run(arguments: list[str]) -> int:
    """Run a verb and return its exit code."""
    try:
        app(args=arguments, prog_name="kubectl orch")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else WRONG_USE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `kubectl orch status | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last door: a person gets a line, never a traceback
        typer.echo(f"error: internal: {type(error).__name__}; please report the command that you typed", err=True)
        return WRONG_USE
    return 0


def _finish(verb: Callable[[], int]) -> None:
    try:
        code = verb()
    except Failure as failed:
        from orch.cli.output import warn

        warn(f"error: {failed}")
        code = failed.code
    raise typer.Exit(code)


@app.command()
def init(
    repository: Annotated[str, typer.Argument(help="owner/name on the host.")],
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the object; default: from the repository.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Code host.")] = "github.com",
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Namespace to write down.")] = None,
) -> None:
    """Print a first OrchestratedRepo, and how to make its Secret."""
    from orch.cli import init as verb

    _finish(lambda: verb.init(repository, name, host, namespace))


@app.command()
def validate(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="YAML or JSON files; - reads stdin.")],
    server: Annotated[bool, typer.Option("--server", help="Ask the API server as well, by a dry run.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say what is wrong with objects, strictly and with line numbers."""
    from orch.cli import validate as verb

    _finish(lambda: verb.validate(files, (kubeconfig, context, namespace) if server else None))


@app.command("run")
def run_issue(
    issue: Annotated[str, typer.Argument(metavar="ISSUE", help="owner/name#123, or REPO followed by 123.")],
    number: Annotated[int | None, typer.Argument(help="The issue's number, unless ISSUE holds it.")] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it; exit code 0 when merged, else 1.")] = False,
    budget: Annotated[str | None, typer.Option("--budget", help="US dollars at most, e.g. 2.50.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="Model for all its work.")] = None,
    plan_approval: Annotated[bool, typer.Option("--plan-approval", help="Ask for approval of the plan.")] = False,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Have one issue processed now: create an IssueRun."""
    from orch.cli import run as verb

    wish = verb.Wish(budget=budget, model=model, plan_approval=plan_approval)
    _finish(lambda: verb.run(issue, number, wish, watch, (kubeconfig, context, namespace)))
