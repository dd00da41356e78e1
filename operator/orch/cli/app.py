"""The app of `kubectl orch`, and how it ends. Called by `orch.cli.main`; the verbs are declared in `orch.cli.verbs`.

Exit codes: 0 done, or the answer is yes; 1 the answer is no, or it failed; 2 wrong use, or the cluster cannot be
reached or refuses; 130 interrupted.
"""

from __future__ import annotations

import os
import sys

import typer
from typer._click.exceptions import NoArgsIsHelpError
from typer._completion_classes import completion_init
from typer.exceptions import TyperException

from orch.cli.completion import VARIABLE
from orch.cli.options import INTERRUPTED, WRONG_USE
from orch.cli.verbs import decide, look, setup, steer, work
from orch.cli.verbs.declare import QUICK

app = typer.Typer(
    name="kubectl orch",
    help="GitHub issues become merged pull requests, under policy, budget and approval.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], **QUICK},
)
for group in (setup, look, decide, work, steer):
    group.add(app)


def run(arguments: list[str]) -> int:
    """Run a verb and return its exit code."""
    try:
        if VARIABLE in os.environ:
            completion_init()
        code = app(args=arguments, prog_name="kubectl orch", complete_var=VARIABLE, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except TyperException as wrong:
        return _refuse(wrong)
    except typer.Abort:  # Ctrl-C at a question
        return INTERRUPTED
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else WRONG_USE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # `kubectl orch status | head`: whoever read has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the last door: a person gets a line, never a traceback
        typer.echo(f"error: internal: {type(error).__name__}; please report the command that you typed", err=True)
        return WRONG_USE


def _refuse(wrong: TyperException) -> int:
    """Wrong use in one line, as every other error: what is wrong, and where to read how it is right."""
    context = getattr(wrong, "ctx", None)
    if isinstance(wrong, NoArgsIsHelpError):  # the help is printed already
        return WRONG_USE
    said = " ".join(wrong.format_message().replace("Value error, ", "").split())
    typer.echo(f"error: {said} See {context.command_path if context else 'kubectl orch'} --help", err=True)
    return WRONG_USE
