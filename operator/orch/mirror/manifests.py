"""Changed files that are, or were, manifests of orch itself: a change there may loosen the policy that judges it.

Called by `orch.mirror.trees`. The whole content of both sides is searched, since the line that makes a file a manifest
need not be among the changed ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orch.mirror.git import Git
from orch.mirror.raw import Record

SIGN = b"orch.dev/"
"""In `apiVersion: orch.dev/v1alpha1`, however it is quoted. Other mentions only ask a person once too often."""

MAX_SIZE = 4 << 20
"""Bytes; the API server takes 3 MiB. A larger file is looked at by nobody and `LargeChange` says so."""

_AT_ONCE = 32 << 20


def touched(git: Git, records: Iterable[Record]) -> list[bytes]:
    """The paths whose old or new content mentions our group."""
    plain = [r for r in records if r.is_file or r.old_mode.startswith("100")]
    sides = {blob for r in plain for blob in (r.old_id, r.new_id) if blob.strip("0")}
    hits = {blob for batch in _batches(git, sorted(sides)) for blob in _search(git, batch)}
    return [r.path for r in plain if r.old_id in hits or r.new_id in hits]


def _batches(git: Git, blobs: list[str]) -> Iterator[list[str]]:
    """Blobs that are small enough, in lists that fit into memory together."""
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    lines = git.run(
        "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", stdin=asked
    ).text.splitlines()
    batch: list[str] = []
    total = 0
    for line in lines:
        fields = line.split(" ")
        if len(fields) != 3 or fields[1] != "blob" or int(fields[2]) > MAX_SIZE:
            continue  # a submodule's commit is not here
        if total + int(fields[2]) > _AT_ONCE and batch:
            yield batch
            batch, total = [], 0
        batch.append(fields[0])
        total += int(fields[2])
    if batch:
        yield batch


def _search(git: Git, blobs: list[str]) -> Iterator[str]:
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    output = git.run("cat-file", "--batch", stdin=asked).stdout
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        name, _kind, size = output[at:end].decode().split(" ")
        content = output[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
        if SIGN in content.lower():
            yield name
