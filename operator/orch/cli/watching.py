"""`-w`: look again and again, and print each row that has changed, as `kubectl get -w` does, and name those that are gone.

Called by listing verbs. It asks the server once in two seconds; it never ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from orch.cli.options import Format
from orch.cli.output import Listing, Row, say, show, warn
from orch.kube.errors import Unavailable

_PAUSE: Final = 2.0
_PATIENCE: Final = 30
"""Looks without an answer from the server before the watch gives up."""

Look = Callable[[], Awaitable[Listing]]


async def show_once_or_on(look: Look, output: Format | None, *, watch: bool) -> int:
    """Print what `look` finds; with `watch`, then every row that is new, other than before or gone. Raises KubeError."""
    listing = await look()
    show(listing, output)
    has_header = bool(listing.rows)
    while watch:
        before = {row.identity: row for row in listing.rows}
        await asyncio.sleep(_PAUSE)
        listing = await _patiently(look)
        changed = [row for row in listing.rows if not _is_as(row, before.pop(row.identity, None))]
        if changed:
            show(replace(listing, rows=changed), output, header=not has_header)
            has_header = True
        for row in before.values():
            _tell_gone(row, output)
    return 0


def _is_as(row: Row, before: Row | None) -> bool:
    return before is not None and row.document == before.document


def _tell_gone(row: Row, output: Format | None) -> None:
    """In the table; beside what a program reads, on stderr."""
    where = f" in {row.namespace}" if row.namespace else ""
    (say if output in (None, Format.WIDE) else warn)(f"{row.name}{where} is not in this list any more")


async def _patiently(look: Look) -> Listing:
    for _ in range(_PATIENCE):
        try:
            return await look()
        except Unavailable:
            await asyncio.sleep(_PAUSE)
    return await look()
