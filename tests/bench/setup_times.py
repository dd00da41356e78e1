"""How long a person waits: `make setup` when there is nothing to do, and `make demo` from its start to the merge."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench.figure import Figure

_ROOT = Path(__file__).resolve().parents[2]


def measure() -> Iterator[Figure]:
    """Run both as a person would, without a terminal."""
    yield Figure("setup-warm-seconds", _seconds("setup"), "s")
    yield Figure("demo-warm-seconds", _seconds("demo"), "s", "<= 60")


def _seconds(target: str) -> float:
    began = time.monotonic()
    subprocess.run(["make", target], cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return round(time.monotonic() - began, 1)
