"""The verbs that talk to the remote: fetch, ls-remote, push. The only ones that get the credential.

Called by `orch.mirror.child`. They name the URL themselves and update only our refs; no remote is ever configured.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from orch.errors import HeadMoved, NotFound, Transient
from orch.mirror import refusals
from orch.mirror.askpass import one_shot
from orch.mirror.confinement import confined
from orch.mirror.git import Ended, GitFailed
from orch.mirror.store import Mirror, checked_branch, checked_sha, clean

_FETCH = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance")


def fetch(mirror: Mirror, args: dict[str, Any]) -> str:
    """Bring `branch` into the mirror; its head sha. One exchange with the remote when nothing is new."""
    branch = checked_branch(args["branch"])
    ours = f"refs/orch/branches/{branch}"
    _read(mirror, "fetch", *_FETCH, mirror.url, f"+refs/heads/{branch}:{ours}")
    clean(mirror)
    return mirror.git.run("rev-parse", "--verify", "--quiet", f"{ours}^{{commit}}").text


def fetch_theirs(mirror: Mirror, args: dict[str, Any]) -> str:
    """`fetch` of a branch that a stranger has pushed to: git takes up no more than for a bundle of `max_bytes`."""
    with confined(args["max_bytes"]):
        return fetch(mirror, args)


def fetch_commits(mirror: Mirror, shas: Sequence[str]) -> None:
    """Ask the remote for commits by name (GitHub gives what any of its refs reaches). One it refuses stays missing."""
    for sha in shas:
        try:
            _read(mirror, "fetch", *_FETCH, mirror.url, f"{sha}:refs/orch/commits/{sha}")
        except NotFound:
            continue


def need(mirror: Mirror, shas: Sequence[str]) -> None:
    """Make sure that commits are here. Raises Transient `MirrorIncomplete` if the remote lacks one."""
    missing = mirror.missing(map(checked_sha, shas))
    if not missing:
        return
    fetch_commits(mirror, missing)
    if lost := mirror.missing(missing):
        raise Transient(
            "MirrorIncomplete",
            f"commit {lost[0][:12]} is not in the mirror and the remote does not give it: import it again",
        )


def remote_sha(mirror: Mirror, args: dict[str, Any]) -> str | None:
    """The head of `branch` on the remote now; None if there is no such branch."""
    name = f"refs/heads/{checked_branch(args['branch'])}"
    lines = _read(mirror, "ls-remote", "--quiet", mirror.url, name).text.splitlines()
    return next((sha for sha, _, ref in (line.partition("\t") for line in lines) if ref == name), None)


def push(mirror: Mirror, args: dict[str, Any]) -> None:
    """Set `branch` to `sha` if it still is `expected` (None: if it does not exist). At `sha` already: nothing to do."""
    sha, branch, expected = checked_sha(args["sha"]), checked_branch(args["branch"]), args["expected"]
    need(mirror, [sha])
    lease = f"--force-with-lease=refs/heads/{branch}:{checked_sha(expected) if expected else ''}"
    options = ("--porcelain", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", lease)
    with one_shot(mirror.url, mirror.token, mirror.path.parent) as (env, fds):
        done = mirror.git.run(
            "push", *options, mirror.url, f"{sha}:refs/heads/{branch}", env=env, fds=fds, accept=(0, 1, 128)
        )
    if done.code == 0:
        return
    refusal = refusals.of_push(done, branch)
    if isinstance(refusal, HeadMoved):
        there = remote_sha(mirror, args)
        if there == sha:
            return  # libcurl sends a request again whose connection died before the answer: the first had been carried out
        if there == expected:
            # a server says "cannot lock ref" of a ref that moved and of one that is merely busy: only the ref knows
            raise Transient("PushContended", f"branch {branch} was busy on the server and is where we left it")
    raise refusal


def _read(mirror: Mirror, command: str, *args: str) -> Ended:
    with one_shot(mirror.url, mirror.token, mirror.path.parent) as (env, fds):
        try:
            return mirror.git.run(command, *args, env=env, fds=fds)
        except GitFailed as err:
            if refusal := refusals.of_read(err.stderr, has_token=mirror.token is not None):
                raise refusal from err
            raise
