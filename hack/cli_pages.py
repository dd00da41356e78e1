"""The pages of `kubectl orch`, a page for each verb, made from the verbs' own help. Called by hack/generate.py."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from orch.cli import app as entry

NOTE = "Made by hack/generate.py from operator/orch/cli/verbs: change the verbs, then run it again."
_SHARED = ("--namespace", "--context", "--kubeconfig", "--as", "--as-group")
"""Explained once, on the first page."""

_EXAMPLE = "Example: "
"""Begins the paragraph of a verb's help that is a command line."""


def pages(folder: Path) -> Iterator[tuple[Path, str]]:
    """`<folder>/cli.md` and `<folder>/cli/<verb>.md`, each with its text."""
    root: Any = typer.main.get_command(entry.app)
    verbs = list(_verbs(root, ()))
    yield folder / "cli.md", _first(verbs)
    for words, command in verbs:
        yield folder / "cli" / f"{'-'.join(words)}.md", _page(words, command)


def _verbs(group: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _verbs(command, (*above, name))
        else:
            yield (*above, name), command


def _first(verbs: list[tuple[tuple[str, ...], Any]]) -> str:
    exits = (entry.__doc__ or "").partition("Exit codes: ")[2].strip().replace("\n", " ")
    lines = [
        f"<!-- {NOTE} -->",
        "# `kubectl orch`",
        "",
        "The console script `kubectl-orch` on the `PATH` is the plugin `kubectl orch`. Errors are one line on stderr that says",
        "what to do. Colour is used on a terminal only, and not with `NO_COLOR`.",
        "",
        f"Exit codes: {exits}",
        "",
        "| verb | what it does |",
        "|---|---|",
        *(
            f"| [`{' '.join(words)}`](cli/{'-'.join(words)}.md) | {_paragraphs(command)[0]} |"
            for words, command in verbs
        ),
        "",
        "## Options of every verb that works on a cluster",
        "",
        *_options([param for param in _parameters(verbs) if param.opts[0] in _SHARED]),
    ]
    return "\n".join(lines) + "\n"


def _parameters(verbs: list[tuple[tuple[str, ...], Any]]) -> list[Any]:
    """Those of the first verb that has them all."""
    having = (c.params for _, c in verbs if {"--as", "--context"} <= {opt for p in c.params for opt in p.opts})
    return list(next(having))


def _page(words: tuple[str, ...], command: Any) -> str:
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    own = [p for p in command.params if p.param_type_name == "option" and not _is_shared(p, command)]
    usage = " ".join(["kubectl orch", *words, *map(_usage, arguments), *(["[OPTIONS]"] if own else [])])
    lines = [f"<!-- {NOTE} -->", f"# `kubectl orch {' '.join(words)}`", "", f"    {usage}", ""]
    for paragraph in _paragraphs(command):
        lines += _example(paragraph) if paragraph.startswith(_EXAMPLE) else [paragraph, ""]
    if arguments:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{_cell(_bare(param))}` | {_cell(param.help)} |" for param in arguments] + [""]
    if own:
        lines += _options(own)
    if len(own) + len(arguments) < len(command.params):
        lines += ["It takes the [options of every verb that works on a cluster](../cli.md) too.", ""]
    if not any("xit code" in text for text in _paragraphs(command)):
        lines += ["Exit codes are [those of every verb](../cli.md).", ""]
    return "\n".join(lines).rstrip() + "\n"


def _is_shared(param: Any, command: Any) -> bool:
    """`init` has a `--namespace` of its own: it works on no cluster."""
    online = any("--context" in other.opts for other in command.params)
    return online and param.opts[0] in _SHARED


def _options(params: list[Any]) -> list[str]:
    lines = ["| option | default | meaning |", "|---|---|---|"]
    for param in params:
        names = ", ".join(f"`{name}`" for name in param.opts)
        lines.append(f"| {names} | {_default(param)} | {_cell(param.help)}{_variable(param)} |")
    return [*lines, ""]


def _default(param: Any) -> str:
    if param.required:
        return "required"
    return f"`{param.default}`" if param.default and not callable(param.default) else ""


def _variable(param: Any) -> str:
    """The environment variable that stands in for the option."""
    return f" Else ${param.envvar}." if param.envvar else ""


def _example(paragraph: str) -> list[str]:
    return ["Example:", "", f"    {paragraph.removeprefix(_EXAMPLE)}", ""]


def _bare(param: Any) -> str:
    return str(param.metavar or param.name.upper()).rstrip(".")


def _usage(param: Any) -> str:
    name = str(param.metavar or param.name.upper())
    name = name if param.nargs == 1 or name.endswith("...") else f"{name}..."
    return name if param.required else f"[{name}]"


def _paragraphs(command: Any) -> list[str]:
    text = inspect.cleandoc(command.help or "")
    return [" ".join(part.split()) for part in text.split("\n\n")]


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")
