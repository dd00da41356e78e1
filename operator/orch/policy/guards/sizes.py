"""LargeChange: more than a person reviews well. Called by `guards.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import sum_of
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find
from orch.ports import TreeDiff


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
