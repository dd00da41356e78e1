"""A disk that is soon full, for one process. Used by tests of the gateway and of work steps."""

from __future__ import annotations

from pathlib import Path


def on_a_small_disk(folder: Path, size: int) -> tuple[str, ...]:
    """The beginning of a command whose process finds `folder` empty, on a disk of its own of `size` bytes."""
    return ("bwrap", "--die-with-parent", "--dev-bind", "/", "/", "--size", str(size), "--tmpfs", str(folder))
