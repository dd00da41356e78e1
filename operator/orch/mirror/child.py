"""A mirror child from its first breath to its answer: read the request, do it under the mirror's lock, answer, end.

Run by `python -I -m orch.mirror`. It ends at once, with all its gits, when the parent does: an act whose operator is
gone must not land later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

from orch.errors import OrchError, Terminal, Transient
from orch.mirror import bundles, commits, merges, remotes, trees
from orch.mirror.git import GitFailed, last_line
from orch.mirror.protocol import Request, encode_answer, encode_error
from orch.mirror.store import Mirror, drop_if_broken, open_mirror

Verb = Callable[[Mirror, dict[str, Any]], Any]

ALONE: Final[dict[str, Verb]] = {"fetch": remotes.fetch, "import": bundles.import_bundle}
"""Verbs that move refs others read, or clean up: one at a time per mirror."""

SHARED: Final[dict[str, Verb]] = {
    "remote-sha": remotes.remote_sha,
    "bundle": bundles.bundle,
    "diff": trees.diff,
    "patch": trees.patch,
    "commit": commits.commit,
    "merge": merges.merge,
    "merged": merges.merged,
    "push": remotes.push,
    "is-ancestor": commits.is_ancestor,
    "only-updates": merges.only_updates,
    "all-say": commits.all_say,
}


def main() -> int:
    """Answer the one request on standard input. Exit code 0 whenever there is an answer, an error too."""
    request = Request.decode(_read_line())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        answer = encode_answer(answered(request))
    except OrchError as err:
        answer = encode_error(err, secret=request.token)
    except OSError as err:
        trouble = Transient("MirrorUnusable", f"the mirror cannot be used: {err.strerror or type(err).__name__}")
        answer = encode_error(trouble, secret=request.token)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


def answered(request: Request) -> Any:
    """Do it; a mirror that turns out broken is made anew and the act tried once more."""
    try:
        return _do(request)
    except GitFailed as err:
        if not drop_if_broken(request.data, request.key):
            raise _unexplained(err) from err
    try:
        return _do(request)
    except GitFailed as err:
        raise _unexplained(err) from err


def _do(request: Request) -> Any:
    verb = ALONE.get(request.verb) or SHARED.get(request.verb)
    if verb is None:
        raise Terminal("VerbUnknown", f"the mirror knows no verb {request.verb!r}")
    alone = request.verb in ALONE
    with open_mirror(request.data, request.key, request.url, request.token, alone=alone) as mirror:
        return verb(mirror, request.args)


def _unexplained(err: GitFailed) -> Transient:
    return Transient("GitFailed", f"git {err.command} failed: {last_line(err.stderr)}")


def _read_line() -> bytes:
    """Up to the newline, unbuffered: the rest of the pipe belongs to the watcher."""
    parts: list[bytes] = []
    while not parts or not parts[-1].endswith(b"\n"):
        part = os.read(0, 1 << 16)
        if not part:
            raise SystemExit("orch.mirror answers requests of the operator; start it by `orch operator`")
        parts.append(part)
    return b"".join(parts)


def _end_with_parent() -> None:
    """Standard input ends when the parent closes it or dies."""
    while os.read(0, 1 << 16):
        pass
    os.killpg(0, signal.SIGKILL) if os.getpgid(0) == os.getpid() else os._exit(1)
