"""The lines that a change adds, per text file, for the secret guard.

Called by `orch.mirror.trees`. A patch is hostile text: an added line may look like a file header. So hunks are read by
the counts in their `@@` line, and files are told apart by their order, which is that of the raw diff.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from orch.mirror.git import Git
from orch.mirror.raw import DIFF_OPTIONS, Record, as_text

MAX_FILE = 1 << 20
MAX_ALL = 8 << 20
"""Bytes of added lines that are handed on, per file and in all. The guards say so of a file that is cut."""

MAX_READ = 64 << 20
"""Bytes of the patch that are read; files beyond it are not in the answer."""

_HUNK = re.compile(rb"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


def lines(git: Git, start: str, sha: str, records: Iterable[Record], *, wanted: set[bytes]) -> dict[str, str]:
    """Path → its added lines, cut at the limits; only `wanted` paths."""
    if not wanted:
        return {}
    patch, is_whole = git.read("diff-tree", *DIFF_OPTIONS, "-p", "-U0", start, sha, limit=MAX_READ)
    sections = added_per_section(patch)
    if not is_whole and sections:
        sections.pop()  # cut somewhere within
    found: dict[str, str] = {}
    left = MAX_ALL
    for path, text in zip(_sections(records), sections, strict=is_whole):
        if path in wanted and left > 0:
            kept = text[: min(MAX_FILE, left)]
            left -= len(kept)
            found[as_text(path)] = kept.decode(errors="replace")
    return found


def _sections(records: Iterable[Record]) -> Iterator[bytes]:
    """The path of each section of the patch. git writes a change of type as a deletion and a creation."""
    for record in records:
        yield record.path
        if record.status == "T":
            yield record.path


def added_per_section(patch: bytes) -> list[bytes]:
    """The added lines of each `diff --git` section, in order."""
    sections: list[list[bytes]] = []
    old = new = 0  # lines of the current hunk still to come
    for line in patch.split(b"\n"):
        if line.startswith(b"\\"):  # "\ No newline at end of file"
            continue
        if old or new:
            if line.startswith(b"+"):
                sections[-1].append(line[1:])
                new -= 1
            else:
                old -= 1
        elif line.startswith(b"diff --git "):
            sections.append([])
        elif hunk := _HUNK.match(line):
            old, new = (1 if count is None else int(count) for count in hunk.groups())
    return [b"\n".join(section) for section in sections]
