"""How a verb is declared: its function returns the exit code, and is given a `Place` if it works on a cluster.

Called by the modules of this room, once for each verb. A verb that fails says so in one line, here and only here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import typer

from orch.cli.options import AsGroups, AsUser, Context, Failure, Kubeconfig, Namespace, Place

Verb = Callable[..., int]

_PLACE: Final = {
    "namespace": Namespace,
    "context": Context,
    "kubeconfig": Kubeconfig,
    "as_user": AsUser,
    "as_group": AsGroups,
}
"""The options that lead to a cluster, in the order of the help."""

QUICK: Final[dict[str, Any]] = {"default_map": {"help": False}}
"""For each context of a command: Typer loads pydantic, a third of the start-up, to read a `--help` that nobody gave."""


def offline(app: typer.Typer, name: str) -> Callable[[Verb], Verb]:
    """Declare a verb that needs no cluster."""

    def declare(verb: Verb) -> Verb:
        def command(**given: Any) -> None:
            _finish(lambda: verb(**given))

        _show(app, name, verb, command, list(inspect.signature(verb, eval_str=True).parameters.values()))
        return verb

    return declare


def online(app: typer.Typer, name: str) -> Callable[[Verb], Verb]:
    """Declare a verb whose first parameter is the `Place`: its other parameters are options of its own."""

    def declare(verb: Verb) -> Verb:
        def command(**given: Any) -> None:
            place = _place(**{key: given.pop(key) for key in _PLACE})
            _finish(lambda: verb(place, **given))

        own = list(inspect.signature(verb, eval_str=True).parameters.values())[1:]
        shared = [
            inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
            for key, option in _PLACE.items()
        ]
        _show(app, name, verb, command, [*own, *shared])
        return verb

    return declare


def _show(
    app: typer.Typer, name: str, verb: Verb, command: Callable[..., None], parameters: list[inspect.Parameter]
) -> None:
    """Register `command` under the verb's own help and parameters: Typer reads both from the function."""
    by_keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    command.__doc__ = verb.__doc__
    command.__signature__ = inspect.Signature(by_keyword)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app.command(name, context_settings=QUICK)(command)


def _place(
    *,
    namespace: str | None,
    context: str | None,
    kubeconfig: Path | None,
    as_user: str | None,
    as_group: list[str] | None,
) -> Place:
    if as_group and not as_user:
        raise typer.BadParameter("--as-group needs --as", param_hint="--as-group")
    return Place(kubeconfig, context, namespace, as_user, tuple(as_group or ()))


def _finish(verb: Callable[[], int]) -> None:
    try:
        code = verb()
    except Failure as failed:
        from orch.cli.output import warn

        warn(f"error: {failed}")
        code = failed.code
    raise typer.Exit(code)
