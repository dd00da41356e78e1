"""GitHub's JSON as the facts of `orch.ports`. Pure; called through `rest.Answer.read`, which says what a missing field means."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from orch.ports import (
    Check,
    CheckState,
    Comment,
    CommitStatus,
    Issue,
    LabelEvent,
    Permission,
    Pull,
    QueueEntry,
    QueuePlace,
    QueueRemoval,
    RepositoryFacts,
    Review,
    StatusState,
)

_PASSED: Final = frozenset({"success", "neutral", "skipped"})
_ACTION_REQUIRED: Final = "action_required"
_INTERRUPTED: Final = frozenset({"cancelled", "stale", "startup_failure", _ACTION_REQUIRED})
"""Conclusions that are none (REST "Check runs", "Workflow runs"). `timed_out` is a failure: that is what an endless loop looks like."""
_ACTIONS: Final = "github-actions"
"""The App whose check runs are jobs of workflows, with the same ids, on every host of GitHub's."""
_ROLES: Final = {
    "read": Permission.READ,
    "triage": Permission.TRIAGE,
    "write": Permission.WRITE,
    "maintain": Permission.MAINTAIN,
    "admin": Permission.ADMIN,
}
_DECIDING: Final = frozenset({"APPROVED", "CHANGES_REQUESTED", "DISMISSED"})


def repository(document: dict[str, Any], *, empty: bool) -> RepositoryFacts:
    """REST "Get a repository"."""
    permissions = document.get("permissions") or {}
    return RepositoryFacts(
        id=document["id"],
        node_id=document["node_id"],
        full_name=document["full_name"],
        default_branch=document["default_branch"],
        visibility=str(document.get("visibility") or ("private" if document["private"] else "public")).title(),
        archived=document["archived"],
        url=document["html_url"],
        clone_url=document["clone_url"],
        empty=empty,
        can_push=bool(permissions.get("push")),
        merge_methods=_merge_methods(document),
    )


def _merge_methods(document: dict[str, Any]) -> frozenset[str] | None:
    """GitHub tells them to those who may write."""
    fields = {"Squash": "allow_squash_merge", "Merge": "allow_merge_commit", "Rebase": "allow_rebase_merge"}
    if not all(isinstance(document.get(field), bool) for field in fields.values()):
        return None
    return frozenset(method for method, field in fields.items() if document[field])


def permission(document: dict[str, Any]) -> Permission:
    """REST "Get repository permissions for a user". `role_name` tells triage and maintain apart; an organisation's own role
    is known by its base, which is what `permission` says."""
    role = _ROLES.get(str(document.get("role_name")))
    return role if role is not None else _ROLES.get(str(document.get("permission")), Permission.NONE)


def issue(document: dict[str, Any]) -> Issue:
    """REST "Get an issue"."""
    return Issue(
        number=document["number"],
        title=document["title"],
        body=document.get("body") or "",
        author=login(document.get("user")),
        state=document["state"],
        labels=labels(document),
        url=document["html_url"],
        locked=bool(document.get("locked")),
    )


def no_pull(document: dict[str, Any]) -> Issue | None:
    """The issue; None for a pull request, which GitHub's lists of issues hold as well."""
    return None if "pull_request" in document else issue(document)


def label_events(documents: Iterable[dict[str, Any]]) -> list[LabelEvent]:
    """REST "List issue events": those of type labeled and unlabeled, in GitHub's order."""
    return [_label_event(entry) for entry in documents if entry["event"] in ("labeled", "unlabeled")]


def renamings(documents: Iterable[dict[str, Any]]) -> list[datetime]:
    """REST "List issue events": when the title was changed."""
    return [time(entry["created_at"]) for entry in documents if entry["event"] == "renamed"]


def _label_event(document: dict[str, Any]) -> LabelEvent:
    return LabelEvent(
        id=str(document["id"]),
        actor=login(document.get("actor")),
        label=document["label"]["name"],
        added=document["event"] == "labeled",
        time=time(document["created_at"]),
    )


def comment(document: dict[str, Any]) -> Comment:
    """REST "Get an issue comment"."""
    return Comment(
        id=document["id"],
        author=login(document.get("user")),
        body=document.get("body") or "",
        time=time(document["created_at"]),
        url=document["html_url"],
    )


def own_pull(documents: Iterable[dict[str, Any]]) -> Pull | None:
    """The newest pull request of a list whose head is in the base's own repository: a fork may have branches of any name."""
    own = [entry for entry in documents if _repository_id(entry["head"]) == _repository_id(entry["base"])]
    return max((pull(entry) for entry in own), key=lambda found: found.number, default=None)


def _repository_id(end: dict[str, Any]) -> object:
    return (end.get("repo") or {}).get("id")


def pull(document: dict[str, Any]) -> Pull:
    """REST "Get a pull request"; a list's entry lacks mergeability, which is then None."""
    merged = document.get("merged_at") is not None
    return Pull(
        number=document["number"],
        url=document["html_url"],
        state="merged" if merged else document["state"],
        draft=bool(document.get("draft")),
        head_sha=document["head"]["sha"],
        head_branch=document["head"]["ref"],
        base_branch=document["base"]["ref"],
        labels=labels(document),
        mergeable=document.get("mergeable"),
        mergeable_state=document.get("mergeable_state") or "unknown",
        merge_sha=document.get("merge_commit_sha") if merged else None,
    )


