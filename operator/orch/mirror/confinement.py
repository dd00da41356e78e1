"""How much a git may take up that reads what a stranger made. Called by the verbs of `orch.mirror`."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

MAX_MEMORY: Final = 4 << 30
"""Address space of the git that indexes a stranger's pack, in bytes: a delta bomb ends there."""


@contextmanager
def confined(limit: int) -> Iterator[None]:
    """Lower this process's limits for packs of at most `limit` bytes; the gits that it starts meanwhile inherit them. The next
    act of the same process may be for a repository that is larger."""
    before = {what: resource.getrlimit(what) for what in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE)}
    for what, most in ((resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_FSIZE, 8 * limit)):
        soft, hard = before[what]
        resource.setrlimit(what, (most if soft == resource.RLIM_INFINITY else min(most, soft), hard))
    try:
        yield
    finally:
        for what, limits in before.items():
            resource.setrlimit(what, limits)
