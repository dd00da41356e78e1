"""BreakingChange: what others import is gone or asks for more than before. Called by `guards.evaluate`.

Python's modules are compared by griffe (`orch.mirror.reading.interface`); what counts as public is in its docstrings.
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
from orch.policy.text import one_line
from orch.ports import TreeDiff

_EACH: Final = 3
"""So many are told one by one in a file, the others together."""


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """At most four findings per file."""
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


def _became_a_package(path: str, added: set[str]) -> bool:
    """`a.py` and `a/__init__.py` are imported alike."""
    if path.endswith("/__init__.py"):
        return path.removesuffix("/__init__.py") + ".py" in added
    return path.removesuffix(".py") + "/__init__.py" in added
