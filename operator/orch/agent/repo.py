"""The checkout: made from a bundle, and turned into a bundle again when the work is done.

Called by `toolserver`, inside the sandbox. The result is made with a git folder of our own beside the checkout, so the
checkout's `.git` (its configuration, hooks, index, whatever a command did to it) has no say. Only the tree of the result
is ever used by the operator, which treats it as hostile all the same.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from orch.agent.files import ToolError

GIT_SECONDS: Final = 600
MOST_MARKED: Final = 20
_JUNK_NAMES: Final = frozenset(
    {
        "__pycache__",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".tox",
        ".nox",
        ".venv",
        "venv",
        ".eggs",
    }
    | {"node_modules", ".coverage", "htmlcov", ".benchmarks", ".gradle", ".DS_Store", ".cache", ".npm"}
)
_JUNK_ENDS: Final = (".pyc", ".pyo", ".egg-info", ".orig", ".rej", ".swp")
_IDENTITY: Final = {
    "GIT_AUTHOR_NAME": "work step",
    "GIT_AUTHOR_EMAIL": "work-step@invalid",
    "GIT_COMMITTER_NAME": "work step",
    "GIT_COMMITTER_EMAIL": "work-step@invalid",
}
_PERSON: Final = "[user]\n\tname = work step\n\temail = work-step@invalid\n"
"""Of the checkout's configuration, for who commits in it."""
_SAFE: Final = (
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "gc.auto=0",
    "-c",
    "core.quotePath=false",
)