def queue_place(answer: dict[str, Any]) -> QueuePlace:
    """The answer to `queries.QUEUE`."""
    document = answer["data"]["repository"]["pullRequest"]
    entry, events = document.get("mergeQueueEntry"), document["timelineItems"]["nodes"]
    removal = (
        QueueRemoval(events[-1]["id"], events[-1].get("reason") or "", _oid(events[-1].get("beforeCommit")))
        if events
        else None
    )
    return QueuePlace(queue_entry(entry) if entry else None, removal)


def queue_entry(document: dict[str, Any]) -> QueueEntry:
    """GraphQL `MergeQueueEntry`."""
    return QueueEntry(document["id"], int(document["position"]), _oid(document.get("headCommit")))


def _oid(commit: dict[str, Any] | None) -> str | None:
    return str(commit["oid"]) if commit else None


def check_run(document: dict[str, Any]) -> Check:
    """REST "Get a check run"."""
    output = document.get("output") or {}
    state = _state(document)
    ending = document["conclusion"] if state is CheckState.INTERRUPTED else ""
    is_job = (document.get("app") or {}).get("slug") == _ACTIONS
    return Check(
        name=document["name"],
        state=state,
        url=document.get("html_url") or "",
        summary="\n".join(filter(None, (output.get("title"), output.get("summary"), output.get("text")))),
        id=document["id"],
        ending=ending,
        can_rerun=is_job and ending not in ("", _ACTION_REQUIRED),
    )


def _state(document: dict[str, Any]) -> CheckState:
    """Of a check run."""
    if document["status"] != "completed":
        return CheckState.PENDING
    if document.get("conclusion") in _PASSED:
        return CheckState.PASSED
    return CheckState.INTERRUPTED if document.get("conclusion") in _INTERRUPTED else CheckState.FAILED


def status(document: dict[str, Any]) -> Check:
    """An entry of REST "Get the combined status"."""
    states = {"success": CheckState.PASSED, "pending": CheckState.PENDING, "error": CheckState.INTERRUPTED}
    state = states.get(document["state"], CheckState.FAILED)
    return Check(
        name=document["context"],
        state=state,
        ending=document["state"] if state is CheckState.INTERRUPTED else "",
        url=document.get("target_url") or "",
        summary=document.get("description") or "",
    )


def told(document: dict[str, Any]) -> CommitStatus:
    """The same entry, as what is said of the commit."""
    states = {"success": StatusState.SUCCESS, "pending": StatusState.PENDING}
    return CommitStatus(states.get(document["state"], StatusState.FAILURE), document.get("description") or "")


def newest_runs(documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One check run for each name and app: a re-run replaces the run before it."""
    newest: dict[tuple[str, Any], dict[str, Any]] = {}
    for document in sorted(documents, key=lambda entry: int(entry["id"])):
        newest[document["name"], (document.get("app") or {}).get("id")] = document
    return list(newest.values())


def latest_reviews(documents: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each person the newest review that decides and the comments after it (which take nothing back), oldest first."""
    kept: dict[str, list[dict[str, Any]]] = {}
    for document in sorted((entry for entry in documents if entry.get("submitted_at")), key=_age):
        person = kept.setdefault(login(document.get("user")), [])
        if document["state"] in _DECIDING:
            person[:] = [document]
        elif document["state"] == "COMMENTED":
            person.append(document)
    return sorted((document for person in kept.values() for document in person), key=_age)


def _age(document: dict[str, Any]) -> tuple[datetime, int]:
    return time(document["submitted_at"]), int(document["id"])


def review(document: dict[str, Any], lines: Iterable[dict[str, Any]]) -> Review:
    """REST "Get a review" with its line comments."""
    mine = [entry for entry in lines if entry.get("pull_request_review_id") == document["id"]]
    return Review(
        id=document["id"],
        author=login(document.get("user")),
        state=document["state"],
        body=document.get("body") or "",
        sha=document.get("commit_id") or "",
        time=time(document["submitted_at"]),
        comments=tuple(f"{entry['path']}:{_line(entry)}: {entry.get('body') or ''}" for entry in mine),
    )


def _line(entry: dict[str, Any]) -> object:
    """Where a line comment stands; an outdated one where it stood; one on the whole file nowhere."""
    return entry.get("line") or entry.get("original_line") or "?"


def labels(document: dict[str, Any]) -> frozenset[str]:
    """Names of the labels, whichever form the answer has them in."""
    found = document.get("labels") or []
    return frozenset(entry if isinstance(entry, str) else str(entry["name"]) for entry in found)


def login(account: dict[str, Any] | None) -> str:
    """The login; a deleted account is shown as `ghost`, as GitHub does."""
    return str(account["login"]) if account else "ghost"


def time(text: str) -> datetime:
    """RFC 3339, as GitHub writes it in UTC. Raises ValueError for one without a zone."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment
