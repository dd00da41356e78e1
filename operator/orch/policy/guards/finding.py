"""A finding, and how the action of its guard is chosen. Used by every group of guards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import GuardsSpec
from orch.api.v1alpha1.vocabulary import Guard, GuardAction
from orch.policy.text import one_line, visible

DEFAULTS: Final = {
    Guard.PROTECTED_PATH: GuardAction.DENY,
    Guard.LARGE_CHANGE: GuardAction.APPROVE,
    Guard.BINARY_FILE: GuardAction.APPROVE,
    Guard.SECRET_FOUND: GuardAction.DENY,
    Guard.SYMLINK: GuardAction.DENY,
    Guard.SUBMODULE: GuardAction.DENY,
    Guard.WORKFLOWS: GuardAction.APPROVE,
}
"""What a guard's findings do unless a rule of the spec says otherwise."""

NEVER_ALLOWED: Final = frozenset({Guard.SECRET_FOUND, Guard.SUBMODULE, Guard.SYMLINK, Guard.WORKFLOWS})
"""Admission refuses Allow for these; an object from before that rule is held to it here."""


@dataclass(frozen=True)
class Finding:
    """One thing that a guard found. `path` is empty for the change as a whole; `rule` names what was hit (a glob, a
    pattern's name); `message` says what it is and what can be done. Path and message are safe to print."""

    guard: Guard
    action: GuardAction
    path: str
    rule: str
    message: str


def find(guard: Guard, spec: GuardsSpec, path: str, rule: str, message: str) -> Finding:
    """A finding with the action that the spec gives this guard."""
    return fixed(guard, action_of(guard, spec), path, rule, message)


def fixed(guard: Guard, action: GuardAction, path: str, rule: str, message: str) -> Finding:
    """A finding whose action no setting changes."""
    return Finding(guard, action, shown(path), one_line(rule, 200), one_line(message, 512))


def action_of(guard: Guard, spec: GuardsSpec) -> GuardAction:
    """The rule's action, else the guard's own."""
    chosen = next((rule.action for rule in spec.rules if rule.guard is guard), DEFAULTS[guard])
    return GuardAction.APPROVE if chosen is GuardAction.ALLOW and guard in NEVER_ALLOWED else chosen


def shown(path: str) -> str:
    """A hostile path for people: hidden characters as escapes, broken UTF-8 as `\\\\xff`, at most 256 long."""
    readable = path.encode(errors="surrogateescape").decode(errors="backslashreplace")
    text = visible(readable).replace("\n", "\\n").replace("\t", "\\t")
    return text if len(text) <= 256 else "…" + text[-255:]
