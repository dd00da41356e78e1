"""How long a person waits: `make setup` and `make demo`, with nothing to do and on a machine that has never seen orch; `make test`."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.bench.figure import Figure

_ROOT = Path(__file__).resolve().parents[2]
_SHOWN = 10_000
"""Characters of what a failed target said last."""


def measure() -> Iterator[Figure]:
    """Run both as a person would, without a terminal."""
    yield Figure("setup-warm-seconds", _seconds("setup", _ROOT), "s")
    yield Figure("demo-warm-seconds", _seconds("demo", _ROOT), "s", "<= 60")


def measure_cold() -> Iterator[Figure]:
    """A fresh clone without any cache, Go's modules among them: the control plane is fetched, or built where it cannot be."""
    with tempfile.TemporaryDirectory(prefix="orch-cold-") as name:
        folder = Path(name)
        clone = folder / "orch"
        subprocess.run(["git", "clone", "--quiet", _ROOT, clone], check=True)
        caches = {key: str(folder / key.lower()) for key in ("XDG_CACHE_HOME", "GOPATH", "GOCACHE", "UV_CACHE_DIR")}
        yield Figure("setup-cold-seconds", _seconds("setup", clone, caches), "s")
        yield Figure("demo-cold-seconds", _seconds("demo", clone, caches), "s", "<= 60")
        # Go makes its modules read-only
        subprocess.run(["chmod", "-R", "u+w", folder], check=True)


def measure_tests() -> Iterator[Figure]:
    """All linters and tests in this working copy, which is set up."""
    yield Figure("test-seconds", _seconds("test", _ROOT), "s", "<= 600")


def _seconds(target: str, folder: Path, env: Mapping[str, str] | None = None) -> float:
    began = time.monotonic()
    done = subprocess.run(
        ["make", target],
        cwd=folder,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"make {target} ended with status {done.returncode}:\n{done.stdout[-_SHOWN:]}")
    return round(time.monotonic() - began, 1)
