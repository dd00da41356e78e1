"""One program as a child process that ends with its parent, with its output in a file."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from hack.tether import tethered
from hack.world.nursery import Child, Nursery

PATIENCE = 60.0
"""Seconds for a program to say that it is ready; a busy machine takes many times the usual."""


class ProcessError(Exception):
    """A program did not start, or ended by itself; the text holds the end of its output."""


class Process:
    """A program with a log and, where it has one, a ready file."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str],
        ready: Path | None = None,
        nursery: Nursery | None = None,
    ) -> None:
        """`nursery`: starts it."""
        self.name = name
        self._argv, self._log, self._env, self._ready = list(argv), log, dict(env), ready
        self._nursery = nursery
        self._child: subprocess.Popen[bytes] | Child | None = None

    @property
    def pid(self) -> int:
        """Of the running program. Raises ProcessError when it does not run."""
        if self._child is None:
            raise ProcessError(f"{self.name} does not run")
        return self._child.pid

    def start(self) -> None:
        """Start the program; `ready_line` waits for it."""
        if self._ready is not None:
            self._ready.unlink(missing_ok=True)
        if self._nursery is not None:
            self._child = self._nursery.spawn(self._argv, env=self._env, log=self._log)
            return
        with self._log.open("ab") as output:
            self._child = subprocess.Popen(
                tethered(self._argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self._env,
                start_new_session=True,
            )

    def ready_line(self) -> str:
        """The ready file's content, once it is there. Raises ProcessError if the program ends or takes too long."""
        if self._ready is None:
            raise ProcessError(f"{self.name} has no ready file")
        deadline = time.monotonic() + PATIENCE
        while not self._ready.exists():
            self.check()
            if time.monotonic() > deadline:
                raise ProcessError(f"{self.name} is not ready after {PATIENCE:.0f} s:\n{self.tail()}")
            time.sleep(0.02)
        return self._ready.read_text().strip()

    def ended(self) -> int | None:
        """Its exit status, once it has ended by itself or by `kill`."""
        return None if self._child is None else self._child.poll()

    def check(self) -> None:
        """Raise ProcessError if the program has ended."""
        if (status := self.ended()) is not None:
            raise ProcessError(f"{self.name} ended with status {status}:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The last lines of its output."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:]) if self._log.exists() else ""

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal; with SIGKILL, wait until it is gone."""
        os.kill(self.pid, number)
        if number is signal.SIGKILL and self._child is not None:
            self._child.wait()

    def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not obeyed in 30 seconds. One that has ended is no error."""
        if self._child is None:
            return
        if self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(30)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
        self._child = None
