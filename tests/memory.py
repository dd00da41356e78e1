"""Tests work in memory where there is room. A pytest plugin that `tests/conftest.py` takes in.

Worlds and repositories are thousands of small files that are soon deleted; on a disk, the kernel would spend a tenth of a run's time
on them. Who sets TMPDIR has their way, and so has a machine without room: it uses its disk. What a failed test leaves is there to be
looked at until the next run.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hack.memory import available

_MEMORY = Path("/dev/shm")
_ROOM = 3_000_000_000
"""Bytes that must be free there: four times what a run has at its largest."""
_SPARE = 8_000_000_000
"""Bytes of memory that must be there for programs and files: a tmpfs may be told to be larger than the machine."""


def _has_room() -> bool:
    """Whether files fit there, and programs may be run from it, as tests do: container engines often forbid that."""
    try:
        disk = os.statvfs(_MEMORY)
    except OSError:
        return False
    may_run = not disk.f_flag & os.ST_NOEXEC
    fits = disk.f_bavail * disk.f_frsize >= _ROOM and available() >= _SPARE
    return os.access(_MEMORY, os.W_OK) and may_run and fits


if "TMPDIR" not in os.environ and _has_room():
    os.environ["TMPDIR"] = str(_MEMORY)  # of the workers too
    tempfile.tempdir = None  # looked up anew
