"""How much a git may take up that reads what a stranger made. Called by the verbs of `orch.mirror`."""

from __future__ import annotations

import resource
from typing import Final

MAX_MEMORY: Final = 4 << 30
"""Address space of the git that indexes a stranger's pack, in bytes: a delta bomb ends there."""


def confine(limit: int) -> None:
    """Lower this process's limits for packs of at most `limit` bytes; its gits inherit them."""
    for what, most in ((resource.RLIMIT_AS, MAX_MEMORY), (resource.RLIMIT_FSIZE, 8 * limit)):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
