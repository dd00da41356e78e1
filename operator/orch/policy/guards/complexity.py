"""Complexity: a function became harder to understand than the limit allows. Called by `guards.evaluate`.

The figure is lizard's cyclomatic complexity. A function that was beyond the limit before and did not grow is nobody's fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from orch.api.facts import FactKind
from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard
from orch.policy.diff import facts
from orch.policy.guards import globs
from orch.policy.guards.finding import Finding, find
from orch.policy.text import one_line
from orch.ports import TreeDiff


def guard(diff: TreeDiff, spec: GuardsSpec) -> Iterator[Finding]:
    """One finding per function."""
    limit = spec.max_function_complexity
    for path, found in facts(diff, FactKind.COMPLEXITY).items():
        for fact in found:
            if fact.after > limit and not globs.match(path, spec.exempt_paths):
                message = (
                    f"{one_line(fact.subject, 120)} has complexity {fact.after}, {fact.before} before; "
                    f"maxFunctionComplexity is {limit}"
                )
                yield find(Guard.COMPLEXITY, spec, path, "maxFunctionComplexity", message, fact.line)
