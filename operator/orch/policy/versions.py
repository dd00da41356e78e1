"""Which versions of orch may work on one run, one after the other. Called when a run is opened; pure.

A release reads what the one before it has written, and adopts its work steps. What is older is not looked into.
"""

from __future__ import annotations

import re
from typing import Final

_VERSION: Final = re.compile(r"(\d+)\.(\d+)")


def is_forsaken(written_by: str | None, now: str) -> bool:
    """Whether the work steps of a run that `written_by` worked on last are too old for us: older than one minor release.

    False when nobody worked on it, or a newer one did, or a version cannot be read: then its steps are looked at."""
    ours, theirs = _VERSION.match(now), _VERSION.match(written_by or "")
    if ours is None or theirs is None:
        return False
    (major, minor), (their_major, their_minor) = (tuple(map(int, found.groups())) for found in (ours, theirs))
    if their_major == major:
        return their_minor < minor - 1
    return their_major < major - 1 or (their_major == major - 1 and minor > 0)
