"""ProtectedPath and BinaryFile: what may be touched at all. Called by `guards.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find
from orch.ports import FileChange, TreeDiff


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Deletions count: a rename out of a protected path is one."""
    for change in diff.changes:
        if not globs.match(change.path, spec.exempt_paths):
            yield from _protected(change, spec)
            if change.binary:
                message = "is no text file: nobody can review it; ask a person, or put it in exemptPaths"
                yield find(Guard.BINARY_FILE, spec, change.path, "binary", message)


def _protected(change: FileChange, spec: GuardsSpec) -> Iterator[Finding]:
    if hit := globs.match(change.path, spec.protected_paths):
        message = f"matches {hit!r} of protectedPaths: nothing may change there unasked"
        yield find(Guard.PROTECTED_PATH, spec, change.path, hit, message)
    elif spec.allowed_paths and not globs.match(change.path, spec.allowed_paths):
        message = "is outside allowedPaths: a change has to stay within them"
        yield find(Guard.PROTECTED_PATH, spec, change.path, "allowedPaths", message)
