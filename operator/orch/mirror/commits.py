"""Commits of our own making, and questions about history.

Called by `orch.mirror.child`. Of a work step's commit only the tree is used; parents, author, time and message are
ours, so the same input gives the same sha and a crash in between changes nothing.
"""

from __future__ import annotations

from typing import Any, Final

from orch.errors import Terminal
from orch.mirror.remotes import need
from orch.mirror.signing import signed_by
from orch.mirror.store import Mirror, checked_sha, write_ref

_MOST_LISTED: Final = 5
_LISTING: Final = 1 << 20
"""Bytes: a stranger's message may have a first line of any length."""
_LONGEST: Final = 1_000
"""Characters of a name or a subject."""


def commit(mirror: Mirror, args: dict[str, Any]) -> str:
    """Build a commit: the tree of `tree_of`, `parents`, `message`, author and committer `name` and `email` at `time`
    (seconds since 1970, UTC), signed with the key `signing` if there is one. Raises Terminal for a message that no commit
    can hold, and what `signed_by` raises."""
    parents = [checked_sha(parent) for parent in args["parents"]]
    tree_of = checked_sha(args["tree_of"])
    need(mirror, [tree_of, *parents])
    message: str = args["message"]
    if "\0" in message or not message.strip():
        raise Terminal("MessageMalformed", "a commit message is empty or holds NUL")
    who = {
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (("NAME", args["name"]), ("EMAIL", args["email"]), ("DATE", f"@{int(args['time'])} +0000"))
    }
    options = [word for parent in parents for word in ("-p", parent)]
    with signed_by(args.get("signing")) as (sign, fds):
        words = (f"{tree_of}^{{tree}}", *options, *sign)
        sha = mirror.git.run("commit-tree", *words, stdin=message.encode(), env=who, fds=fds).text
    write_ref(mirror, "commits", sha)
    return sha


def is_ancestor(mirror: Mirror, args: dict[str, Any]) -> bool:
    """Whether `ancestor` is `sha` or one of its ancestors."""
    ancestor, sha = checked_sha(args["ancestor"]), checked_sha(args["sha"])
    need(mirror, [ancestor, sha])
    return mirror.git.run("merge-base", "--is-ancestor", ancestor, sha, accept=(0, 1)).code == 0


def all_say(mirror: Mirror, args: dict[str, Any]) -> bool:
    """See `orch.ports.Git.all_say`."""
    sha, base = checked_sha(args["sha"]), checked_sha(args["base"])
    need(mirror, [sha, base])
    said = f"--format=%(trailers:key={args['trailer']},valueonly,separator=%x2C)"
    lines = mirror.git.run("log", "--first-parent", said, sha, f"^{base}").stdout.splitlines()
    return all(line == args["value"].encode() for line in lines)


def added(mirror: Mirror, args: dict[str, Any]) -> dict[str, Any]:
    """See `orch.ports.Git.added`."""
    sha, base = checked_sha(args["sha"]), checked_sha(args["base"])
    need(mirror, [sha, base])
    told = ("--format=%H%x00%an%x00%s", "-z", f"--max-count={_MOST_LISTED}")
    output, is_whole = mirror.git.read("log", *told, sha, f"^{base}", limit=_LISTING)
    fields = output.removesuffix(b"\0").split(b"\0") if output else []
    texts = [field.decode(errors="replace")[:_LONGEST] for field in fields]
    rows = [texts[at : at + 3] for at in range(0, len(texts), 3)]
    count = int(mirror.git.run("rev-list", "--count", sha, f"^{base}").text)
    return {"count": count, "newest": rows if is_whole else [row for row in rows if len(row) == 3]}