class Repo:
    """One checkout at `root`, with our git folder and scratch files in `state`."""

    def __init__(self, root: Path, state: Path) -> None:
        self.root = root
        self._git_dir = state / "git"
        self._index = state / "index"
        self._scratch = state
        self._head = ""
        self._head_tree = ""
        self._fresh = ""
        self._known: list[str] = []
        self._merged: str | None = None
        self._conflicts: list[str] = []
        self._before: set[str] = set()

    def check_out(self, bundle: Path, *, head: str, known: Iterable[str]) -> None:
        """Make the checkout of commit `head` from the bundle, which also holds `known`. Raises ToolError."""
        self._head, self._known = head, list(dict.fromkeys([head, *known]))
        self._run("init", "--quiet", "--bare", str(self._git_dir))
        self._run(f"--git-dir={self._git_dir}", "bundle", "unbundle", str(bundle))
        bundle.unlink()
        self._head_tree = self._tree_of_head()
        self._run("init", "--quiet", "--initial-branch=work", str(self.root))
        folder = self.root / ".git"
        (folder / "objects" / "info" / "alternates").write_text(f"{self._git_dir}/objects\n")
        with (folder / "config").open("a") as config:
            config.write(_PERSON)
        self._theirs("reset", "--quiet", "--hard", head)

    def begin(self) -> None:
        """The checkout is about to be changed: what it is like now is no part of the change."""
        self._fresh = self._snapshot(set())

    def merge(self, sha: str) -> list[str]:
        """Merge `sha` into the working tree without a commit; return the paths in conflict, which now hold markers."""
        self._merged = sha
        merged = self._theirs("merge", "--quiet", "--no-commit", "--no-ff", sha, check=False)
        listed = self._theirs("diff", "--name-only", "--diff-filter=U", "-z").stdout
        self._conflicts = _paths(listed)
        if merged.returncode not in (0, 1):
            raise ToolError(f"the merge of {sha[:12]} failed: {_last(merged.stderr)}")
        return self._conflicts

    def remember_untracked(self) -> None:
        """What set-up and the first test run left behind is not part of the change."""
        self._before = set(self._untracked())

    def marked(self) -> list[str]:
        """Paths of the conflict that still hold conflict markers."""
        return [path for path in self._conflicts if _has_markers(self.root / path)][:MOST_MARKED]

    def tree(self, written: Iterable[str] = ()) -> str | None:
        """The tree of the working tree as it is now; None if that is the tree of the head. `written`: paths that count
        although they were there before the work."""
        if not self._fresh:
            raise ToolError("there is no change before it begins")
        tree = self._changes_on_head(self._snapshot(set(written)))
        return None if tree == self._head_tree and not self._merged else tree

    def _snapshot(self, written: set[str]) -> str:
        """The tree that git would record for the working tree."""
        self._ours("read-tree", self._head)
        self._ours("add", "--update", "--", ".", cwd=self.root)
        if self._merged:
            brought = _paths(self._ours("ls-tree", "-r", "-z", "--name-only", self._merged).stdout)
            self._add([path for path in brought if os.path.lexists(self.root / path)], "--force")
        new = [path for path in self._untracked() if not is_junk(path)]
        self._add([path for path in new if path not in self._before or path in written])
        return self._ours("write-tree").stdout.decode().strip()

    def _changes_on_head(self, snapshot: str) -> str:
        """The head's tree with what differs between the fresh checkout and `snapshot`. They are not the same thing where
        attributes say that git would record files in another form than they have (CRLF, most of all)."""
        if self._fresh == self._head_tree:
            return snapshot
        raw = self._ours("diff-tree", "-r", "-z", "--no-renames", self._fresh, snapshot).stdout.split(b"\0")
        lines = []
        for facts, path in zip(raw[0::2], raw[1::2], strict=False):
            _, mode, _, blob, _ = facts.split(b" ")
            lines.append(b"%s %s\t%s\0" % (mode.replace(b"000000", b"0"), blob, path))
        self._ours("read-tree", self._head)
        self._ours("update-index", "-z", "--index-info", stdin=b"".join(lines))
        return self._ours("write-tree").stdout.decode().strip()

    def _tree_of_head(self) -> str:
        """Raises ToolError when a commit that we were told of has not come."""
        asked = "".join(f"{sha}^{{commit}}\n" for sha in self._known) + f"{self._head}^{{tree}}\n"
        found = self._ours("cat-file", "--batch-check=%(objectname)", stdin=asked.encode()).stdout.decode().splitlines()
        for sha, line in zip(self._known, found, strict=False):
            if line != sha:
                raise ToolError(f"the bundle lacks commit {sha[:12]}")
        return found[-1]

    def bundle(self, tree: str) -> tuple[str, Path]:
        """A commit of `tree` and a file with the bundle that holds it; its prerequisites are the commits we were given."""
        parents = [self._head, *([self._merged] if self._merged else [])]
        options = [word for parent in parents for word in ("-p", parent)]
        sha = self._ours("commit-tree", tree, *options, "-m", "work step", env=_IDENTITY).stdout.decode().strip()
        self._ours("update-ref", "refs/orch/result", sha)
        path = self._scratch / "result.bundle"
        known = [f"^{one}" for one in self._known]
        self._ours("bundle", "create", "--quiet", str(path), "refs/orch/result", *known)
        return sha, path

    def _untracked(self) -> list[str]:
        """Untracked files that no .gitignore of the tree names; a nested repository (`name/`) is none."""
        listed = self._ours("ls-files", "--others", "--exclude-per-directory=.gitignore", "-z", cwd=self.root)
        return [path for path in _paths(listed.stdout) if not path.endswith("/")]

    def _add(self, paths: list[str], *options: str) -> None:
        if paths:
            names = b"".join(os.fsencode(path) + b"\0" for path in paths)
            from_stdin = ("--pathspec-from-file=-", "--pathspec-file-nul")
            self._ours("add", *options, *from_stdin, cwd=self.root, stdin=names)

    def _ours(
        self, *words: str, cwd: Path | None = None, stdin: bytes = b"", env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        place = [f"--git-dir={self._git_dir}", f"--work-tree={self.root}"]
        own = {"GIT_INDEX_FILE": str(self._index), "GIT_LITERAL_PATHSPECS": "1"} | (env or {})
        return self._run("-c", "core.bare=false", *place, *words, cwd=cwd or self._git_dir, stdin=stdin, env=own)

    def _theirs(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[bytes]:
        return self._run(*words, cwd=self.root, check=check)

    def _run(
        self,
        *words: str,
        cwd: Path | None = None,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
        check: bool = True,
    ) -> subprocess.CompletedProcess[bytes]:
        clean = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C",
            "HOME": "/nonexistent",
            "GIT_TERMINAL_PROMPT": "0",
        }
        alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1", **(env or {})}
        try:
            done = subprocess.run(
                ["git", *_SAFE, *words],
                cwd=cwd,
                env=clean | alone,
                input=stdin,
                capture_output=True,
                timeout=GIT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise ToolError(f"git {words[0]} took longer than {GIT_SECONDS} s") from None
        if check and done.returncode:
            verb = next(
                (word for word in words if (word.islower() and word.isalpha()) or ("-" in word[1:] and word[0] != "-")),
                "",
            )
            raise ToolError(f"git {verb} failed: {_last(done.stderr)}")
        return done


def is_junk(path: str) -> bool:
    """Whether an untracked path is what tools leave behind, never part of a change."""
    parts = PurePosixPath(path).parts
    return any(part in _JUNK_NAMES or part.endswith(_JUNK_ENDS) for part in parts)


def read_chunks(path: Path, size: int = 1_000_000) -> Iterator[bytes]:
    """The bytes of a file."""
    with path.open("rb") as file:
        while chunk := file.read(size):
            yield chunk


def _has_markers(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            lines = file.read(10_000_000).splitlines()
    except OSError:
        return False
    return any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in lines)


def _paths(output: bytes) -> list[str]:
    return [os.fsdecode(name) for name in output.split(b"\0") if name]


def _last(stderr: bytes) -> str:
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "no reason given"
