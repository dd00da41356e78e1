"""A guard's finding in words, the same wherever a person reads it in the cluster. Called by gates and `kubectl orch explain`.

What goes to the code host is rendered by `orch.stages.texts` instead: paths and messages are strangers' text.
"""

from __future__ import annotations

from orch.api.v1alpha1 import Finding


def told(found: Finding) -> str:
    """`Dependencies Approve pyproject.toml:12 (rule added): requests 2.32 is new`."""
    where = f" {place(found)}" if found.path else ""
    return f"{found.guard} {found.action}{where}{by_rule(found)}: {found.message}"


def place(found: Finding) -> str:
    """`path:line`, or `the change` for what is about all of it."""
    if not found.path:
        return "the change"
    return f"{found.path}:{found.line}" if found.line else found.path


def by_rule(found: Finding) -> str:
    """` (rule x)`, or nothing."""
    return f" (rule {found.rule})" if found.rule else ""
