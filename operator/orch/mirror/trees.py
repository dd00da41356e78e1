"""What a commit changes, as facts: the tree diff from the merge base, without renames, filters or hostile attributes.

Called by `orch.mirror.child`. It judges nothing: guards are `orch.policy`'s. In a bare mirror git reads no
`.gitattributes` of the tree, so a file is text or binary by its content, whatever the tree says of itself.
"""

from __future__ import annotations

import hashlib
from typing import Any

from orch.errors import Terminal
from orch.mirror import attributes, collisions, manifests, sources
from orch.mirror.collisions import LIST_PATHS, listed
from orch.mirror.raw import DIFF_OPTIONS, Record, as_text, parse
from orch.mirror.remotes import need
from orch.mirror.store import Mirror, checked_sha

MAX_PATCH = 900_000
"""Bytes: what fits a ConfigMap beside its metadata."""


MAX_LISTING = 64 << 20
MAX_PATHS = 20_000
MAX_TOTAL = 1 << 30
"""Bytes of a list of paths, changed paths, bytes of changed files: beyond them nothing is looked at any more."""


def diff(mirror: Mirror, args: dict[str, Any]) -> dict[str, Any]:
    """The facts of `orch.ports.TreeDiff` between the merge base of `base` and `sha`, and `sha`; of sources with `read`."""
    start, sha = _ends(mirror, args)
    paths = _all_paths(mirror, sha)
    raw = _raw(mirror, start, sha)
    records = parse(raw)
    sizes = _sizes(mirror, records)
    _refuse_flood(records, sizes)
    counts = _numstat(_whole(mirror, "diff-tree", *DIFF_OPTIONS, "--numstat", "-z", start, sha))
    binary = {path for path, (_, _, is_binary) in counts.items() if is_binary}
    return {
        "digest": _digest(raw),
        "tree": mirror.git.run("rev-parse", f"{sha}^{{tree}}").text,
        "changes": [_change(r, counts, sizes) for r in records],
        "facts": sources.facts(mirror.git, start, records, binary=binary) if args["read"] else None,
        "colliding": [as_text(path) for path in collisions.new(mirror.git, start, paths)],
        "attributes": {as_text(path): "orch.dev" for path in manifests.touched(mirror.git, records)}
        | {as_text(path): name for path, name in attributes.filtered(mirror, sha, records, paths).items()},
    }


def digest(mirror: Mirror, base: str, sha: str) -> str:
    """The digest of the change from the merge base of `base` and `sha` to `sha`, as `diff` gives it."""
    start, end = _ends(mirror, {"base": base, "sha": sha})
    _all_paths(mirror, end)
    return _digest(_raw(mirror, start, end))


def patch(mirror: Mirror, args: dict[str, Any]) -> str:
    """The change as text, cut at MAX_PATCH bytes with a last line that says so."""
    start, sha = _ends(mirror, args)
    _all_paths(mirror, sha)
    text, is_whole = mirror.git.read("diff-tree", *DIFF_OPTIONS, "-p", start, sha, limit=MAX_PATCH - 100)
    return text.decode(errors="replace") if is_whole else text.decode(errors="ignore") + "\n… the rest is left out\n"


def _raw(mirror: Mirror, start: str, sha: str) -> bytes:
    return _whole(mirror, "diff-tree", *DIFF_OPTIONS, "--raw", "-z", start, sha)


def _digest(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()


def _all_paths(mirror: Mirror, sha: str) -> list[bytes]:
    """All paths of the new tree. To be asked first: `ls-tree` prints as it goes and can be ended, `diff-tree` collects
    everything in memory before its first word."""
    return listed(_whole(mirror, *LIST_PATHS, sha))


def _whole(mirror: Mirror, command: str, *args: str) -> bytes:
    """All that git prints about a tree. A few objects can make a tree of a billion paths, so there is an end to it."""
    output, is_whole = mirror.git.read(command, *args, limit=MAX_LISTING)
    if not is_whole:
        raise Terminal("ChangeTooLarge", f"the tree's list of paths is longer than {MAX_LISTING} bytes")
    return output


def _refuse_flood(records: list[Record], sizes: dict[str, int]) -> None:
    total = sum(sizes.get(r.new_id, 0) for r in records)
    if len(records) > MAX_PATHS or total > MAX_TOTAL:
        text = f"{len(records)} paths with {total} bytes change, more than {MAX_PATHS} or {MAX_TOTAL}"
        raise Terminal("ChangeTooLarge", f"{text}: that is no change, but another repository")


def _ends(mirror: Mirror, args: dict[str, Any]) -> tuple[str, str]:
    base, sha = checked_sha(args["base"]), checked_sha(args["sha"])
    need(mirror, [base, sha])
    found = mirror.git.run("merge-base", base, sha, accept=(0, 1))
    if found.code == 1:
        raise Terminal("UnrelatedHistory", f"commit {sha[:12]} shares no history with the base {base[:12]}")
    return found.text, sha


def _numstat(output: bytes) -> dict[bytes, tuple[int, int, bool]]:
    """Path → lines added, lines deleted, binary (git prints `-` for both)."""
    found = {}
    for line in output.split(b"\0")[:-1]:
        plus, minus, path = line.split(b"\t", 2)
        binary = plus == b"-"
        found[path] = (0, 0, True) if binary else (int(plus), int(minus), False)
    return found


def _sizes(mirror: Mirror, records: list[Record]) -> dict[str, int]:
    """Blob id → bytes."""
    ids = sorted({r.new_id for r in records if r.new_mode in ("100644", "100755", "100664", "120000")})
    asked = "".join(f"{i}\n" for i in ids).encode()
    output = mirror.git.run("cat-file", "--batch-check=%(objectname) %(objectsize)", stdin=asked).text
    return {name: int(size) for name, size in (line.split(" ") for line in output.splitlines())}


def _change(record: Record, counts: dict[bytes, tuple[int, int, bool]], sizes: dict[str, int]) -> dict[str, Any]:
    plus, minus, binary = counts.get(record.path, (0, 0, False))
    return {
        "path": as_text(record.path),
        "status": record.status,
        "old_mode": record.old_mode,
        "new_mode": record.new_mode,
        "size": sizes.get(record.new_id, 0),
        "binary": binary,
        "additions": plus,
        "deletions": minus,
    }
