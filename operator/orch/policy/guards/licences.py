"""Licenses: the terms of a file change, or code under other terms comes in. Called by `guards.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.facts import FactKind
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import facts
from orch.policy.files import is_licence
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find
from orch.policy.text import one_line
from orch.ports import TreeDiff


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Licence files by their path, notices by what the reader saw."""
    changed, other = facts(diff, FactKind.LICENCE_CHANGED), facts(diff, FactKind.LICENCE_OTHER)
    for change in diff.changes:
        path = change.path
        if globs.match(path, spec.exempt_paths):
            continue
        if is_licence(path):
            yield find(Guard.LICENSES, spec, path, "LicenceFile", "says under which terms the code may be used")
        for fact in changed.get(path, ()):
            message = f"its licence notice was {one_line(fact.subject, 80)}, it is {one_line(fact.detail, 80)}"
            yield find(Guard.LICENSES, spec, path, "NoticeChanged", message)
        for fact in other.get(path, ()):
            message = f"is under {one_line(fact.subject, 80)}; the repository's licence: {one_line(fact.detail, 80)}"
            yield find(Guard.LICENSES, spec, path, "OtherLicence", message)
