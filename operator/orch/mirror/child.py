"""A mirror child: reads a request, does it under the mirror's lock, answers, and waits for the next one.

Run by `python -I -m orch.mirror`. It ends at once, with all its gits, when its input does, and so when the parent does: an
act whose operator is gone must not land later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, NoReturn

from orch.errors import OrchError, Terminal, Transient
from orch.mirror import bundles, commits, merges, remotes, trees
from orch.mirror.git import GitFailed, last_line, unusable
from orch.mirror.protocol import Request, encode_answer, encode_error
from orch.mirror.store import Mirror, mend, open_mirror

Verb = Callable[[Mirror, dict[str, Any]], Any]

ALONE: Final[dict[str, Verb]] = {
    "fetch": remotes.fetch,
    "fetch-theirs": remotes.fetch_theirs,
    "import": bundles.import_bundle,
}
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
    "added": commits.added,
}


def main() -> NoReturn:
    """Answer requests, one after the other, until the input ends."""
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    while True:
        answer = _answer(Request.decode(requests.get()))
        sys.stdout.buffer.write(b"%d\n%s" % (len(answer), answer))
        sys.stdout.buffer.flush()


def _answer(request: Request) -> bytes:
    try:
        return encode_answer(answered(request))
    except OrchError as err:
        return encode_error(err, secret=request.token)
    except OSError as err:
        return encode_error(unusable(err.strerror or type(err).__name__), secret=request.token)


def answered(request: Request) -> Any:
    """Do it; once more when something was in the way that a killed child had left, or the mirror was broken and is made anew."""
    try:
        return _do(request)
    except GitFailed as err:
        if not mend(request.data, request.key):
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
        return verb(mirror, request.args if request.signing is None else {**request.args, "signing": request.signing})


def _unexplained(err: GitFailed) -> Transient:
    return Transient("GitFailed", f"git {err.command} failed: {last_line(err.stderr)}")


def _listen(requests: SimpleQueue[bytes]) -> None:
    """Take requests, a line each, until the parent closes our input or dies. Then nothing of ours goes on."""
    begun = b""
    while part := os.read(0, 1 << 16):
        *lines, begun = (begun + part).split(b"\n")
        for line in lines:
            requests.put(line)
    os.killpg(0, signal.SIGKILL) if os.getpgid(0) == os.getpid() else os._exit(1)
