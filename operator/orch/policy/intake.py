"""Which issues start a run, who started it, and which text counts. Anyone can open an issue, and edit it later.

Called by the OrchestratedRepo reconciler and the claim stage. Permissions are asked live and come in as values.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_intake import CommentTrust, MinimumPermission, Selector, TrustSpec
from orch.ports import Comment, Issue, LabelEvent, Permission

_LEAST: Final = {
    MinimumPermission.TRIAGE: Permission.TRIAGE,
    MinimumPermission.WRITE: Permission.WRITE,
    MinimumPermission.MAINTAIN: Permission.MAINTAIN,
    MinimumPermission.ADMIN: Permission.ADMIN,
}


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


def wanted(issues: Iterable[Issue], selector: Selector) -> list[Issue]:
    """The open issues of a list that their labels make wanted, lowest number first."""
    found = [i for i in issues if i.state == "open" and refusal(i.labels, selector) is None]
    return sorted(found, key=lambda issue: issue.number)


def find_trigger(events: Sequence[LabelEvent], labels: Collection[str], selector: Selector) -> LabelEvent | None:
    """The newest labelling with a label of `anyOf` that is still on: its actor is who asks for the run.

    None if no such label is on. The newest counts because whoever labels again vouches for the text as it is."""
    on = {label.casefold() for label in labels}
    asked = {label.casefold() for label in selector.any_of} & on
    latest: dict[str, LabelEvent] = {}
    for event in sorted(events, key=lambda e: e.time):  # stable: GitHub's order decides within one second
        if event.label.casefold() in asked:
            latest[event.label.casefold()] = event
    standing = [event for event in latest.values() if event.added]
    return max(standing, key=lambda e: e.time, default=None)


def is_trusted(actor: str, permission: Permission, trust: TrustSpec) -> bool:
    """Whether an account may start runs: its live permission suffices, or it is listed by its exact login.

    Logins ignore case. `name[bot]` is not `name`, and no pattern of a name is trusted."""
    listed = {login.casefold() for login in trust.allowed_actors}
    return permission >= _LEAST[trust.minimum_permission] or actor.casefold() in listed


def trusted_comments(
    comments: Iterable[Comment], permissions: Mapping[str, Permission], trust: TrustSpec, *, ours: str
) -> list[Comment]:
    """The comments that a run may read, oldest first: by trusted people, not by ourselves (`ours`, a login).

    `permissions` by login; who is not in it has none."""
    if trust.comments is CommentTrust.NONE:
        return []
    return [
        comment
        for comment in sorted(comments, key=lambda c: (c.time, c.id))
        if comment.author.casefold() != ours.casefold()
        and is_trusted(comment.author, permissions.get(comment.author, Permission.NONE), trust)
    ]


def content_digest(title: str, body: str, comments: Sequence[Comment] = ()) -> str:
    """`sha256:…` over the text that counts: title, body and trusted comments (id and body), in order.

    Line ends are made equal first: GitHub's web page sends CRLF, its API what it was given."""
    content = [_unix(title), _unix(body), [[comment.id, _unix(comment.body)] for comment in comments]]
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
