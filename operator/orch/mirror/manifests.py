"""Changed files that are, or were, manifests of orch itself: a change there may loosen the policy that judges it.

Called by `orch.mirror.trees`. The whole content of both sides is searched, since the line that makes a file a manifest
need not be among the changed ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from orch.mirror.blobs import contents
from orch.mirror.git import Git
from orch.mirror.raw import Record

SIGN = b"orch.dev/"
"""In `apiVersion: orch.dev/v1alpha1`, however it is quoted. Other mentions only ask a person once too often."""

MAX_SIZE = 4 << 20
"""Bytes; the API server takes 3 MiB. A larger file is looked at by nobody and `LargeChange` says so."""


def touched(git: Git, records: Iterable[Record]) -> list[bytes]:
    """The paths whose old or new content mentions our group."""
    plain = [r for r in records if r.is_file or r.old_mode.startswith("100")]
    sides = {blob for r in plain for blob in (r.old_id, r.new_id) if blob.strip("0")}
    hits = {blob for blob, content in contents(git, sides, at_most=MAX_SIZE) if SIGN in content.lower()}
    return [r.path for r in plain if r.old_id in hits or r.new_id in hits]
