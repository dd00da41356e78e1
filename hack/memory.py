"""How much memory there is for programs to use instead of time."""

from __future__ import annotations

import re
from pathlib import Path


def available() -> int:
    """Bytes that can be had without swapping, by proc_meminfo(5); 0 when the kernel does not say."""
    try:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", Path("/proc/meminfo").read_text(), re.MULTILINE)
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0
