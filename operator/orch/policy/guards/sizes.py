"""LargeChange: more than a person reviews well. Called by `guards.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard, GuardAction
from orch.policy.diff import sum_of
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find, fixed
from orch.ports import TreeDiff

SHOWN: Final = 900_000
"""Bytes of a diff that people who are asked can be shown: a ConfigMap holds at most 1 MiB."""


def not_shown(patch: str) -> Iterator[Finding]:
    """Denied whatever a rule says: nobody can approve what they cannot be shown whole."""
    size = len(patch.encode())
    if size > SHOWN:
        message = f"the diff is {size} bytes, people can be shown {SHOWN}: split the issue"
        yield fixed(Guard.LARGE_CHANGE, GuardAction.DENY, "", "NotShownWhole", message)


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Paths in exemptPaths do not count (lock files, generated code)."""
    counted = [change for change in diff.changes if not globs.match(change.path, spec.exempt_paths)]
    sums = sum_of(counted)
    if sums.files > spec.max_changed_files:
        message = f"changes {sums.files} files, maxChangedFiles is {spec.max_changed_files}"
        yield find(Guard.LARGE_CHANGE, spec, "", "maxChangedFiles", message)
    if sums.lines > spec.max_changed_lines:
        message = f"changes {sums.lines} lines, maxChangedLines is {spec.max_changed_lines}"
        yield find(Guard.LARGE_CHANGE, spec, "", "maxChangedLines", message)
    for change in counted:
        if change.size > spec.max_file_bytes:
            message = f"is {change.size} bytes large, maxFileBytes is {spec.max_file_bytes}"
            yield find(Guard.LARGE_CHANGE, spec, change.path, "maxFileBytes", message)
