"""Configuration, Deletion, Migrations, Security: what a file is for, and what is done to it. Called by `guards.evaluate`."""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.facts import FactKind
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import facts, is_deleted
from orch.policy.files import is_code, is_configuration, is_migration, is_security
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find
from orch.ports import TreeDiff


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """Names decide, and for Security also what stands in the text."""
    hazards = facts(diff, FactKind.HAZARD)
    for change in diff.changes:
        path = change.path
        if globs.match(path, spec.exempt_paths):
            continue
        if is_deleted(change):
            yield find(Guard.DELETION, spec, path, "Deleted", "is deleted")
        if is_configuration(path):
            message = "steers how the product is built, tested, deployed or run"
            yield find(Guard.CONFIGURATION, spec, path, "Path", message)
        if is_migration(path):
            message = "changes a database: a revert of the merge does not bring its content back"
            yield find(Guard.MIGRATIONS, spec, path, "Path", message)
        if is_security(path) and is_code(path):
            yield find(Guard.SECURITY, spec, path, "Path", "by its name, security depends on it")
        for fact in hazards.get(path, ()):
            message = f"{fact.subject}: {fact.after} places, {fact.before} before"
            yield find(Guard.SECURITY, spec, path, fact.subject, message, fact.line)
