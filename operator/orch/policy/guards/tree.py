"""What a hostile tree can hold: links, submodules, odd modes, paths that are git's own somewhere, LFS.

Called by `guards.evaluate`. But for Symlink and Submodule, which may be set to Approve, nothing turns these off.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard, GuardAction
from orch.policy.diff import is_deleted, is_file
from orch.policy.guards.finding import Finding, find, fixed
from orch.policy.text import INVISIBLE
from orch.ports import FileChange, TreeDiff

LINK, SUBMODULE = "120000", "160000"

_SHORT_NAMES: Final = re.compile(r"git~\d+|git(mod|att|ign)~\d+|gi[0-9a-f]{4}~\d+")
"""8.3 names that NTFS gives to .git, .gitmodules, .gitattributes, .gitignore (git's path.c, is_ntfs_dotgit…)."""

_OWN_NAMES: Final = frozenset({".gitmodules", ".gitattributes", ".gitignore"})


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """All of it, path by path. A deletion can only make a tree better."""
    for change in diff.changes:
        if not is_deleted(change):
            yield from _mode(change, spec)
            yield from _path(change, diff.all_paths)
            if diff.attributes.get(change.path) not in (None, MANIFEST):
                message = "would be rewritten by a filter such as LFS: what is reviewed is not what is checked out"
                yield fixed(Guard.BINARY_FILE, GuardAction.DENY, change.path, "LargeFileStorage", message)


MANIFEST: Final = "orch.dev"
"""In `TreeDiff.attributes`: the file is, or was, a manifest of ours. No filter; see `workflows`."""


def _mode(change: FileChange, spec: GuardsSpec) -> Iterator[Finding]:
    if change.new_mode == LINK:
        yield find(Guard.SYMLINK, spec, change.path, LINK, "is a symbolic link: it can point anywhere")
    elif change.new_mode == SUBMODULE:
        yield find(Guard.SUBMODULE, spec, change.path, SUBMODULE, "is a submodule: its content is not in the change")
    elif not is_file(change):
        message = f"has mode {change.new_mode}: only 100644 and 100755 are files"
        yield fixed(Guard.PROTECTED_PATH, GuardAction.DENY, change.path, "FileMode", message)


def _path(change: FileChange, colliding: frozenset[str]) -> Iterator[Finding]:
    problem = path_problem(change.path)
    if problem is None and change.status != "M" and any(p in colliding for p in _with_parents(change.path)):
        problem = ("PathCollision", "is the same path as another one on machines that ignore case or Unicode form")
    if problem is not None:
        yield fixed(Guard.PROTECTED_PATH, GuardAction.DENY, change.path, *problem)


def path_problem(path: str) -> tuple[str, str] | None:
    """Rule and message if a path means something else somewhere, or cannot be read; else None."""
    if any(unicodedata.category(c) in ("Cc", "Cs") for c in path):
        return "PathUnreadable", "has control characters in its name, or bytes that are no UTF-8"
    if "\\" in path:
        return "GitAlias", "has a backslash in its name, which is a separator on Windows"
    for part in path.split("/"):
        if part in ("", ".", "..") or is_git_alias(part):
            return "GitAlias", f"has the part {part!r}, which some file system takes for git's own"
    return None


def is_git_alias(part: str) -> bool:
    """Whether a name is `.git` on HFS+ or NTFS, or another name for one of git's files (fsck: hasDotgit and others)."""
    seen = INVISIBLE.sub("", part).casefold()
    on_windows = seen.partition(":")[0].rstrip(" .")
    if on_windows == ".git" or _SHORT_NAMES.fullmatch(on_windows):
        return True
    return on_windows in _OWN_NAMES and part not in _OWN_NAMES


def _with_parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[: n + 1]) for n in range(len(parts)))
