"""The Git port: starts a mirror child per act, gives it the request and the credential, and waits for its answer.

Called by the stages through `orch.ports.Git`; `main` makes one for the process. git itself never runs in the operator:
`orch.mirror` runs it in children, which end when this process does.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from orch.api.facts import FactKind, SourceFact
from orch.errors import Ambiguous, OrchError, Transient
from orch.failpoints import Moment, failpoint
from orch.mirror.bundles import MAX_BYTES, MAX_OBJECTS
from orch.mirror.environment import inherited
from orch.mirror.protocol import Request, decode_answer
from orch.policy.text import one_line, visible
from orch.ports import Author, FileChange, MergedFacts, Remote, TreeDiff

DEADLINES: Final[Mapping[str, float]] = {
    "fetch": 600.0,
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
}
"""Seconds from the request until the child is killed. An act that fetches what it lacks has to fit too."""


class MirrorGit:
    """`orch.ports.Git` over mirrors in `data_dir`. At most `concurrency` children run at once; the others queue."""

    def __init__(self, data_dir: Path, concurrency: int = 4, *, deadlines: Mapping[str, float] = DEADLINES) -> None:
        self._data = data_dir.absolute()
        self._slots = asyncio.Semaphore(concurrency)
        self._deadlines = deadlines

    async def fetch(self, remote: Remote, branch: str) -> str:
        """See `Git.fetch`."""
        return str(await self._ask("fetch", remote, branch=branch))

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
        return str(await self._ask("commit", remote, **facts, name=author.name, email=author.email))

    async def merge(
        self, remote: Remote, *, ours: str, theirs: str, message: str, author: Author, time: datetime
    ) -> str | None:
        """See `Git.merge`."""
        facts = {"ours": ours, "theirs": theirs, "message": message, "time": int(time.timestamp())}
        made: str | None = await self._ask("merge", remote, **facts, name=author.name, email=author.email)
        return made

    async def merged(self, remote: Remote, *, sha: str, base: str) -> MergedFacts:
        """See `Git.merged`."""
        facts = await self._ask("merged", remote, sha=sha, base=base)
        time = datetime.fromtimestamp(facts["time"], UTC)
        return MergedFacts(parent=facts["parent"], commits=tuple(facts["commits"]), time=time)

    async def push(self, remote: Remote, *, sha: str, branch: str, expected: str | None) -> None:
        """See `Git.push`. A branch that is at `sha` already is no error, so a push may be repeated."""
        failpoint("push", Moment.BEFORE)
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

    async def _ask(self, verb: str, remote: Remote, **args: Any) -> Any:
        token = remote.credential.reveal() if remote.credential else None
        request = Request(verb=verb, data=self._data, key=remote.key, url=remote.url, token=token, args=args)
        async with self._slots:
            answer = await _run_child(request, self._deadlines[verb])
        try:
            return decode_answer(answer)
        except OrchError as err:
            # the text holds a server's words
            raise type(err)(err.reason, one_line(err.message, limit=900)) from None


def _fact(found: Mapping[str, Any]) -> SourceFact:
    return SourceFact(**{**found, "kind": FactKind(found["kind"])})


async def _run_child(request: Request, seconds: float) -> bytes:
    """One child, from start to answer. Killed with all its gits after `seconds`, and when this task is cancelled."""
    request.data.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-I", "-m", "orch.mirror")
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *command, stdin=pipe, stdout=pipe, stderr=pipe, env=inherited(), start_new_session=True
    )
    try:
        async with asyncio.timeout(seconds):
            answer, complaint = await _exchange(child, request)
    except TimeoutError:
        text = f"git {request.verb} took longer than {seconds:g} s and was ended"
        raise (Ambiguous if request.verb == "push" else Transient)("GitTimeout", text) from None
    finally:
        if child.returncode != 0:  # still running, or dead and its gits perhaps not
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await asyncio.shield(child.wait())
    if not answer:
        _explain_silence(request, complaint)
    return answer


async def _exchange(child: asyncio.subprocess.Process, request: Request) -> tuple[bytes, bytes]:
    """Write the request and read all that the child says. Its input stays open: the end of it tells it to die."""
    if child.stdin is None or child.stdout is None or child.stderr is None:
        raise RuntimeError("the child was started without pipes")
    with suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(request.encode())
        await child.stdin.drain()
    if request.verb == "push":
        failpoint("push", Moment.SENT)
    answer, complaint = await asyncio.gather(child.stdout.read(), child.stderr.read())
    await child.wait()
    return answer, complaint


def _explain_silence(request: Request, complaint: bytes) -> None:
    """A child that died without an answer: killed for memory, or a bug of ours. Its text may hold anything."""
    last = complaint.decode(errors="replace").strip().rpartition("\n")[2]
    words = last.replace(request.token, "«removed»") if request.token else last
    text = f"the mirror's child for {request.verb} died without an answer: {one_line(words, limit=300)}"
    raise (Ambiguous if request.verb == "push" else Transient)("MirrorChildDied", text)
