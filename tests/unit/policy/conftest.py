"""Builders for values that policies take."""

from __future__ import annotations

from orch.mirror.reading.__main__ import facts_of
from orch.mirror.reading.source import Source
from orch.ports import FileChange, TreeDiff

Sides = str | tuple[str | None, str | None]


def change(path: str = "src/app.py", status: str = "M", **facts: object) -> FileChange:
    """One changed file; ordinary unless said otherwise."""
    usual: dict[str, object] = {
        "old_mode": "000000" if status == "A" else "100644",
        "new_mode": "000000" if status == "D" else "100644",
        "size": 100,
        "binary": False,
        "additions": 1,
        "deletions": 0 if status == "A" else 1,
    }
    return FileChange(path=path, status=status, **(usual | facts))  # type: ignore[arg-type]


def diff(*changes: FileChange, sources: dict[str, Sides] | None = None, **facts: object) -> TreeDiff:
    """A diff of these changes. `sources`: path → its text, or both sides of it; read as the mirror reads them."""
    both = {path: text if isinstance(text, tuple) else (None, text) for path, text in (sources or {}).items()}
    seen = tuple(fact for path, (old, new) in both.items() for fact in facts_of(Source(path, old, new)))
    usual: dict[str, object] = {"digest": "sha256:" + "0" * 64, "tree": "1" * 40, "facts": seen}
    return TreeDiff(changes=changes, **(usual | facts))  # type: ignore[arg-type]
