"""Dependencies: other people's code comes in, or another version of it. Called by `guards.evaluate`.

Where both sides of a manifest could be read the packages are named, and a change of anything else in it is not one of
dependencies (it may be one of Configuration).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import facts
from orch.policy.files import is_lock, is_manifest
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find, listing
from orch.ports import TreeDiff

_WORDS: Final[Mapping[FactKind, tuple[str, str]]] = {
    FactKind.DEPENDENCY_ADDED: ("PackageAdded", "adds"),
    FactKind.DEPENDENCY_CHANGED: ("PackageChanged", "asks for another version of"),
    FactKind.DEPENDENCY_REMOVED: ("PackageRemoved", "removes"),
}


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """One finding per file and kind of change."""
    compared, changed = facts(diff, FactKind.MANIFEST_COMPARED), facts(diff, *_WORDS)
    for change in diff.changes:
        path = change.path
        if globs.match(path, spec.exempt_paths):
            continue
        if is_lock(path):
            message = "names the exact packages that are installed: look at what is new, and where it comes from"
            yield find(Guard.DEPENDENCIES, spec, path, "LockFile", message)
        elif path in compared:
            yield from _packages(changed.get(path, ()), spec)
        elif is_manifest(path):
            message = "names packages, and could not be compared: look at what is new"
            yield find(Guard.DEPENDENCIES, spec, path, "Manifest", message)


def _packages(found: Sequence[SourceFact], spec: GuardsSpec) -> Iterator[Finding]:
    for kind, (rule, verb) in _WORDS.items():
        if these := [fact for fact in found if fact.kind is kind]:
            names = listing((f"{fact.subject} {fact.detail}".strip() for fact in these), most=5)
            yield find(Guard.DEPENDENCIES, spec, these[0].path, rule, f"{verb} {names}", these[0].line)
