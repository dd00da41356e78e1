"""What a remote's refusal means, as an error of ours. Pure: git's words in, an error out.

Called by `orch.mirror.remotes`. git has no machine-readable errors, so this knows the messages of git 2.39 and later
under `LC_ALL=C` (transport-helper, remote-curl, send-pack) and of GitHub's hooks ("About protected branches",
"Working with push protection"). What it does not know is a `Transient` that repeats git's words.
"""

from __future__ import annotations

import re

from orch.errors import (
    Ambiguous,
    CredentialsRefused,
    HeadMoved,
    NeedsHuman,
    NotFound,
    OrchError,
    Transient,
)
from orch.mirror.git import Ended, last_line

_NO_REF = ("couldn't find remote ref", "not our ref", "no such remote ref", "unadvertised object")
_MOVED = (
    "stale info",
    "fetch first",
    "non-fast-forward",
    "cannot lock ref",
    "failed to update ref",
    "incorrect old value",
    "reference already exists",
    "already exists",
    "needs force",
)
_STATUS = re.compile(r"The requested URL returned error: (\d{3})")
_AFTER_SEND = ("RPC failed", "unexpected disconnect", "the remote end hung up", "early EOF", "unexpected end of")
_NETWORK = (
    "Could not resolve host",
    "Failed to connect",
    "Couldn't connect",
    "Connection refused",
    "Connection reset",
    "Empty reply",
    "timed out",
    "Timeout was reached",
    "too slow",
    "SSL",
    "certificate",
)


def of_read(stderr: str, *, has_token: bool) -> OrchError | None:
    """Why a fetch or ls-remote failed; None if it was not the remote's doing."""
    if any(words in stderr for words in _NO_REF):
        return NotFound("BranchNotFound", "the repository has no such branch or commit, or is empty")
    return _access(stderr, has_token=has_token, need="contents: read") or _trouble(stderr)


def of_push(done: Ended, branch: str) -> OrchError:
    """Why a push failed. What may have been carried out is Ambiguous."""
    status = _ref_status(done.stdout.decode(errors="replace"))
    if status is None:
        return _push_broke(done.stderr, branch)
    if any(words in status for words in _MOVED):
        return HeadMoved("HeadMoved", f"branch {branch} is no longer where we left it: somebody else pushed to it")
    words = _server_words(done.stderr) or status
    if any("refusing to allow" in said and "workflow" in said for said in (status, words)):
        return NeedsHuman(
            "WorkflowsPermission",
            "GitHub refuses a change of workflow files: the token lacks the permission `workflows: write`",
        )
    return NeedsHuman("PushDeclined", f"the repository declines the push to {branch}: {words}")


def _push_broke(stderr: str, branch: str) -> OrchError:
    if any(words in stderr for words in _AFTER_SEND):
        return Ambiguous("PushUnanswered", f"the push to {branch} was sent and its answer lost")
    return (
        _access(stderr, has_token=True, need="contents: write")
        or _trouble(stderr)
        or Transient("PushFailed", f"git could not push to {branch}: {last_line(stderr)}")
    )


def _ref_status(porcelain: str) -> str | None:
    """The reason beside our ref in `git push --porcelain`: `!<TAB>from:to<TAB>[rejected] (stale info)`."""
    for line in porcelain.splitlines():
        flag, _, rest = line.partition("\t")
        if flag == "!":
            return rest.partition("\t")[2]
    return None


def _server_words(stderr: str) -> str:
    """What the server's hook said, in one line."""
    said = [line.removeprefix("remote:").strip() for line in stderr.splitlines() if line.startswith("remote:")]
    return " ".join(words.removeprefix("error:").strip() for words in said if words)[:500]


def _access(stderr: str, *, has_token: bool, need: str) -> OrchError | None:
    found = _STATUS.search(stderr)
    status = found.group(1) if found else ""
    if "Authentication failed" in stderr or status == "401":
        return CredentialsRefused("BadCredentials", "the repository refuses the token: it is wrong, expired or revoked")
    if "could not read Username" in stderr or "could not read Password" in stderr:
        if has_token:
            return CredentialsRefused("BadCredentials", "the repository refuses the token and asks for another")
        return CredentialsRefused("CredentialsMissing", "the repository asks for a credential and there is none")
    if status == "403":
        return CredentialsRefused("Forbidden", f"the token lacks the permission `{need}` on the repository")
    if status == "404" or re.search(r"repository '.*' not found", stderr):
        return NotFound("RepositoryNotFound", "there is no such repository, or the token may not see it")
    return None


def _trouble(stderr: str) -> OrchError | None:
    if found := _STATUS.search(stderr):
        return Transient("RemoteFailed", f"the git server answers with status {found.group(1)}")
    if "redirect" in stderr and "unable to update url base" in stderr:
        return CredentialsRefused("RemoteRedirects", "the git server redirects, which is not followed: was it renamed?")
    if any(words in stderr for words in (*_NETWORK, *_AFTER_SEND)):
        return Transient("RemoteUnreachable", f"the git server cannot be reached: {_without_url(last_line(stderr))}")
    return None


def _without_url(line: str) -> str:
    return re.sub(r"unable to access '[^']*': ", "", line.removeprefix("fatal: "))
