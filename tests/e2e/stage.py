"""One `make demo` as a person has it: a process, perhaps with a terminal, what it says, and what it leaves behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 240.0
"""Seconds until a wait is given up. Nothing but a fault comes near it, on a busy machine too."""
_LOOK = 0.1
_KNOWN = ("PATH", "HOME", "LANG", "XDG_CACHE_HOME", "KUBEBUILDER_ASSETS")
"""What a demo takes from our environment: where set-up has put things."""


class Demo:
    """`base`: the folder in which demos live. `before`: a command that runs the demo, to have it without network say."""

    def __init__(
        self,
        base: Path,
        *,
        before: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        terminal: bool = False,
    ) -> None:
        known = {name: os.environ[name] for name in _KNOWN if name in os.environ}
        temporary = base.parent / "tmp"
        temporary.mkdir(exist_ok=True)
        ours, theirs = pty.openpty() if terminal else os.pipe()
        self._terminal = ours if terminal else None
        self.said = ""
        self._child = subprocess.Popen(
            [*before, sys.executable, str(ROOT / "hack" / "demo" / "run.py"), str(base)],
            env={**known, "COLUMNS": "200", "TERM": "dumb", "TMPDIR": str(temporary), **(env or {})},
            stdin=theirs if terminal else subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, args=(ours,), daemon=True)
        self._reader.start()

    def says(self, words: str) -> None:
        """Wait until it has said this."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.said:
            assert self._child.poll() is None, f"it ended with status {self._child.returncode}: {self.said}"
            assert time.monotonic() < deadline, f"it did not say {words!r}: {self.said}"
            time.sleep(_LOOK)

    def answers(self, line: str) -> None:
        """Type a line."""
        assert self._terminal is not None
        os.write(self._terminal, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C, twice, as people press it: the terminal sends it to the whole foreground group."""
        os.killpg(self._child.pid, signal.SIGINT)
        time.sleep(0.5)
        if self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGINT)

    def ends(self) -> int:
        """Wait for its end; the exit status."""
        status = self._child.wait(PATIENCE)
        self._reader.join(10)
        return status

    def kill(self) -> None:
        """The end of a test that failed: what it has started is tethered to it."""
        if self._child.poll() is None:
            self._child.kill()
            self._child.wait()

    def _read(self, source: int) -> None:
        try:
            while part := os.read(source, 1 << 16):
                self.said += part.decode(errors="replace").replace("\r\n", "\n")
        except OSError:
            pass  # of a terminal whose other side is closed: EIO, see pty(7)
        os.close(source)


def left(base: Path) -> list[str]:
    """The processes that have to do with anything below a folder: by their command, environment, folder or open files."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parts = [(process / name).read_bytes() for name in ("cmdline", "environ")]
            links = [os.readlink(link) for link in (process / "cwd", *(process / "fd").iterdir())]  # noqa: PTH115
        except OSError:
            continue  # it is gone, or somebody else's
        if any(str(base) in text for text in (*links, *(part.decode(errors="replace") for part in parts))):
            found.append(f"{process.name} {parts[0].decode(errors='replace').replace(chr(0), ' ')[:200]}")
    return found


def interfaces(pid: int) -> set[str]:
    """The network interfaces that a process sees."""
    lines = Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]
    return {line.partition(":")[0].strip() for line in lines}
