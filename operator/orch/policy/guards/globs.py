"""Globs of policy: how `allowedPaths`, `protectedPaths` and `exemptPaths` are read. Called by the guards.

A glob is held against the whole path from the root of the repository: `*` and `?` stay inside one directory, `**` is
any number of directories, `[ab]` is one of these, a leading dot is nothing special, case counts. `docs/` is short for
`docs/**`. A name without a slash stands at the root only: `**/Makefile` is one everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wcmatch import glob

_FLAGS: Final = glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX


def match(path: str, globs: Iterable[str]) -> str | None:
    """The first glob that the path matches."""
    return next((pattern for pattern in globs if _is_match(path, pattern)), None)


def _is_match(path: str, pattern: str) -> bool:
    whole = pattern.removeprefix("/")
    return bool(glob.globmatch(path, f"{whole}**" if whole.endswith("/") else whole, flags=_FLAGS))
