"""Git plumbing on one bare repository, by subprocess, with nobody's configuration.

Who calls it: services, routes, `seed`. It never checks permissions, never runs a hook of its own accord, and never
reads the system's or a user's git configuration. Every method is a coroutine; git runs beside the event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile

ZERO = "0" * 40
END_SECONDS = 3
"""How long to wait for the pipes of a killed child."""
SHA = re.compile(r"[0-9a-f]{40}")
_COMMITS = re.compile(r"\^?[0-9a-f]{40}(\.\.\.[0-9a-f]{40})?")
_FULL_REF = re.compile(r"refs(/[A-Za-z0-9._-]+)+")
GIT_ENV: Mapping[str, str] = {
    "PATH": os.environ.get("PATH", os.defpath),
    "HOME": "/nonexistent",
    "LC_ALL": "C.UTF-8",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ADVICE": "0",
    "GIT_LITERAL_PATHSPECS": "1",
}
CONFIG = {
    "core.logAllRefUpdates": "false",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "receive.autogc": "false",
    "receive.fsckObjects": "true",
    "transfer.hideRefs": "refs/standin",
    "receive.hideRefs": "refs/pull",
    "receive.advertisePushOptions": "false",
    "uploadpack.allowAnySHA1InWant": "true",
    "uploadpack.allowFilter": "true",
    "http.receivepack": "true",
}
_COMMIT_FORMAT = "%x00".join(["%H", "%T", "%P", "%an", "%ae", "%at", "%cn", "%ce", "%ct", "%B"])
_COMMIT_FIELDS = 10
_PATCH_LIMIT = 200_000
_MOST_ANSWERS = 500
_LONGEST_ANSWER = 1_000_000
_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


class GitError(Exception):
    """Git said no; the text is its standard error."""


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    date: datetime


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class FileDiff:
    path: str
    previous: str | None
    status: str
    sha: str
    additions: int
    deletions: int
    patch: str | None


@dataclass(frozen=True)
class TreeEntry:
    mode: str
    type: str
    sha: str
    size: int | None
    path: str


async def run_git(
    *args: str, cwd: Path | None = None, data: bytes | None = None, env: Mapping[str, str] | None = None
) -> tuple[int, bytes, bytes]:
    """Run git and return exit code, output and errors. Cancelling the caller kills it."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *args,
        cwd=cwd,
        env={**GIT_ENV, **(env or {})},
        stdin=asyncio.subprocess.PIPE if data is not None else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate(data)
    except asyncio.CancelledError:
        await end(process)
        raise
    return process.returncode or 0, out, err


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill a child if it still runs and wait until it and its pipes are gone, so that nothing outlives the event loop."""
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.kill()
    with contextlib.suppress(TimeoutError, OSError):
        async with asyncio.timeout(END_SECONDS):  # a grandchild may hold a pipe open
            await process.communicate()


class GitRepo:
    """One bare repository. Commits, and what git says of them alone, are cached: their content is their name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = asyncio.Lock()
        """Held while refs are written, so that a push and a merge do not interleave."""
        self._commits: dict[str, Commit] = {}
        self._answers: dict[tuple[str, ...], tuple[int, bytes]] = {}

    async def git(self, *args: str, data: bytes | None = None, env: Mapping[str, str] | None = None) -> bytes:
        """Output of a git command. Raises GitError when it fails."""
        code, out, err = await run_git(f"--git-dir={self.path}", *args, data=data, env=env)
        if code != 0:
            raise GitError(err.decode(errors="replace").strip() or f"git {args[0]} failed with {code}")
        return out

    async def compare(self, *args: str, accept: Container[int] = (0,)) -> tuple[int, bytes]:
        """Exit code and output of a git command about commits. Raises GitError for a code that is not in `accept`.

        Where it names them by their shas, and nothing but options besides, git always says the same, and is asked once: a pull
        request is looked at again and again."""
        if args in self._answers:
            return self._answers[args]
        code, out, err = await run_git(f"--git-dir={self.path}", *args)
        if code not in accept:
            raise GitError(err.decode(errors="replace").strip() or f"git {args[0]} failed with {code}")
        if len(out) <= _LONGEST_ANSWER and all(arg.startswith("-") or _COMMITS.fullmatch(arg) for arg in args[1:]):
            if len(self._answers) >= _MOST_ANSWERS:
                self._answers.clear()
            self._answers[args] = code, out
        return code, out

    async def text(self, *args: str, env: Mapping[str, str] | None = None) -> str:
        return (await self.git(*args, env=env)).decode(errors="replace").strip()

    async def create(self, default_branch: str) -> None:
        self.path.mkdir(parents=True)
        await self.git("init", "--quiet", "--bare", "--template=", f"--initial-branch={default_branch}", str(self.path))
        lines: list[str] = []
        for key, value in CONFIG.items():
            section, name = key.split(".", 1)
            lines.append(f"[{section}]\n\t{name} = {value}\n")
        with (self.path / "config").open("a") as config:
            config.writelines(lines)

    # -- refs

    async def refs(self, *patterns: str) -> dict[str, str]:
        """Full ref name to sha, in git's order."""
        out = await self.text("for-each-ref", "--format=%(objectname) %(refname)", *patterns)
        pairs = (line.split(" ", 1) for line in out.splitlines())
        return {ref: sha for sha, ref in pairs}

    async def find_ref(self, ref: str) -> str | None:
        """Sha of a full ref name, or None."""
        if (loose := self._loose(ref)) is not None:
            return loose
        try:
            return await self.text("rev-parse", "--verify", "--quiet", "--end-of-options", ref)
        except GitError:
            return None

    def _loose(self, ref: str) -> str | None:
        """What a ref's own file says, which it has until somebody packs it (gitrepository-layout(5)): most are looked up so, and a
        look takes no process."""
        if not _FULL_REF.fullmatch(ref) or ".." in ref:
            return None
        try:
            said = (self.path / ref).read_text().strip()
        except (OSError, ValueError):
            return None
        return said if SHA.fullmatch(said) else None

    async def find_commit_sha(self, rev: str) -> str | None:
        """Sha of the commit that a sha, branch, tag or full ref names; None when there is none."""
        if not rev or rev.startswith("-") or any(c in rev for c in " ~^:?*[\\\n") or ".." in rev or "@{" in rev:
            return None
        if rev in self._commits:
            return rev
        asked = "".join(f"{name}^{{commit}}\n" for name in (f"refs/heads/{rev}", f"refs/tags/{rev}", rev))
        found = await self.git("cat-file", "--batch-check=%(objectname)", data=asked.encode())
        return next((line for line in found.decode(errors="replace").splitlines() if SHA.fullmatch(line)), None)

    async def update_ref(self, ref: str, new: str, old: str | None = None) -> None:
        """Set a ref; with `old` only if it is that (ZERO: does not exist). Raises GitError."""
        await self.git("update-ref", ref, new, *([old] if old is not None else []))

    async def delete_ref(self, ref: str) -> None:
        await self.git("update-ref", "-d", ref)

    async def is_valid_ref(self, ref: str) -> bool:
        code, _, _ = await run_git("check-ref-format", ref)
        return code == 0

    # -- commits

    async def log(self, *revisions: str, limit: int | None = None, options: Sequence[str] = ()) -> list[Commit]:
        args = [f"--max-count={limit}"] if limit is not None else []
        # The revisions are shas, or ^sha, of ours: never text of a request.
        _, out = await self.compare("log", "-z", f"--format=tformat:{_COMMIT_FORMAT}", *args, *revisions, *options)
        fields = out.decode(errors="replace").split("\0")
        commits = [
            _commit(fields[start : start + _COMMIT_FIELDS])
            for start in range(0, len(fields) - _COMMIT_FIELDS + 1, _COMMIT_FIELDS)
        ]
        self._commits.update((commit.sha, commit) for commit in commits)
        return commits

    async def commit(self, sha: str) -> Commit:
        """Raises GitError when there is no such commit."""
        if sha not in self._commits:
            if len(self._commits) > 20_000:
                self._commits.clear()
            await self.log(sha, limit=1)
        return self._commits[sha]

    async def has_commit(self, sha: str) -> bool:
        if sha in self._commits:
            return True
        code, _, _ = await run_git(f"--git-dir={self.path}", "cat-file", "-e", f"{sha}^{{commit}}")
        return code == 0

    async def merge_base(self, one: str, other: str) -> str | None:
        """The best common ancestor, None for unrelated histories."""
        try:
            _, out = await self.compare("merge-base", one, other)
        except GitError:
            return None
        return out.decode().strip()

    async def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        try:
            code, _ = await self.compare("merge-base", "--is-ancestor", ancestor, descendant, accept=(0, 1))
        except GitError:
            return False
        return code == 0

    async def ahead_behind(self, base: str, head: str) -> tuple[int, int]:
        """How many commits `head` has that `base` lacks, and the reverse."""
        _, out = await self.compare("rev-list", "--left-right", "--count", f"{base}...{head}")
        behind, ahead = out.split()
        return int(ahead), int(behind)

    async def commit_tree(
        self, tree: str, parents: Sequence[str], message: str, author: Person, committer: Person
    ) -> str:
        """Write a commit and return its sha; no ref moves."""
        env = {
            "GIT_AUTHOR_NAME": author.name,
            "GIT_AUTHOR_EMAIL": author.email,
            "GIT_AUTHOR_DATE": f"{int(author.date.timestamp())} +0000",
            "GIT_COMMITTER_NAME": committer.name,
            "GIT_COMMITTER_EMAIL": committer.email,
            "GIT_COMMITTER_DATE": f"{int(committer.date.timestamp())} +0000",
        }
        args = [arg for parent in parents for arg in ("-p", parent)]
        out = await self.git("commit-tree", tree, *args, "-F", "-", data=message.encode(), env=env)
        return out.decode().strip()

    async def is_signed(self, sha: str, keys: Sequence[str]) -> bool:
        """Whether one of these SSH keys has signed the commit (git-verify-commit(1), gpg.format=ssh)."""
        with NamedTemporaryFile("w", suffix=".signers") as signers:
            signers.write("".join(f'* namespaces="git" {key}\n' for key in keys))
            signers.flush()
            trust = ("-c", "gpg.format=ssh", "-c", f"gpg.ssh.allowedSignersFile={signers.name}")
            code, _, _ = await run_git(f"--git-dir={self.path}", *trust, "verify-commit", sha)
        return code == 0

    async def merge_tree(self, ours: str, theirs: str) -> str | None:
        """Tree of the three-way merge, None on conflict. Source: git-merge-tree(1), exit status."""
        options = ("--write-tree", "--no-messages", "--allow-unrelated-histories")
        code, out = await self.compare("merge-tree", *options, ours, theirs, accept=(0, 1))
        return out.decode().split("\n", 1)[0].strip() if code == 0 else None

    # -- content

    async def diff(self, base: str, head: str) -> list[FileDiff]:
        """Files that differ from tree-ish `base` to `head`, renames found, with patches as GitHub shows them."""
        options = ("-r", "-M", "--no-ext-diff", "--no-textconv", "--full-index")
        _, summary = await self.compare("diff-tree", "--raw", "--numstat", "-z", *options, base, head)
        _, patches = await self.compare("diff-tree", "-p", *options, base, head)
        return _join_diff(summary.decode(errors="replace"), patches.decode(errors="replace"))

    async def patch_text(self, base: str, head: str) -> bytes:
        _, patch = await self.compare("diff-tree", "-p", "-r", "-M", "--no-ext-diff", "--no-textconv", base, head)
        return patch

    async def ls_tree(self, treeish: str, path: str = "", *, recursive: bool = False) -> list[TreeEntry]:
        """Entries of a tree, or the one entry of a file. Raises GitError when `treeish` is none."""
        args = ["-r", "-t"] if recursive else []
        target = ["--", path] if path else []
        out = await self.git("ls-tree", "-z", "-l", "--full-tree", *args, treeish, *target)
        entries = []
        for line in filter(None, out.decode(errors="surrogateescape").split("\0")):
            meta, name = line.split("\t", 1)
            mode, kind, sha, size = meta.split()
            entries.append(TreeEntry(mode, kind, sha, int(size) if size != "-" else None, name))
        return entries

    async def blob(self, sha: str) -> bytes:
        return await self.git("cat-file", "blob", sha)

    async def fetch_from(self, other: GitRepo, sha: str, ref: str) -> None:
        """Bring a commit of another repository here under `ref`."""
        await self.git("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", str(other.path), f"+{sha}:{ref}")

    async def export(self, sha: str, target: Path) -> None:
        """Write the files of a commit under the folder `target` (no .git)."""
        index = target.with_name(f"{target.name}.index")
        env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(target)}
        try:
            await self.git("read-tree", sha, env=env)
            await self.git("checkout-index", "--all", "--force", env=env)
        finally:
            index.unlink(missing_ok=True)


