"""How verbs print: a line, a kubectl-like table, or the objects themselves. Called by every verb.

Text from outside loses control characters here, in every form but JSON and YAML, which escape them. Colour is used on a
terminal only, and not with NO_COLOR (Rich sees to both).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import typer
import yaml
from rich.console import Console
from rich.style import Style
from rich.table import Table
from rich.text import Text

from orch.cli.options import Form, Format
from orch.policy.text import cut, one_line, plain

LIST: Final[Mapping[str, Any]] = {"apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}}
"""The head of a listing whose items are objects of the API, as kubectl prints it."""
_UNBOUNDED: Final = 100_000
"""Columns of an output that is no terminal: a script wants a row on one line."""
_LINES: Final = 100
"""Rich takes a terminal without abilities for 80 columns unless both are said."""
_LONGEST: Final = 4000
_WORST: Final = {"Failed", "False", "Denied", "Expired"}
_GOOD: Final = {"Passed", "True", "Approved", "Ready", "ok"}
_OPEN: Final = {"Waiting", "Pending", "Suspended", "Unknown", "Working"}


@dataclass(frozen=True)
class Row:
    """One line of a table, and what stands behind it: `document` for `-o json` and yaml, `name` for `-o name`, the namespace of
    what it is about. `mark` tells it from other rows of that name."""

    cells: tuple[str, ...]
    document: Mapping[str, Any]
    name: str = ""
    namespace: str = ""
    mark: str = ""

    @property
    def identity(self) -> tuple[str, str, str]:
        """The same at every look."""
        return self.namespace, self.name, self.mark


@dataclass(frozen=True)
class Listing:
    """Rows under headings; the last `wide` columns are shown with `-o wide` only. `empty`: said when there is no row."""

    columns: tuple[str, ...]
    rows: Sequence[Row]
    wide: int = 0
    empty: str = "nothing found"
    head: Mapping[str, Any] = field(default_factory=dict)
    """What stands beside `items` in JSON and YAML."""


def say(text: str) -> None:
    """One line on stdout."""
    Console(highlight=False).print(Text(_one_row(text)), soft_wrap=True)


def warn(text: str) -> None:
    """One line on stderr."""
    Console(stderr=True, highlight=False).print(Text(_one_row(text)), soft_wrap=True)


def _one_row(text: str) -> str:
    """On one line, with its own blanks: an indent means something."""
    return cut(plain(text).replace("\n", " ").replace("\t", " "), _LONGEST)


def show(listing: Listing, output: Format | None, *, header: bool = True) -> None:
    """Print a listing in the form asked for."""
    match output:
        case Format.JSON | Format.YAML:
            show_document({**listing.head, "items": [dict(row.document) for row in listing.rows]}, output)
        case Format.NAME:
            for name in dict.fromkeys(row.name for row in listing.rows):
                say(name)
        case _ if not listing.rows:
            warn(listing.empty)
        case _:
            _table(listing, wide=output is Format.WIDE, header=header)


def show_document(document: Mapping[str, Any], output: Format | Form) -> None:
    """One document as JSON or YAML, as the server has it."""
    if output in (Format.YAML, Form.YAML):
        typer.echo(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=False), nl=False)
    else:
        typer.echo(json.dumps(document, indent=2))


def age(then: datetime | None, now: datetime) -> str:
    """How long ago, as kubectl says it: `45s`, `12m`, `3h`, `4d`; empty when it is not known."""
    if then is None:
        return ""
    seconds = max(int((now - then).total_seconds()), 0)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _table(listing: Listing, *, wide: bool, header: bool) -> None:
    """Folded into a terminal's width, or as wide as it is where it does not fit even so: then the terminal wraps the lines, as it
    does kubectl's."""
    shown = len(listing.columns) if wide else len(listing.columns) - listing.wide
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), show_header=header, header_style="")
    for index, column in enumerate(listing.columns[:shown]):
        table.add_column(column, overflow="fold", no_wrap=index == 0)
    for row in listing.rows:
        table.add_row(*[_cell(text) for text in row.cells[:shown]])
    console, endless = Console(highlight=False), Console(highlight=False, width=_UNBOUNDED, height=_LINES)
    if not console.is_terminal or endless.measure(table).minimum > console.width:
        console = endless
    with console.capture() as captured:  # without the blanks that fill the last column
        console.print(table)
    typer.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _cell(text: str) -> Text:
    clean = one_line(text, 1000)
    return Text(clean, style=_style(clean))


def _style(text: str) -> Style:
    if text in _WORST:
        return Style(color="red")
    if text in _GOOD:
        return Style(color="green")
    return Style(color="yellow") if text in _OPEN else Style()
