"""Facts about a tree diff that several policies ask for. Called by guards, risk and the stages' texts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from orch.api.facts import FactKind, SourceFact
from orch.ports import FileChange, TreeDiff


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


def facts(diff: TreeDiff, *kinds: FactKind) -> Mapping[str, list[SourceFact]]:
    """Path → what reading its sources has shown, of these kinds, in the order of lines."""
    found: dict[str, list[SourceFact]] = defaultdict(list)
    for fact in sorted(diff.facts or (), key=lambda f: (f.path, f.line, f.subject, f.detail)):
        if fact.kind in kinds:
            found[fact.path].append(fact)
    return found


def unread(diff: TreeDiff, reader: str) -> Mapping[str, str]:
    """Path → why a reader (or all of them: `*`) could not do its work there. Nothing was read: that holds for every file."""
    if diff.facts is None:
        return {change.path: "its text was not read" for change in diff.changes}
    return {f.path: f.detail for f in diff.facts if f.kind is FactKind.UNREAD and f.subject in ("*", reader)}
