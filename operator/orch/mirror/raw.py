"""git's raw diff: how we ask for it, and one record of it.

Called by the modules that take a tree diff apart. Renames are off: a rename out of a protected path is a deletion.
"""

from __future__ import annotations

from typing import NamedTuple

DIFF_OPTIONS = (
    "-r",
    "--no-renames",
    "--no-ext-diff",
    "--no-textconv",
    "--no-color",
    "--full-index",
    "--ignore-submodules=none",
)


class Record(NamedTuple):
    """One line of `git diff-tree --raw` (git-diff-tree, RAW OUTPUT FORMAT)."""

    path: bytes
    status: str
    old_mode: str
    new_mode: str
    old_id: str
    new_id: str

    @property
    def is_file(self) -> bool:
        """Whether the new side is a file's content (not deleted, no symlink, no submodule)."""
        return self.new_mode.startswith("100")


def parse(raw: bytes) -> list[Record]:
    """Parse `--raw -z`: `:old new id id S`, NUL, path, NUL."""
    fields = raw.split(b"\0")[:-1]
    records = []
    for facts, path in zip(fields[::2], fields[1::2], strict=True):
        old_mode, new_mode, old_id, new_id, status = facts.decode().removeprefix(":").split(" ")
        records.append(Record(path, status[0], old_mode, new_mode, old_id, new_id))
    return records


def as_text(path: bytes) -> str:
    """A path for JSON. Bytes that are no UTF-8 become lone surrogates, which the guards refuse."""
    return path.decode(errors="surrogateescape")
