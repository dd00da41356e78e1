"""The contents of many blobs, by two git processes for thousands of them.

Called by what searches a change for a text: `manifests`, `attributes`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orch.mirror.git import Git

_AT_ONCE = 32 << 20
"""Bytes of contents in memory at a time, or one blob that is larger."""


def contents(git: Git, blobs: Iterable[str], *, at_most: int) -> Iterator[tuple[str, bytes]]:
    """Object id and content of those blobs that are here and not larger than `at_most` bytes, each once. Source: the batch
    output of git-cat-file(1)."""
    for batch in _batches(git, sorted(set(blobs)), at_most):
        yield from _read(git, batch)


def _batches(git: Git, blobs: list[str], at_most: int) -> Iterator[list[str]]:
    """Blobs that are small enough, in lists that fit into memory together."""
    lines = git.run("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", stdin=_asked(blobs)).text
    batch: list[str] = []
    total = 0
    for line in lines.splitlines():
        fields = line.split(" ")
        if len(fields) != 3 or fields[1] != "blob" or int(fields[2]) > at_most:
            continue  # a submodule's commit is not here
        if total + int(fields[2]) > _AT_ONCE and batch:
            yield batch
            batch, total = [], 0
        batch.append(fields[0])
        total += int(fields[2])
    if batch:
        yield batch


def _read(git: Git, blobs: list[str]) -> Iterator[tuple[str, bytes]]:
    output = git.run("cat-file", "--batch", stdin=_asked(blobs)).stdout
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        name, _kind, size = output[at:end].decode().split(" ")
        yield name, output[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)


def _asked(blobs: list[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode()
