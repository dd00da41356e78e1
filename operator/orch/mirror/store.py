"""Where the mirrors lie: `DATA/mirrors/<key>.git`, one bare repository each, locked, made on demand.

Called by `orch.mirror.child` and the verbs. A mirror is a cache: what is lost can be fetched or imported again. Its
refs are ours alone:

    refs/orch/branches/<branch>   what a branch of the remote was when last fetched
    refs/orch/imports/<sha>       a work step's commit, quarantined: never fetched from the remote, never checked out
    refs/orch/commits/<sha>       a commit that we built
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple
from urllib.parse import quote

from orch.errors import Terminal, Transient
from orch.mirror.environment import checked_url, is_loopback
from orch.mirror.git import Git, GitFailed

_SHA = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_BAD_IN_BRANCH = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock/")
_BAD_ENDS = re.compile(r"^[-./@]$|^[-./]|(\.lock|[./])$")

PACKS_BEFORE_CLEANING = 100
KEPT_SECONDS = 14 * 24 * 3600
"""Imports and commits of ours are dropped from a mirror after this; whoever still needs one imports it again."""


class Mirror(NamedTuple):
    """One mirror and its remote."""

    path: Path
    url: str
    token: str | None

    @property
    def git(self) -> Git:
        return Git(self.path, plain_http=is_loopback(self.url))

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A directory on the mirror's file system, gone afterwards."""
        path = Path(mkdtemp(prefix="orch-scratch-", dir=self.path))
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)

    def missing(self, shas: Iterable[str]) -> list[str]:
        """Those of these commits, full shas, that are not here; each once."""
        asked = list(dict.fromkeys(shas))
        lines = "".join(f"{sha}^{{commit}}\n" for sha in asked).encode()
        found = self.git.run("cat-file", "--batch-check=%(objectname)", stdin=lines).text.splitlines()
        return [sha for sha, line in zip(asked, found, strict=True) if line != sha]

    def has(self, sha: str) -> bool:
        """Whether the commit is here."""
        return not self.missing([sha])


@contextmanager
def open_mirror(data: Path, key: str, url: str, token: str | None, *, alone: bool) -> Iterator[Mirror]:
    """The mirror of `key`, made if it is not there. Held by this child `alone`, or together with other readers."""
    if not key or key.startswith(".") or len(key) > 200:
        raise Terminal("MirrorKeyMalformed", f"{key[:80]!r} cannot name a mirror")
    folder = data / "mirrors"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{quote(key, safe='')}.git"
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        if not (path / "HEAD").is_file():
            fcntl.flock(lock, fcntl.LOCK_EX)
            _create(path)
            fcntl.flock(lock, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield Mirror(path, checked_url(url), token)


def _create(path: Path) -> None:
    """Make an empty mirror, whole or not at all. A directory that is no repository is in the way and goes."""
    if (path / "HEAD").is_file():
        return
    shutil.rmtree(path, ignore_errors=True)
    new = Path(mkdtemp(prefix="new-", dir=path.parent))
    try:
        Git(new).run("init", "--bare", "--quiet", "--template=", "--initial-branch=orch-none")
        new.replace(path)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def mend(data: Path, key: str) -> bool:
    """Take away what may have made git fail: locks of gits that were killed, and where there are none a mirror that git finds
    broken. Tell whether it is worth another try. Called after a failure nobody can explain."""
    path = data / "mirrors" / f"{quote(key, safe='')}.git"
    with path.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            return True
        if _unlock(path):
            return True
        if _is_sound(path):
            return False
        shutil.rmtree(path, ignore_errors=True)
        return True


def _unlock(path: Path) -> bool:
    """Whether there were locks of git's. While the mirror is held alone no git of another child lives: a child that was killed
    took its gits along, and git removes its locks only when it is asked to end."""
    stale = [*path.glob("*.lock"), *(path / "refs").rglob("*.lock")]
    for lock in stale:
        lock.unlink(missing_ok=True)
    return bool(stale)


def _is_sound(path: Path) -> bool:
    try:
        Git(path).run("fsck", "--connectivity-only", "--no-dangling", "--no-progress", "--no-reflogs")
    except GitFailed:
        return False
    return True


def clean(mirror: Mirror) -> None:
    """Drop old imports and repack, when packs have piled up. Only while holding the mirror alone."""
    packs = list((mirror.path / "objects" / "pack").glob("*.pack"))
    if len(packs) < PACKS_BEFORE_CLEANING:
        return
    before = time.time() - KEPT_SECONDS
    for leftover in mirror.path.glob("orch-scratch-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    for kind in ("imports", "commits"):
        for ref in (mirror.path / "refs" / "orch" / kind).glob("*"):
            if ref.stat().st_mtime < before:
                ref.unlink()
    # refs stay loose files: their age is how long they are kept
    with suppress(GitFailed, Transient):
        mirror.git.run("-c", "gc.packRefs=false", "gc", "--quiet", "--prune=1.day.ago")


def write_ref(mirror: Mirror, kind: str, sha: str) -> None:
    """Keep a commit: `refs/orch/<kind>/<sha>`, its age counted anew."""
    name = f"refs/orch/{kind}/{sha}"
    mirror.git.run("update-ref", name, sha)
    with suppress(OSError):
        os.utime(mirror.path / name)


def checked_sha(sha: str) -> str:
    """A full object name, so that nothing else is ever an argument. Raises Terminal."""
    if not _SHA.fullmatch(sha):
        raise Terminal("CommitMalformed", f"{sha[:80]!r} is not a full commit sha")
    return sha


def checked_branch(branch: str) -> str:
    """A branch name that git takes (git-check-ref-format). Raises Terminal."""
    if not branch or len(branch) > 255 or _BAD_IN_BRANCH.search(branch) or _BAD_ENDS.search(branch):
        raise Terminal("BranchMalformed", f"{branch[:80]!r} is not a branch name that git takes")
    return branch
