"""Facts about a tree diff that several policies ask for. Called by guards, risk and the stages' texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orch.ports import FileChange, TreeDiff

MAX_SCANNED_BYTES: Final = 1 << 20
"""Bytes of added lines per file that a TreeDiff carries at most (`Git.diff`)."""


@dataclass(frozen=True)
class Totals:
    """How much a change changes."""

    files: int
    additions: int
    deletions: int

    @property
    def lines(self) -> int:
        return self.additions + self.deletions


def totals(diff: TreeDiff) -> Totals:
    """Sums over all paths."""
    return sum_of(diff.changes)


def sum_of(changes: tuple[FileChange, ...] | list[FileChange]) -> Totals:
    """Sums over some paths."""
    return Totals(len(changes), sum(c.additions for c in changes), sum(c.deletions for c in changes))


def is_file(change: FileChange) -> bool:
    """Whether the new side is an ordinary file (regular or executable)."""
    return change.new_mode in ("100644", "100755")


def is_deleted(change: FileChange) -> bool:
    """Whether the path is gone."""
    return change.status == "D"
