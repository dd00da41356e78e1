"""Merges: one of our own making, the proof that nothing else was added, and what a merge that has happened brought.

Called by `orch.mirror.child`. Merging needs no work tree (git merge-tree --write-tree, git 2.38), so no file, filter or
driver of anybody is touched.
"""

from __future__ import annotations

from typing import Any

from orch.errors import NotFound
from orch.mirror.commits import commit, is_ancestor
from orch.mirror.remotes import need
from orch.mirror.store import Mirror, checked_sha, write_ref
from orch.mirror.trees import digest

_MOST_COMMITS = 100


def merge(mirror: Mirror, args: dict[str, Any]) -> str | None:
    """A commit with parents `ours` and `theirs`, or None when they conflict. The other arguments are those of `commit`."""
    ours, theirs = checked_sha(args["ours"]), checked_sha(args["theirs"])
    need(mirror, [ours, theirs])
    tree = _merged_tree(mirror, ours, theirs)
    if tree is None:
        return None
    # commit-tree takes the tree of a commit: wrap the merged tree into one that only the mirror sees
    who = {f"GIT_{role}_{part}": "orch" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    carrier = mirror.git.run("commit-tree", tree, stdin=b"merged tree\n", env=who).text
    write_ref(mirror, "commits", carrier)
    return commit(mirror, {**args, "tree_of": carrier, "parents": [ours, theirs]})


def only_updates(mirror: Mirror, args: dict[str, Any]) -> bool:
    """See `orch.ports.Git.only_updates`. It proves by the objects alone: who made a commit is not asked, for anybody can
    write any name into one."""
    content, sha, base = (checked_sha(args[name]) for name in ("content", "sha", "base"))
    need(mirror, [content, sha, base])
    at = sha
    for _ in range(_MOST_COMMITS):
        if at == content:
            return digest(mirror, base, content) == digest(mirror, base, sha)
        tree, *parents = mirror.git.run("show", "--no-patch", "--format=%T %P", at).text.split()
        if len(parents) != 2 or not is_ancestor(mirror, {"ancestor": parents[1], "sha": base}):
            return False
        if _merged_tree(mirror, *parents) != tree:
            return False
        at = parents[0]
    return False


def _merged_tree(mirror: Mirror, ours: str, theirs: str) -> str | None:
    """The tree that git makes of both, None when they conflict."""
    done = mirror.git.run("merge-tree", "--write-tree", "--no-messages", ours, theirs, accept=(0, 1))
    return None if done.code == 1 else done.text


def merged(mirror: Mirror, args: dict[str, Any]) -> dict[str, Any]:
    """First parent and committer time (seconds since 1970) of the merge commit `sha`, and the first-parent commits
    after `base` that end in it, oldest first, at most a hundred. Raises NotFound for a root commit."""
    sha, base = checked_sha(args["sha"]), checked_sha(args["base"])
    need(mirror, [sha, base])
    time, _, parents = mirror.git.run("show", "--no-patch", "--format=%ct %P", sha).text.partition(" ")
    if not parents:
        raise NotFound("ParentMissing", f"commit {sha[:12]} has no parent: there is nothing to go back to")
    line = mirror.git.run("rev-list", "--first-parent", f"--max-count={_MOST_COMMITS}", sha, f"^{base}").text.split()
    return {"parent": parents.split(" ")[0], "commits": line[::-1] or [sha], "time": int(time)}
