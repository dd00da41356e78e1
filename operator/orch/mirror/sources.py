"""Both sides of the changed files, given to a reader that has no rights, and what it saw in them.

Called by `orch.mirror.trees`. Blobs are taken smallest first, so that a large one starves no other. What is too large, or
more than a reader's life, is not read, and that is a fact of its own: the guards ask a person about it.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from orch.api.facts import FactKind, SourceFact
from orch.errors import Transient
from orch.mirror.git import Git
from orch.mirror.raw import Record, as_text
from orch.mirror.reading.licences import family
from orch.policy.files import is_licence, is_test

MAX_FILE: Final = 1 << 20
MAX_ALL: Final = 8 << 20
"""Bytes of both sides that are read, of one file and in all."""

EVERY_READER: Final = "*"
"""Subject of a fact Unread that holds for the whole file."""

_DEATHS: Final = 3
"""How often a reader is started anew after a file that killed it. Then the rest is not read."""


class Sides(NamedTuple):
    """One file to be read: its path and the blobs, empty where there is none."""

    path: str
    old: str
    new: str
    size: int


def facts(git: Git, base: str, records: list[Record], *, binary: set[bytes]) -> list[dict[str, Any]]:
    """`orch.api.facts.SourceFact` of every changed text file, as JSON."""
    wanted = _wanted(git, [r for r in records if r.path not in binary])
    chosen, left = [], MAX_ALL
    found: list[dict[str, Any]] = []
    for sides in sorted(wanted, key=lambda s: (s.size, s.path)):
        if sides.size > min(MAX_FILE, left):
            found.append(_unread(sides.path, "it is larger than what is read"))
            continue
        left -= sides.size
        chosen.append(sides)
    if chosen:
        found += _read(git, chosen, _licence(git, base))
    return found


def _wanted(git: Git, records: list[Record]) -> list[Sides]:
    """The text files. Of what is gone only code and tests are worth a look."""
    files = [r for r in records if r.is_file or (r.old_mode.startswith("100") and _is_worth_it(as_text(r.path)))]
    pairs = [(r, r.old_id if r.old_mode.startswith("100") else "", r.new_id if r.is_file else "") for r in files]
    asked = sorted({blob for _, *sides in pairs for blob in sides if blob})
    output = git.run("cat-file", "--batch-check=%(objectsize)", stdin="".join(f"{b}\n" for b in asked).encode()).text
    sizes = dict(zip(asked, map(int, output.split()), strict=True))
    return [Sides(as_text(r.path), old, new, sizes.get(old, 0) + sizes.get(new, 0)) for r, old, new in pairs]


def _is_worth_it(path: str) -> bool:
    return path.endswith(".py") or is_test(path)


def _licence(git: Git, base: str) -> str:
    """The family of the licence at the root of the base."""
    for entry in git.run("ls-tree", "-z", base).stdout.split(b"\0")[:-1]:
        facts, _, name = entry.partition(b"\t")
        _mode, kind, blob = facts.decode().split(" ")
        if kind == "blob" and is_licence(as_text(name)):
            text, _ = git.read("cat-file", "blob", blob, limit=1 << 16)
            return family(text.decode(errors="replace"))
    return ""


def _read(git: Git, chosen: list[Sides], licence: str) -> Iterator[dict[str, Any]]:
    waiting, deaths = list(chosen), 0
    while waiting:
        with _started() as reader:
            while waiting:
                answer = _ask(git, reader, waiting[0], licence)
                if answer is None:
                    break
                waiting.pop(0)
                yield from answer
            else:
                return
        deaths += 1
        if reader.returncode == -signal.SIGXCPU or deaths > _DEATHS:
            yield from (_unread(sides.path, "the change takes too long to read") for sides in waiting)
            return
        yield _unread(waiting.pop(0).path, "reading it fails")


def _started() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-I", "-m", "orch.mirror.reading"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"LC_ALL": "C.UTF-8"},
        cwd="/",
    )


def _ask(git: Git, reader: subprocess.Popen[bytes], sides: Sides, licence: str) -> list[dict[str, Any]] | None:
    """The facts of one file; None when the reader has died of it."""
    if reader.stdin is None or reader.stdout is None:
        raise RuntimeError("the reader was started without pipes")
    asked = {"path": sides.path, "old": _text(git, sides.old), "new": _text(git, sides.new), "licence": licence}
    try:
        reader.stdin.write(json.dumps(asked).encode() + b"\n")
        reader.stdin.flush()
        line = reader.stdout.readline()
    except BrokenPipeError:
        return None
    if not line.endswith(b"\n"):
        return None
    answer: list[dict[str, Any]] = json.loads(line)
    return answer


def _text(git: Git, blob: str) -> str | None:
    if not blob:
        return None
    content, is_whole = git.read("cat-file", "blob", blob, limit=MAX_FILE)
    if not is_whole:
        raise Transient("MirrorUnusable", "a blob is larger than the mirror said")
    return content.decode(errors="replace")


def _unread(path: str, why: str) -> dict[str, Any]:
    return SourceFact(path, FactKind.UNREAD, subject=EVERY_READER, detail=why)._asdict()
