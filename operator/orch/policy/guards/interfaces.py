"""BreakingChange: what others import is gone or asks for more than before, and whether the version says so.

Called by `guards.evaluate`. Python's modules are compared by griffe (`orch.mirror.reading.interface`); what counts as public
is in its docstrings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orch.api.facts import FactKind
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import facts, unread
from orch.policy.files import is_test
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find, listing
from orch.policy.semver import may_break, next_breaking
from orch.policy.text import one_line
from orch.ports import TreeDiff

_EACH: Final = 3
"""So many are told one by one in a file, the others together."""


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """At most four findings per file, and one of the version for the whole change."""
    broken = list(_interfaces(diff, spec))
    yield from broken
    if any(finding.rule != "NotRead" for finding in broken):
        yield from _version(diff, spec)


def _interfaces(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    broken, modules, not_read = (
        facts(diff, FactKind.BREAKING),
        facts(diff, FactKind.MODULE_REMOVED),
        unread(diff, "interface"),
    )
    added = {change.path for change in diff.changes if change.status == "A"}
    for change in diff.changes:
        path = change.path
        if globs.match(path, spec.exempt_paths):
            continue
        found = broken.get(path, [])
        for fact in found[:_EACH]:
            message = f"{one_line(fact.subject, 120)}: {one_line(fact.detail, 120)}; whoever uses it has to change"
            yield find(Guard.BREAKING_CHANGE, spec, path, "PublicInterface", message, fact.line)
        if rest := found[_EACH:]:
            message = f"breaks {listing(fact.subject for fact in rest)} besides"
            yield find(Guard.BREAKING_CHANGE, spec, path, "PublicInterface", message, rest[0].line)
        for fact in modules.get(path, ()):
            if not _became_a_package(path, added):
                message = f"module {one_line(fact.subject, 120)} is gone: whoever imports it has to change"
                yield find(Guard.BREAKING_CHANGE, spec, path, "ModuleRemoved", message)
        if path in not_read and path.endswith(".py") and not is_test(path) and change.status == "M":
            message = f"its interface was not compared, as {not_read[path]}: a person has to look"
            yield find(Guard.BREAKING_CHANGE, spec, path, "NotRead", message)


def _version(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """The change breaks something: what does the version promise? Nothing is said where one could not be read."""
    changed = [fact for found in facts(diff, FactKind.VERSION_CHANGED).values() for fact in found]
    for fact in changed:
        if may_break(fact.subject, fact.detail) is False:
            message = (
                f"the version goes from {one_line(fact.subject, 40)} to {one_line(fact.detail, 40)}, which promises that nothing "
                f"breaks: make it {next_breaking(fact.subject)}"
            )
            yield find(Guard.BREAKING_CHANGE, spec, fact.path, "VersionTooLow", message, fact.line)
            return
    if not changed and not unread(diff, "release"):
        message = "the version is not raised here: the next release has to be one that may break its users"
        yield find(Guard.BREAKING_CHANGE, spec, "", "VersionNotRaised", message)


def _became_a_package(path: str, added: set[str]) -> bool:
    """`a.py` and `a/__init__.py` are imported alike."""
    if path.endswith("/__init__.py"):
        return path.removesuffix("/__init__.py") + ".py" in added
    return path.removesuffix(".py") + "/__init__.py" in added