def _commit(fields: Sequence[str]) -> Commit:
    sha, tree, parents, author, author_mail, author_time, committer, committer_mail, time, message = fields
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(author, author_mail, datetime.fromtimestamp(int(author_time), UTC)),
        committer=Person(committer, committer_mail, datetime.fromtimestamp(int(time), UTC)),
        message=message.rstrip("\n"),
    )


def _join_diff(summary: str, patches: str) -> list[FileDiff]:
    """Join the raw records, the counts and the patches: git gives the same files in the same order in all three."""
    tokens = iter(summary.split("\0"))
    raw: list[tuple[str, str, str | None, str]] = []
    counts: list[tuple[int, int]] = []
    for token in tokens:
        if token.startswith(":"):
            _, _, old, new, status = token[1:].split()
            first = next(tokens)
            second = next(tokens) if status[0] in "RC" else None
            path, previous = (second, first) if second is not None else (first, None)
            raw.append((_STATUS.get(status[0], "changed"), path, previous, old if status[0] == "D" else new))
        elif token:
            added, deleted, name = token.split("\t", 2)
            if not name:  # a rename: two more fields with the names
                next(tokens), next(tokens)
            counts.append((int(added) if added != "-" else 0, int(deleted) if deleted != "-" else 0))
    sections = re.split(r"(?m)^diff --git ", patches)[1:]
    return [
        FileDiff(path, previous, status, sha, added, deleted, _hunks(section))
        for (status, path, previous, sha), (added, deleted), section in zip(raw, counts, sections, strict=True)
    ]


def _hunks(section: str) -> str | None:
    start = section.find("\n@@ ")
    if start < 0 or len(section) > _PATCH_LIMIT:
        return None
    return section[start + 1 :].rstrip("\n")
