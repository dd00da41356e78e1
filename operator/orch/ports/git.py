"""What orch asks of git: a mirror of its own, and facts about changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from orch.api.facts import SourceFact
from orch.ports.forge import Credential, Remote


@dataclass(frozen=True)
class FileChange:
    """One path of a tree diff with renames off. Modes are git's, `000000` where the side does not exist."""

    path: str
    status: str
    """A, M, D or T."""
    old_mode: str
    new_mode: str
    size: int
    """Bytes of the new blob; 0 when deleted."""
    binary: bool
    additions: int
    deletions: int


@dataclass(frozen=True)
class TreeDiff:
    """What a commit changes against its merge base, as facts for the guards."""

    digest: str
    """sha256 over the raw tree diff (paths, modes, blob ids): equal content, equal digest, whatever the commits are."""
    tree: str
    changes: tuple[FileChange, ...]
    facts: tuple[SourceFact, ...] | None = None
    """What reading both sides of the changed text files has shown; None when they were not read."""
    all_paths: frozenset[str] = frozenset()
    """Paths of the new tree that collide with another one when case-folded and NFC-normalised, and did not before."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Path → `lfs` for changed paths that a filter would rewrite, `orch.dev` for files that mention our own manifests."""


@dataclass(frozen=True)
class Author:
    """Who a commit says it is by, and proves with a key if there is one: an ed25519 key as OpenSSH keeps it."""

    name: str
    email: str
    key: Credential | None = field(repr=False, default=None)


@dataclass(frozen=True)
class CommitFacts:
    """A commit as it speaks of itself: anybody can write any name into one."""

    sha: str
    author: str
    subject: str


@dataclass(frozen=True)
class AddedCommits:
    """How many commits there are, and the newest few, newest first."""

    count: int
    newest: tuple[CommitFacts, ...]


@dataclass(frozen=True)
class MergedFacts:
    """A merge as the base branch's history shows it."""

    parent: str
    """The first parent of the merge commit: where the branch was before a squash or a merge commit."""
    commits: tuple[str, ...]
    """The commits on the first-parent line after `base` that end in the merge, oldest first."""
    time: datetime
    """Committer date of the merge commit."""


class Git(Protocol):
    """Our bare mirrors. Each act runs git in a child process, without system, user or repository hooks."""

    async def close(self) -> None:
        """Let go of processes that wait for another act."""
        ...

    async def fetch(self, remote: Remote, branch: str) -> str:
        """Bring the branch into the mirror; return its head sha. Raises NotFound (no such branch, or empty)."""
        ...

    async def fetch_theirs(self, remote: Remote, branch: str) -> str:
        """`fetch` of a branch that somebody else has pushed to, held to the limits of a work step's bundle."""
        ...

    async def added(self, remote: Remote, *, base: str, sha: str) -> AddedCommits:
        """The commits of `sha` that `base` does not hold."""
        ...

    async def remote_sha(self, remote: Remote, branch: str) -> str | None:
        """The branch's head on the server now (ls-remote)."""
        ...

    async def bundle(self, remote: Remote, shas: Sequence[str]) -> Path:
        """A bundle file with the history of `shas`, for a work step. The caller deletes it."""
        ...

    async def import_bundle(self, remote: Remote, bundle: Path, *, sha: str) -> None:
        """Bring a work step's commit into a quarantine of the mirror: fsck, size and object limits. Raises Terminal."""
        ...

    async def diff(self, remote: Remote, *, base: str, sha: str, read: bool = False) -> TreeDiff:
        """The tree diff from the merge base of `base` and `sha` to `sha`. `read`: with facts about the sources, which takes
        a second more, and up to a minute of processor time for what was written to be hard to read."""
        ...

    async def patch(self, remote: Remote, *, base: str, sha: str) -> str:
        """The same as text for people, at most 900 kB."""
        ...

    async def commit(
        self, remote: Remote, *, tree_of: str, parents: Sequence[str], message: str, author: Author, time: datetime
    ) -> str:
        """Build our own commit: the tree of `tree_of`, our parents, author and message. The same input gives the same sha."""
        ...

    async def merge(
        self, remote: Remote, *, ours: str, theirs: str, message: str, author: Author, time: datetime
    ) -> str | None:
        """A merge commit of `theirs` into `ours`, made in the mirror; None when they conflict."""
        ...

    async def merged(self, remote: Remote, *, sha: str, base: str) -> MergedFacts:
        """What the merge that ended in `sha` brought to a branch that was at or behind `base` before."""
        ...

    async def push(self, remote: Remote, *, sha: str, branch: str, expected: str | None) -> None:
        """Push with `--force-with-lease=<branch>:<expected>`; `None` means the branch must not exist. Raises HeadMoved."""
        ...

    async def is_ancestor(self, remote: Remote, *, ancestor: str, sha: str) -> bool: ...

    async def all_say(self, remote: Remote, *, sha: str, base: str, trailer: str, value: str) -> bool:
        """Whether each commit on the first-parent line of `sha` that `base` does not hold has this trailer in its message.
        Anybody can write one: it tells what a commit says of itself, and is no proof."""
        ...

    async def only_updates(self, remote: Remote, *, content: str, sha: str, base: str) -> bool:
        """Whether `sha` is `content` and on top of it nothing but merges of the history of `base`, each with exactly the
        tree that git makes of its two parents, and whether against `base` both are the same change, byte for byte."""
        ...
