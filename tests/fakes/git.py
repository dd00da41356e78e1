"""A mirror in memory: `orch.ports.Git`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from tests.builders import BASE, BEGAN, digest, sha
from tests.fakes.acts import Acts, there

from orch.errors import HeadMoved
from orch.ports import AddedCommits, Author, CommitFacts, FileChange, MergedFacts, Remote, TreeDiff


class FakeGit:
    """A mirror. A commit's tree is a word: that of the commit it was taken from. `conflicts`: bases that do not merge."""

    def __init__(self, acts: Acts, branches: dict[str, str]) -> None:
        self._acts, self.branches = acts, branches
        self.branches.setdefault("main", BASE)
        self.trees: dict[str, str] = {}
        self.parents: dict[str, tuple[str, ...]] = {}
        self.messages: dict[str, str] = {}
        self.conflicts: set[str] = set()
        self.mixes = False
        """Whether the bases touch the files of the change."""
        self.change = FileChange(
            path="zones/fee.py",
            status="M",
            old_mode="100644",
            new_mode="100644",
            size=100,
            binary=False,
            additions=1,
            deletions=1,
        )
        self.empty: set[str] = set()
        """Trees that are the base's."""
        self.pushed: dict[str, AddedCommits] = {}
        """What people's commits say of themselves, where it is not usual."""
        self.imported: list[str] = []
        self.bundled: list[tuple[str, ...]] = []

    async def close(self) -> None:
        """There is no process."""

    async def fetch(self, remote: Remote, branch: str) -> str:
        return there(self.branches.get(branch), f"branch {branch}")

    async def fetch_theirs(self, remote: Remote, branch: str) -> str:
        return await self.fetch(remote, branch)

    async def added(self, remote: Remote, *, base: str, sha: str) -> AddedCommits:
        return self.pushed.get(sha, AddedCommits(1, (CommitFacts(sha, "Ann", "Change it"),)))

    async def remote_sha(self, remote: Remote, branch: str) -> str | None:
        return self.branches.get(branch)

    async def bundle(self, remote: Remote, shas: Sequence[str]) -> Path:
        self.bundled.append(tuple(shas))
        return Path("/nowhere") / "-".join(shas)

    async def import_bundle(self, remote: Remote, bundle: Path, *, sha: str) -> None:
        self.imported.append(sha)

    async def diff(self, remote: Remote, *, base: str, sha: str, read: bool = False) -> TreeDiff:
        tree = self.trees.get(sha, sha)
        changes = () if tree in self.empty else (self.change,)
        return TreeDiff(digest=digest(tree), tree=tree, changes=changes, facts=() if read else None)

    async def patch(self, remote: Remote, *, base: str, sha: str) -> str:
        return f"the patch of {self.trees.get(sha, sha)}"

    async def commit(
        self, remote: Remote, *, tree_of: str, parents: Sequence[str], message: str, author: Author, time: datetime
    ) -> str:
        return self._commit(self.trees.get(tree_of, tree_of), parents, message, time)

    async def merge(
        self, remote: Remote, *, ours: str, theirs: str, message: str, author: Author, time: datetime
    ) -> str | None:
        if theirs in self.conflicts:
            return None
        tree = self.trees.get(ours, ours)
        return self._commit(f"{tree} mixed" if self.mixes else tree, (ours, theirs), message, time)

    async def merged(self, remote: Remote, *, sha: str, base: str) -> MergedFacts:
        return MergedFacts(parent=base, commits=(sha,), time=BEGAN)

    async def push(self, remote: Remote, *, sha: str, branch: str, expected: str | None) -> None:
        def act() -> None:
            if self.branches.get(branch) != expected:
                raise HeadMoved("HeadMoved", f"{branch} is another commit")
            self.branches[branch] = sha

        self._acts.do("push", act)

    async def is_ancestor(self, remote: Remote, *, ancestor: str, sha: str) -> bool:
        return sha == ancestor or any(
            [await self.is_ancestor(remote, ancestor=ancestor, sha=parent) for parent in self.parents.get(sha, ())]
        )

    async def all_say(self, remote: Remote, *, sha: str, base: str, trailer: str, value: str) -> bool:
        at = sha
        while not await self.is_ancestor(remote, ancestor=at, sha=base):
            if f"{trailer}: {value}" not in self.messages.get(at, "").splitlines():
                return False
            at = self.parents[at][0]
        return True

    async def only_updates(self, remote: Remote, *, content: str, sha: str, base: str) -> bool:
        at = sha
        while at != content:
            ours, *theirs = self.parents.get(at, ("",))
            if len(theirs) != 1 or not await self.is_ancestor(remote, ancestor=theirs[0], sha=base):
                return False
            if self.trees.get(at, at) != self.trees.get(ours, ours):
                return False
            at = ours
        return True

    def _commit(self, tree: str, parents: Sequence[str], message: str, time: datetime) -> str:
        made = sha(f"{tree} {parents} {message} {time}")
        self.trees[made], self.parents[made], self.messages[made] = tree, tuple(parents), message
        return made
