"""A finding, and how the action of its guard is chosen. Used by every group of guards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard, GuardAction
from orch.policy.text import one_line, visible

DEFAULTS: Final = {
    Guard.BINARY_FILE: GuardAction.APPROVE,
    Guard.BREAKING_CHANGE: GuardAction.APPROVE,
    Guard.COMPLEXITY: GuardAction.ALLOW,
    Guard.CONFIGURATION: GuardAction.APPROVE,
    Guard.DELETION: GuardAction.APPROVE,
    Guard.DEPENDENCIES: GuardAction.APPROVE,
    Guard.LARGE_CHANGE: GuardAction.APPROVE,
    Guard.LICENSES: GuardAction.APPROVE,
    Guard.MIGRATIONS: GuardAction.APPROVE,
    Guard.PROTECTED_PATH: GuardAction.DENY,
    Guard.SECRET_FOUND: GuardAction.DENY,
    Guard.SECURITY: GuardAction.APPROVE,
    Guard.SUBMODULE: GuardAction.DENY,
    Guard.SYMLINK: GuardAction.DENY,
    Guard.TESTS_MISSING: GuardAction.APPROVE,
    Guard.WORKFLOWS: GuardAction.APPROVE,
}
"""What a guard's findings do unless a rule of the spec says otherwise."""

NEVER_ALLOWED: Final = frozenset({Guard.SECRET_FOUND, Guard.SUBMODULE, Guard.SYMLINK, Guard.WORKFLOWS})
"""Admission refuses Allow for these; an object from before that rule is held to it here."""


@dataclass(frozen=True)
class Finding:
    """One thing that a guard found. `path` is empty for the change as a whole; `rule` names what was hit (a glob, a
    pattern's name); `message` says what it is and what can be done; `line` is 0 for a whole file. Safe to print."""

    guard: Guard
    action: GuardAction
    path: str
    rule: str
    message: str
    line: int = 0


def find(guard: Guard, spec: GuardsSpec, path: str, rule: str, message: str, line: int = 0) -> Finding:
    """A finding with the action that the spec gives this guard."""
    return fixed(guard, action_of(guard, spec), path, rule, message, line)


def fixed(guard: Guard, action: GuardAction, path: str, rule: str, message: str, line: int = 0) -> Finding:
    """A finding whose action no setting changes."""
    return Finding(guard, action, shown(path), one_line(rule, 200), one_line(message, 512), line)


def has_rule(guard: Guard, spec: GuardsSpec) -> bool:
    """Whether somebody has said what this guard does."""
    return any(rule.guard is guard for rule in spec.rules)


def listing(words: Iterable[str], most: int = 3) -> str:
    """`a, b, c and 4 more`, each word a stranger's and cut."""
    shown_words = [one_line(word, 80) for word in words]
    rest = len(shown_words) - most
    return ", ".join(shown_words[:most]) + (f" and {rest} more" if rest > 0 else "")


def action_of(guard: Guard, spec: GuardsSpec) -> GuardAction:
    """The rule's action, else the guard's own."""
    chosen = next((rule.action for rule in spec.rules if rule.guard is guard), DEFAULTS[guard])
    return GuardAction.APPROVE if chosen is GuardAction.ALLOW and guard in NEVER_ALLOWED else chosen


def shown(path: str) -> str:
    """A hostile path for people: hidden characters as escapes, broken UTF-8 as `\\\\xff`, at most 256 long."""
    readable = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    text = visible(readable).replace("\n", "\\n").replace("\t", "\\t")
    return text if len(text) <= 256 else "…" + text[-255:]
