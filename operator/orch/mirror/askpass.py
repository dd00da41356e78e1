"""The one-shot credential: git asks a tiny script, the script reads the token from an open pipe, once.

Called by `orch.mirror.remotes`. The token is in no argument, environment, URL or file. The script answers only for the
origin it was made for; a second question finds the pipe empty, so git fails instead of sending the token again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from urllib.parse import urlsplit

from orch.errors import CredentialsRefused

USER = "x-access-token"
"""GitHub takes any user name beside a token; this is the one its documentation shows for Apps, and all tokens work."""

FD = 9
"""One digit, because POSIX shells know no others in a redirection; high, to stand clear of git's own."""

SCRIPT = """#!/bin/sh
# Answers git's questions for ORCH_ORIGIN; made by orch.mirror.
case "$1" in
"Username for '$ORCH_ORIGIN': ") echo "$ORCH_USER" ;;
"Password for '$ORCH_USER_ORIGIN': ") IFS= read -r token <&9 && printf '%s\\n' "$token" ;;
*) exit 1 ;;
esac
"""


@contextmanager
def one_shot(url: str, token: str | None, folder: Path) -> Iterator[tuple[dict[str, str], tuple[int, ...]]]:
    """Environment and file descriptors for a git that talks to `url`. Without a token git may ask nobody.

    Raises CredentialsRefused for a token that no header can carry."""
    if token is None:
        yield {"GIT_ASKPASS": "/bin/false"}, ()
        return
    if not token.isascii() or not token.isprintable() or not token or len(token) > 4096:
        raise CredentialsRefused("BadCredentials", "the token is empty, or holds blanks or letters that no token has")
    parts = urlsplit(url)
    environment = {
        "GIT_ASKPASS": str(_script(folder)),
        "ORCH_ORIGIN": f"{parts.scheme}://{parts.netloc}",
        "ORCH_USER": USER,
        "ORCH_USER_ORIGIN": f"{parts.scheme}://{USER}@{parts.netloc}",
    }
    read, write = os.pipe()
    try:
        os.write(write, token.encode() + b"\n")  # a pipe holds 64 KiB, so this never blocks
        os.close(write)
        os.dup2(read, FD)
        yield environment, (FD,)
    finally:
        os.close(read)
        os.close(FD)


def _script(folder: Path) -> Path:
    """The script's place below `folder`; written anew by every child, whole or not at all."""
    path = folder / "askpass"
    with NamedTemporaryFile("w", dir=folder, delete=False) as new:
        new.write(SCRIPT)
    Path(new.name).chmod(0o700)
    Path(new.name).replace(path)
    return path
