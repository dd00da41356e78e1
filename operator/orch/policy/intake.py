"""Which issues start a run, and who started it. Anyone can open an issue.

Called by the OrchestratedRepo reconciler and the claim stage. Permissions are asked live and come in as values.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_intake import MinimumPermission, Selector, TrustSpec
from orch.ports import LabelEvent, Permission

_LEAST: Final = {
    MinimumPermission.TRIAGE: Permission.TRIAGE,
    MinimumPermission.WRITE: Permission.WRITE,
    MinimumPermission.MAINTAIN: Permission.MAINTAIN,
    MinimumPermission.ADMIN: Permission.ADMIN,
}


DECLINED: Final = "orch/declined"
"""On an issue whose run has ended without a merge."""
WAITING: Final = "orch/waiting"
"""On an issue whose run waits for a person."""


def refusal(labels: Collection[str], selector: Selector) -> str | None:
    """Why the labels do not make an issue wanted; None if they do. GitHub's labels ignore case, so does this."""
    on = {label.casefold() for label in labels}
    if unwanted := [label for label in selector.none_of if label.casefold() in on]:
        return f"it carries the label {unwanted[0]!r} of issues.selector.noneOf"
    if lacking := [label for label in selector.all_of if label.casefold() not in on]:
        return f"it lacks the label {lacking[0]!r} of issues.selector.allOf"
    if not any(label.casefold() in on for label in selector.any_of):
        return "it carries no label of issues.selector.anyOf"
    return None


def find_trigger(events: Sequence[LabelEvent], labels: Collection[str], selector: Selector) -> LabelEvent | None:
    """The newest labelling with a label of `anyOf` that is still on: its actor is who asks for the run.

    None if no such label is on. The newest counts because whoever labels again vouches for the text as it is."""
    asked = asking(selector) & {label.casefold() for label in labels}
    latest: dict[str, LabelEvent] = {}
    for event in sorted(events, key=lambda e: e.time):  # stable: GitHub's order decides within one second
        if event.label.casefold() in asked:
            latest[event.label.casefold()] = event
    standing = [event for event in latest.values() if event.added]
    return max(standing, key=lambda e: e.time, default=None)


def asking(selector: Selector) -> frozenset[str]:
    """The labels, in lower case, whose labelling asks for a run and vouches for the text. What orch itself puts on says how a
    run stands: it asks for none, whatever the selector says."""
    return frozenset(label.casefold() for label in selector.any_of) - {DECLINED, WAITING}


def is_trusted(actor: str, permission: Permission, trust: TrustSpec) -> bool:
    """Whether an account may start runs: its live permission suffices, or it is listed by its exact login.

    Logins ignore case. `name[bot]` is not `name`, and no pattern of a name is trusted."""
    listed = {login.casefold() for login in trust.allowed_actors}
    return permission >= _LEAST[trust.minimum_permission] or actor.casefold() in listed
