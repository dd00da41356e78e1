"""Signs our commits with an SSH key (git 2.34, gpg.format=ssh). Called by `orch.mirror.commits`.

The key is in no argument, environment or file of a disk: ssh-keygen reads it from memory that git hands on. Only ed25519 is
taken, whose signature of the same commit is always the same (RFC 8032), so a commit that is made again after a crash is the
same commit.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from orch.errors import CredentialsRefused, NeedsHuman
from orch.mirror.environment import scrubbed

_KIND: Final = "ssh-ed25519 "
_REMEDY: Final = (
    "make one with ssh-keygen -t ed25519 -N '' and put the private half into the Secret's key ssh-privatekey"
)


@contextmanager
def signed_by(key: str | None) -> Iterator[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Options of `git commit-tree` and the file descriptors that git needs for them; none without a key.

    Raises CredentialsRefused for what is no key that we take, NeedsHuman where ssh-keygen is not installed."""
    if key is None:
        yield (), ()
        return
    descriptor = os.memfd_create("orch", 0)
    try:
        os.fchmod(descriptor, 0o600)  # ssh-keygen refuses a key that others may read
        os.write(descriptor, key.rstrip().encode() + b"\n")  # Secrets made by hand lack the newline it insists on
        path = f"/proc/self/fd/{descriptor}"
        _check(path, descriptor)
        yield (f"-S{path}",), (descriptor,)
    finally:
        os.close(descriptor)


def _check(path: str, descriptor: int) -> None:
    try:
        done = subprocess.run(
            ["ssh-keygen", "-y", "-P", "", "-f", path],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=scrubbed(),
            pass_fds=(descriptor,),
            check=False,
        )
    except FileNotFoundError:
        text = "ssh-keygen is not installed where the operator runs: install openssh-client, which signs commits"
        raise NeedsHuman("SshKeygenMissing", text) from None
    if done.returncode != 0:
        text = f"the signing key cannot be read, or has a passphrase: {_REMEDY}"
        raise CredentialsRefused("SigningKeyUnusable", text)
    if not done.stdout.startswith(_KIND.encode()):
        raise CredentialsRefused("SigningKeyUnusable", f"the signing key is not ed25519: {_REMEDY}")
