"""Processes by identity: a pid together with its start time, since pids come back. Linux only (`/proc`).

Used by the subprocess runner and its supervisor. Standard library only, because each step waits for the supervisor.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Process(NamedTuple):
    """One process for ever. `str()` is its uid, `<pid>-<start time in clock ticks since boot>`."""

    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.pid}-{self.start}"

    @classmethod
    def parse(cls, uid: str) -> Process | None:
        """The process of a uid; None if it is no uid."""
        pid, _, start = uid.partition("-")
        return cls(int(pid), int(start)) if pid.isdecimal() and start.isdecimal() else None

    @classmethod
    def current(cls) -> Process:
        """This process."""
        stat = _stat(os.getpid())
        if stat is None:
            raise OSError("/proc is not mounted: it is needed to know processes again")
        return cls(os.getpid(), stat.start)

    def is_alive(self) -> bool:
        """Whether it still runs. A zombie does not."""
        stat = _stat(self.pid)
        return stat is not None and stat.start == self.start and stat.state not in ("Z", "X")

    def kill(self, number: signal.Signals) -> None:
        """Send a signal, never to a process that has got the pid since."""
        with contextlib.suppress(ProcessLookupError):
            pidfd = os.pidfd_open(self.pid)
            try:
                if self.is_alive():
                    signal.pidfd_send_signal(pidfd, number)
            finally:
                os.close(pidfd)


class _Stat(NamedTuple):
    pid: int
    state: str
    parent: int
    start: int


def _stat(pid: int) -> _Stat | None:
    """proc(5): the fields after the command's name, which may hold blanks and brackets."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()
    return _Stat(pid, fields[0], int(fields[1]), int(fields[19]))


def descendants(pid: int) -> list[Process]:
    """All living processes below `pid`."""
    stats = [stat for name in os.listdir(_PROC) if name.isdecimal() and (stat := _stat(int(name)))]  # noqa: PTH208 (names only)
    found: list[Process] = []
    parents = {pid}
    while True:
        new = [stat for stat in stats if stat.parent in parents and stat.pid not in parents]
        if not new:
            return found
        parents |= {stat.pid for stat in new}
        found += [Process(stat.pid, stat.start) for stat in new if stat.state != "Z"]
