"""Runs one git command and says how it ended. The only place of the package that starts git.

Called by the verbs of `orch.mirror`. It never reads configuration that is not ours and never puts a secret in an
argument or an environment: a credential comes as an open file (see `askpass`).
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

from orch.errors import NeedsHuman, Transient
from orch.mirror.environment import scrubbed, settings

_NO_ROOM: Final = ("No space left on device", "Disk quota exceeded", "Read-only file system")
"""The C library's words, which git repeats."""


class GitFailed(Exception):
    """git ended with an exit code that the caller did not expect."""

    def __init__(self, command: str, code: int, stderr: str) -> None:
        super().__init__(f"git {command} ended with {code}: {last_line(stderr)}")
        self.command = command
        self.code = code
        self.stderr = stderr


class Ended(NamedTuple):
    """How a command ended: exit code and what it printed."""

    code: int
    stdout: bytes
    stderr: str

    @property
    def text(self) -> str:
        """Standard output of a command that prints names of ours only (shas)."""
        return self.stdout.decode().strip()


class Git(NamedTuple):
    """git in one directory. `plain_http` allows http:// remotes, for loopback."""

    directory: Path
    plain_http: bool = False

    def run(
        self,
        command: str,
        *args: str,
        stdin: bytes | IO[bytes] = b"",
        env: Mapping[str, str] | None = None,
        fds: tuple[int, ...] = (),
        accept: tuple[int, ...] = (0,),
        stdout: IO[bytes] | None = None,
    ) -> Ended:
        """Run `git command args…`. `stdout` takes the output instead. Raises GitFailed for a code not in `accept`, and for
        that Transient where it is our disk that fails: nothing is wrong with what git was given."""
        fed: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
        try:
            done = subprocess.run(
                self._words(command, *args),
                **fed,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=scrubbed() | dict(env or {}),
                cwd=self.directory,
                pass_fds=fds,
                check=False,
            )
        except FileNotFoundError as err:
            raise _missing(err, command) from err
        stderr = done.stderr.decode(errors="replace")
        if done.returncode not in accept:
            raise _of_disk(stderr) or GitFailed(command, done.returncode, stderr)
        return Ended(done.returncode, done.stdout or b"", stderr)

    def read(self, command: str, *args: str, limit: int) -> tuple[bytes, bool]:
        """At most `limit` bytes of what `git command args…` prints, and whether that is all. git is ended at the limit."""
        try:
            process = subprocess.Popen(
                self._words(command, *args),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=scrubbed(),
                cwd=self.directory,
            )
        except FileNotFoundError as err:
            raise _missing(err, command) from err
        with process:
            output = process.stdout.read(limit + 1) if process.stdout else b""
            if len(output) > limit:
                process.kill()
                return output[:limit], False
        if process.returncode != 0:
            raise GitFailed(command, process.returncode, "")
        return output, True

    def _words(self, command: str, *args: str) -> list[str]:
        return ["git", f"--git-dir={self.directory}", *settings(plain_http=self.plain_http), command, *args]


def _missing(err: FileNotFoundError, command: str) -> Exception:
    """The program is not there, or the mirror's directory was removed under it."""
    if err.filename == "git":
        return NeedsHuman("GitMissing", "git is not installed where the operator runs: install git >= 2.39")
    return GitFailed(command, 128, "fatal: the mirror is gone")


def unusable(why: str) -> Transient:
    """The mirror's folder cannot be used now. `why`: in the C library's words."""
    advice = ": make room in the operator's data folder" if why in _NO_ROOM else ""
    return Transient("MirrorUnusable", f"the mirror cannot be used: {why}{advice}")


def _of_disk(stderr: str) -> Transient | None:
    """Our disk is full. What the remote says of its own does not count."""
    ours = "\n".join(line for line in stderr.splitlines() if not line.startswith("remote:"))
    words = next((words for words in _NO_ROOM if words in ours), None)
    return unusable(words) if words else None


def last_line(stderr: str) -> str:
    """The line of git's messages that says most: the last `fatal:` or `error:`, else the last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    loud = [line for line in lines if line.startswith(("fatal:", "error:"))]
    return (loud or lines or ["(git said nothing)"])[-1]
