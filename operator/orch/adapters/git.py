"""The Git port: gives a mirror child the request and the credential, and waits for its answer.

Called by the stages through `orch.ports.Git`; `main` makes one for the process. git itself never runs in the operator:
`orch.mirror` runs it in children, which end when this process does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from orch.adapters.children import Children
from orch.api.facts import FactKind, SourceFact
from orch.errors import OrchError
from orch.failpoints import Moment, failpoint
from orch.mirror.bundles import MAX_BYTES, MAX_OBJECTS
from orch.mirror.protocol import Request, decode_answer
from orch.policy.text import one_line, visible
from orch.ports import AddedCommits, Author, CommitFacts, Credential, FileChange, MergedFacts, Remote, TreeDiff

DEADLINES: Final[Mapping[str, float]] = {
    "fetch": 600.0,
    "fetch-theirs": 300.0,
    "remote-sha": 60.0,
    "bundle": 300.0,
    "import": 300.0,
    "diff": 300.0,
    "patch": 120.0,
    "commit": 60.0,
    "merge": 60.0,
    "merged": 60.0,
    "push": 300.0,
    "is-ancestor": 60.0,
    "only-updates": 120.0,
    "all-say": 60.0,
    "added": 60.0,
}
"""Seconds from the request until the child is killed. An act that fetches what it lacks has to fit too."""


class MirrorGit:
    """`orch.ports.Git` over mirrors in `data_dir`. At most `concurrency` children are at work at once; other acts queue.

    `fence` is called just before a push leaves, and may raise."""

    def __init__(
        self,
        data_dir: Path,
        concurrency: int = 4,
        *,
        fence: Callable[[], None] | None = None,
        deadlines: Mapping[str, float] = DEADLINES,
    ) -> None:
        self._data = data_dir.absolute()
        self._children = Children(concurrency)
        self._fence = fence
        self._deadlines = deadlines

    async def close(self) -> None:
        """See `Git.close`."""
        await self._children.close()

    async def fetch(self, remote: Remote, branch: str) -> str:
        """See `Git.fetch`."""
        return str(await self._ask("fetch", remote, branch=branch))

    async def fetch_theirs(self, remote: Remote, branch: str) -> str:
        """See `Git.fetch_theirs`."""
        return str(await self._ask("fetch-theirs", remote, branch=branch, max_bytes=MAX_BYTES))

    async def added(self, remote: Remote, *, base: str, sha: str) -> AddedCommits:
        """See `Git.added`. The texts are as they were written."""
        facts = await self._ask("added", remote, base=base, sha=sha)
        return AddedCommits(facts["count"], tuple(CommitFacts(*row) for row in facts["newest"]))

    async def remote_sha(self, remote: Remote, branch: str) -> str | None:
        """See `Git.remote_sha`."""
        found: str | None = await self._ask("remote-sha", remote, branch=branch)
        return found

    async def bundle(self, remote: Remote, shas: Sequence[str]) -> Path:
        """See `Git.bundle`. Refs inside: `HEAD` is the first of `shas`, `refs/orch/<sha>` each of them."""
        path = self._data / "bundles" / f"{uuid4().hex}.bundle"
        try:
            await self._ask("bundle", remote, shas=list(shas), path=str(path))
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return path

    async def import_bundle(
        self, remote: Remote, bundle: Path, *, sha: str, max_bytes: int = MAX_BYTES, max_objects: int = MAX_OBJECTS
    ) -> None:
        """See `Git.import_bundle`. Limits: bytes of the bundle, objects in it."""
        await self._ask("import", remote, path=str(bundle), sha=sha, max_bytes=max_bytes, max_objects=max_objects)

    async def diff(self, remote: Remote, *, base: str, sha: str, read: bool = False) -> TreeDiff:
        """See `Git.diff`."""
        facts = await self._ask("diff", remote, base=base, sha=sha, read=read)
        return TreeDiff(
            digest=facts["digest"],
            tree=facts["tree"],
            changes=tuple(FileChange(**change) for change in facts["changes"]),
            facts=None if facts["facts"] is None else tuple(_fact(found) for found in facts["facts"]),
            all_paths=frozenset(facts["colliding"]),
            attributes=facts["attributes"],
        )

    async def patch(self, remote: Remote, *, base: str, sha: str) -> str:
        """See `Git.patch`. Control and direction characters are shown as escapes: people see it on a terminal."""
        return visible(str(await self._ask("patch", remote, base=base, sha=sha)))

    async def commit(
        self, remote: Remote, *, tree_of: str, parents: Sequence[str], message: str, author: Author, time: datetime
    ) -> str:
        """See `Git.commit`."""
        facts = {"tree_of": tree_of, "parents": list(parents), "message": message, "time": int(time.timestamp())}
        return str(await self._ask("commit", remote, author.key, **facts, name=author.name, email=author.email))

    async def merge(
        self, remote: Remote, *, ours: str, theirs: str, message: str, author: Author, time: datetime
    ) -> str | None:
        """See `Git.merge`."""
        facts = {"ours": ours, "theirs": theirs, "message": message, "time": int(time.timestamp())}
        made: str | None = await self._ask("merge", remote, author.key, **facts, name=author.name, email=author.email)
        return made

    async def merged(self, remote: Remote, *, sha: str, base: str) -> MergedFacts:
        """See `Git.merged`."""
        facts = await self._ask("merged", remote, sha=sha, base=base)
        time = datetime.fromtimestamp(facts["time"], UTC)
        return MergedFacts(parent=facts["parent"], commits=tuple(facts["commits"]), time=time)

    async def push(self, remote: Remote, *, sha: str, branch: str, expected: str | None) -> None:
        """See `Git.push`. A branch that is at `sha` already is no error, so a push may be repeated."""
        await self._ask("push", remote, sha=sha, branch=branch, expected=expected)
        failpoint("push", Moment.ANSWERED)

    async def is_ancestor(self, remote: Remote, *, ancestor: str, sha: str) -> bool:
        """See `Git.is_ancestor`."""
        return bool(await self._ask("is-ancestor", remote, ancestor=ancestor, sha=sha))

    async def all_say(self, remote: Remote, *, sha: str, base: str, trailer: str, value: str) -> bool:
        """See `Git.all_say`."""
        return bool(await self._ask("all-say", remote, sha=sha, base=base, trailer=trailer, value=value))

    async def only_updates(self, remote: Remote, *, content: str, sha: str, base: str) -> bool:
        """See `Git.only_updates`."""
        return bool(await self._ask("only-updates", remote, content=content, sha=sha, base=base))

    async def _ask(self, verb: str, remote: Remote, signing: Credential | None = None, /, **args: Any) -> Any:
        request = Request(
            verb=verb,
            data=self._data,
            key=remote.key,
            url=remote.url,
            token=remote.credential.reveal() if remote.credential else None,
            signing=signing.reveal() if signing else None,
            args=args,
        )
        ready, sent = (self._may_push, _pushing) if verb == "push" else (_nothing, _nothing)
        answer = await self._children.ask(request, self._deadlines[verb], ready=ready, sent=sent)
        try:
            return decode_answer(answer)
        except OrchError as err:
            # the text holds a server's words
            raise type(err)(err.reason, one_line(err.message, limit=900)) from None

    def _may_push(self) -> None:
        """It may have waited long for a child."""
        failpoint("push", Moment.BEFORE)
        if self._fence is not None:
            self._fence()


def _fact(found: Mapping[str, Any]) -> SourceFact:
    return SourceFact(**{**found, "kind": FactKind(found["kind"])})


def _pushing() -> None:
    failpoint("push", Moment.SENT)


def _nothing() -> None:
    """Of an act that changes nothing outside."""
