"""Builders for values that policies take."""

from __future__ import annotations

from orch.ports import FileChange, TreeDiff


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


def diff(*changes: FileChange, added: dict[str, str] | None = None, **facts: object) -> TreeDiff:
    """A diff of these changes; each adds a harmless line unless `added` says otherwise."""
    text = {c.path: "x = 1" for c in changes if c.additions} | (added or {})
    return TreeDiff(digest="sha256:" + "0" * 64, tree="1" * 40, changes=changes, added_text=text, **facts)  # type: ignore[arg-type]
