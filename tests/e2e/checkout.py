"""A person's own clone of a repository on GitHub's stand-in: what is pushed while orch is at work. Used by the end-to-end tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hack.projects import TOKENS
from tests.e2e.desk import Desk


class Checkout:
    """The maintainer's clone of one branch."""

    def __init__(self, desk: Desk, repository: str, folder: Path, *, branch: str = "main") -> None:
        self.folder, self._branch = folder, branch
        address = desk.world.github_url.replace("://", f"://maintainer:{TOKENS['maintainer']}@")
        _git("clone", "--quiet", "--branch", branch, f"{address}/{repository}.git", str(folder))

    def push(self, path: str, text: str) -> str:
        """Write a file, commit it on the newest commit there is, and push; the commit's sha."""
        self._pull()
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text)
        self._run("add", path)
        who = ["-c", "user.name=Maintainer", "-c", "user.email=maintainer@example.com"]
        self._run(*who, "commit", "--quiet", f"--message=Change {path}")
        while not self._is_taken():
            self._run(*who, "pull", "--quiet", "--rebase")
        return self._run("rev-parse", "HEAD")

    def _is_taken(self) -> bool:
        """Push; False when orch's merge came first."""
        try:
            self._run("push", "--quiet", "origin", self._branch)
        except subprocess.CalledProcessError as refused:
            if "rejected" in refused.stderr:
                return False
            raise
        return True

    def read(self, path: str) -> str:
        """A file as the branch has it now."""
        self._pull()
        return (self.folder / path).read_text()

    def contains(self, sha: str) -> bool:
        """Whether a commit is part of the branch now."""
        self._pull()
        return sha in self._run("rev-list", "HEAD").split()

    def holds(self, sha: str, *, within: str) -> bool:
        """Whether a commit is part of the history of another one."""
        self._pull()
        return sha in self._run("rev-list", within).split()

    def _pull(self) -> None:
        self._run("pull", "--quiet", "--ff-only")

    def _run(self, *arguments: str) -> str:
        return _git("-C", str(self.folder), *arguments)


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout.strip()
