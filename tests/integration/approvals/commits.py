"""Commits made without a checkout: by a person at a desk, or by a model in its sandbox. Holds no test."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.gitenv import git_env

_WHO = "Somebody <somebody@example.com> 1700000000 +0000"
_WORK = "refs/heads/work"


class Commits:
    """A bare repository of one's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True)
        self.git("init", "--bare", "--quiet", "--initial-branch=work")

    def git(self, *args: str, stdin: bytes = b"") -> str:
        """What git prints. Raises CalledProcessError."""
        return git_in(self.path, *args, stdin=stdin).decode(errors="surrogateescape").strip()

    def fetch(self, source: str, refs: str) -> None:
        """All that `refs` names at `source`, an address or a bundle, with its history."""
        self.git("fetch", "--quiet", "--no-tags", source, refs)

    def commit(self, parent: str, files: Mapping[str, str], message: str) -> str:
        """A commit on `parent` with these files on top of its tree; `refs/heads/work` is there then."""
        parts = [f"commit {_WORK}\nauthor {_WHO}\ncommitter {_WHO}\n", _data(message), f"from {parent}\n"]
        for path, text in files.items():
            parts += [f"M 100644 inline {path}\n", _data(text)]
        self.git("fast-import", "--quiet", "--force", stdin="".join(parts).encode())
        return self.git("rev-parse", _WORK)

    def bundle(self, into: Path, *refs: str, without: str) -> Path:
        """What `work` and other refs have and `without` lacks, as a file that `git fetch` reads."""
        self.git("bundle", "create", "--quiet", str(into), _WORK, *refs, f"^{without}")
        return into


def git_in(path: Path, *args: str, stdin: bytes = b"") -> bytes:
    """git in a bare repository, with nobody's settings. Raises CalledProcessError with what git said."""
    done = subprocess.run(
        ["git", f"--git-dir={path}", *args], input=stdin, capture_output=True, env=git_env(), timeout=60
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        raise subprocess.CalledProcessError(done.returncode, f"git {args[0]}: {said}")
    return done.stdout


def _data(text: str) -> str:
    """Source: git-fast-import(1), `data`. The texts are ASCII, so that characters are bytes."""
    return f"data {len(text)}\n{text}\n"
