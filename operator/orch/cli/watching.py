"""`-w`: look again and again, and print each row that has changed, as `kubectl get -w` does. Called by listing verbs.

It asks the server once in two seconds; it never ends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from orch.cli.options import Format
from orch.cli.output import Listing, show
from orch.kube.errors import Unavailable

_PAUSE: Final = 2.0
_PATIENCE: Final = 30
"""Looks without an answer from the server before the watch gives up."""

Look = Callable[[], Awaitable[Listing]]


async def show_once_or_on(look: Look, output: Format | None, *, watch: bool) -> int:
    """Print what `look` finds; with `watch`, then every row that is new or other than before. Raises KubeError."""
    seen: dict[str, Mapping[str, Any]] = {}
    listing = await look()
    show(listing, output)
    while watch:
        seen |= {row.name: row.document for row in listing.rows}
        await asyncio.sleep(_PAUSE)
        listing = await _patiently(look)
        changed = [row for row in listing.rows if seen.get(row.name) != row.document]
        if changed:
            show(replace(listing, rows=changed), output, header=not seen)
    return 0


async def _patiently(look: Look) -> Listing:
    for _ in range(_PATIENCE):
        try:
            return await look()
        except Unavailable:
            await asyncio.sleep(_PAUSE)
    return await look()
