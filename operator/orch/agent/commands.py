"""Runs one shell command of the repository, with a deadline and a cap on what is kept of its output.

Called by `toolserver`. A command gets no input, its own session, and an environment made here; what it leaves running is
killed. Only in a pid namespace of its own (`sweep`) are processes found that have left the session.
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

KEPT: Final = 30_000
"""Bytes of output that are kept: the first tenth and the end."""
MOST_OUTPUT: Final = 200_000_000
"""A command that prints more is killed."""
_GRACE: Final = 1.0
"""Seconds for output to arrive after the shell has ended; what holds the pipe longer is in the background."""
_ESCAPES: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[@-_])")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


OUT_OF_TIME: Final = 124
"""As `timeout` has it."""
_OUT_OF_OUTPUT: Final = 125
CUT_SHORT: Final = (OUT_OF_TIME, _OUT_OF_OUTPUT)
"""Exit codes of commands that did not end by themselves."""


class Ended(NamedTuple):
    """How a command ended. `exit_code`: 128 + signal when a signal ended it, or one of `CUT_SHORT`."""

    exit_code: int
    output: str


class Shell:
    """Runs commands in one checkout. `sweep`: whether every process that this one may signal is ours to kill."""

    def __init__(self, root: Path, *, home: Path, sweep: bool) -> None:
        self._root = root
        self._home = home
        self._sweep = sweep

    def environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """What a command sees: a neutral locale, its home, the sandbox's PATH, and the repository's own variables."""
        base = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._home), "LANG": "C.UTF-8", "TERM": "dumb"}
        # a file edited twice in one second, with one size, would be run from its old bytecode
        python = {"PYTHONDONTWRITEBYTECODE": "1"}
        quiet = {"GIT_TERMINAL_PROMPT": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}
        return base | {"TMPDIR": os.environ.get("TMPDIR", "/tmp")} | python | quiet | dict(extra)  # noqa: S108

    def run(self, command: str, *, folder: Path, env: Mapping[str, str], seconds: float) -> Ended:
        """Run `command` with `sh -c`. Never raises for what the command does."""
        process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            cwd=folder,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        output = _Kept()
        try:
            why = _drain(process, output, time.monotonic() + seconds)
        finally:
            self._kill(process)
        code = process.wait()
        if why == "time":
            return Ended(OUT_OF_TIME, f"{output.text()}\n[ended: longer than {seconds:.0f} s]")
        if why == "output":
            return Ended(_OUT_OF_OUTPUT, f"{output.text()}\n[ended: more than {MOST_OUTPUT} bytes of output]")
        return Ended(code if code >= 0 else 128 - code, output.text())

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if self._sweep:  # kill(2): all but process 1 of the namespace and the caller
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(-1, signal.SIGKILL)
        if process.stdout:
            process.stdout.close()


class _Kept:
    """The first and the last part of an output of any length."""

    def __init__(self) -> None:
        self.total = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, data: bytes) -> None:
        self.total += len(data)
        room = KEPT // 10 - len(self._head)
        self._head += data[:room] if room > 0 else b""
        self._tail += data[max(room, 0) :]
        if len(self._tail) > 4 * KEPT:
            del self._tail[:-KEPT]

    def text(self) -> str:
        end = self._tail[-(KEPT - KEPT // 10) :]
        left_out = self.total - len(self._head) - len(end)
        gap = f"\n[… {left_out} bytes left out …]\n".encode() if left_out > 0 else b""
        return clean((bytes(self._head) + gap + bytes(end)).decode(errors="replace"))


def clean(text: str) -> str:
    """Terminal text as plain text: no escape sequences, no control characters but tab and newline."""
    return _CONTROL.sub("", _ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


def _drain(process: subprocess.Popen[bytes], output: _Kept, deadline: float) -> str:
    """Read until the command and its output end. Returns why reading ended: end, time or output."""
    stream = process.stdout
    if stream is None:
        return "end"
    ended_at: float | None = None
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            if now >= deadline:
                return "time"
            if ended_at is None and process.poll() is not None:
                ended_at = now
            if ended_at is not None and now - ended_at > _GRACE:
                return "end"
            # the poll notices a shell that has ended while a background process holds the pipe
            if not selector.select(min(0.1, deadline - now)):
                continue
            data = os.read(stream.fileno(), 1 << 16)
            if not data:
                return _wait(process, deadline)
            output.add(data)
            if output.total > MOST_OUTPUT:
                return "output"


def _wait(process: subprocess.Popen[bytes], deadline: float) -> str:
    """The output has ended; the process may still run."""
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return "time"
    return "end"
