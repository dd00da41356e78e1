"""`make demo-down`: end the demos of this working copy (or of the folder named) that still run, and remove what they left."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

BASE = Path(__file__).resolve().parents[2] / ".demo"
PATIENCE = 30.0


def main(base: Path) -> None:
    """End each demo by its own pid file, then delete the folders."""
    pids = [pid for folder in base.glob("run-*") if (pid := _pid(folder)) is not None]
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while any(_is_demo(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.1)
    shutil.rmtree(base, ignore_errors=True)
    print("the demo is gone" if pids else "no demo was running")


def _pid(folder: Path) -> int | None:
    """The demo's process, if it still runs. A pid that was given to another program since is not it."""
    try:
        pid = int((folder / "pid").read_text())
    except (OSError, ValueError):
        return None
    return pid if _is_demo(pid) else None


def _is_demo(pid: int) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"demo/run.py" in command


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else BASE)
