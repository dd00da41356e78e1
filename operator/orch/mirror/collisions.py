"""Paths that are one file on some machine: equal after case folding, Unicode normalisation or dropped characters.

Called by `orch.mirror.trees`. macOS (HFS+, APFS) and Windows check such trees out over each other, which has been used
to plant files (CVE-2021-21300). A directory counts as its path, so `A` as a link and `a/x` as a file collide.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict

from orch.mirror.git import Git

_IGNORED_BY_HFS = re.compile("[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]")
"""Apple's TN1150, as git's utf8.c lists them."""


LIST_PATHS = ("ls-tree", "-r", "-t", "-z", "--name-only", "--full-tree")
"""git's arguments to list all paths of a tree, directories too; the commit comes after them."""


def listed(output: bytes) -> list[bytes]:
    """The paths in what LIST_PATHS printed."""
    return output.split(b"\0")[:-1]


def new(git: Git, before: str, paths: list[bytes]) -> list[bytes]:
    """The paths that collide with another one, and did not in the tree `before`."""
    groups = [group for group in _groups(paths) if len(group) > 1]
    if not groups:
        return []
    known = set(listed(git.run(*LIST_PATHS, before).stdout))
    return sorted(path for group in groups if not known.issuperset(group) for path in group)


def _groups(paths: list[bytes]) -> list[list[bytes]]:
    folded: dict[str, list[bytes]] = defaultdict(list)
    for path in paths:
        folded[fold(path)].append(path)
    return list(folded.values())


def fold(path: bytes) -> str:
    """The name that a forgiving file system gives to a path."""
    if path.isascii():
        return path.decode().lower()
    text = _IGNORED_BY_HFS.sub("", path.decode(errors="surrogateescape"))
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
