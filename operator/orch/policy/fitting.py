"""A status stays small: at most 32 KiB, whatever the world says, as etcd, the watch and every reader carry it whole.

Called by the writers of each kind's status, just before they write. Most statuses are a tenth of that; what is cut in the others is
for reading only, the longest texts first, and a list that was cut says how much is missing. What orch goes by is never cut: whose
answers were seen, and when, or what was done. What people sign is in no status. A RollbackPoint has none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1 import Approval, Finding, IssueRun, OrchestratedRepo
from orch.policy.approvals import can_decide
from orch.policy.text import cut

Written = IssueRun | Approval | OrchestratedRepo

LIMIT: Final = 32 * 1024
"""Bytes as JSON: of a whole IssueRun, and of the status of the other kinds, whose spec is people's."""
_MARGIN: Final = 2 * 1024
"""What the server adds: managed fields are not counted, a few times and a resourceVersion are."""
_MORE: Final = re.compile(r"… and (\d+) more")


@dataclass(frozen=True)
class _Room:
    """How much is kept: characters of a text, entries of a list, newest steps and artifacts."""

    text: int
    entries: int
    newest: int


_ROOMS: Final = (_Room(1024, 50, 20), _Room(400, 20, 20), _Room(160, 10, 16), _Room(64, 5, 8), _Room(24, 3, 8))


def fit(obj: Written) -> None:
    """Cut the object's status in place until it fits."""
    if size(obj) <= LIMIT - _MARGIN:
        return
    for room in _ROOMS:  # tried on a copy: a list is cut once, so that its count is true
        tried = obj.deep_copy()
        _cut(tried, room)
        if size(tried) <= LIMIT - _MARGIN or room is _ROOMS[-1]:
            _cut(obj, room)
            return


def size(obj: Written) -> int:
    """Bytes of what is held to the limit, as the API server keeps it."""
    document = obj.dump()
    counted = document if isinstance(obj, IssueRun) else document.get("status", {})
    return len(json.dumps(counted, ensure_ascii=False, separators=(",", ":")).encode())


def shortened(entries: Sequence[str], most: int) -> list[str]:
    """At most so many entries; where some were left out, the last one says how many."""
    if len(entries) <= most:
        return list(entries)
    told = _MORE.fullmatch(entries[-1])
    left_out = len(entries) - most + 1 + (int(told[1]) - 1 if told else 0)
    return [*entries[: most - 1], f"… and {left_out} more"]


def _cut(obj: Written, room: _Room) -> None:
    for condition in obj.status.conditions:
        condition.message = cut(condition.message, room.text)
    match obj:
        case IssueRun():
            _cut_run(obj, room)
        case Approval():
            _cut_approval(obj, room)
        case OrchestratedRepo():
            _cut_repo(obj, room)


def _cut_approval(approval: Approval, room: _Room) -> None:
    """That an answer was seen, when, and why it did not count is read again at the next count. So but for answers that never
    can count all of them stay."""
    status = approval.status
    kept = [decision for decision in status.decisions if can_decide(decision.username)]
    status.decisions_omitted += len(status.decisions) - len(kept)
    status.decisions = kept
    if status.missing is not None:
        status.missing.groups = shortened(status.missing.groups, room.entries)


def _cut_repo(repo: OrchestratedRepo, room: _Room) -> None:
    status = repo.status
    status.refused_omitted += len(status.refused) - len(status.refused[: room.entries])
    status.refused = status.refused[: room.entries]
    for answer in status.refused:
        answer.message = cut(answer.message, room.text)


def _cut_run(run: IssueRun, room: _Room) -> None:
    status = run.status
    if status.failure is not None:
        status.failure.message = cut(status.failure.message, room.text)
    if status.analysis is not None and status.analysis.reason is not None:
        status.analysis.reason = cut(status.analysis.reason, room.text)
    if status.plan is not None:
        status.plan.summary = cut(status.plan.summary or "", room.text)
        status.plan.files = shortened([cut(path, room.text) for path in status.plan.files], room.entries)
    if status.branch is not None and status.branch.theirs is not None:
        theirs, listed = status.branch.theirs, status.branch.theirs.commits[: room.entries]
        theirs.commits_omitted += len(theirs.commits) - len(listed)
        theirs.commits = listed
        for commit in listed:
            commit.author, commit.subject = cut(commit.author, room.text), cut(commit.subject, room.text)
    if status.change is not None:
        change, kept = status.change, status.change.findings[: room.entries]
        change.findings_omitted += len(change.findings) - len(kept)
        change.findings = [_short(finding, room.text) for finding in kept]
        change.flaky_tests = shortened([cut(name, room.text) for name in change.flaky_tests], room.entries)
        change.risk_reasons = shortened([cut(reason, room.text) for reason in change.risk_reasons], room.entries)
    if status.checks is not None:
        status.checks.failing = shortened([cut(name, room.text) for name in status.checks.failing], room.entries)
    status.steps, status.artifacts = status.steps[-room.newest :], status.artifacts[-room.newest :]


def _short(finding: Finding, most: int) -> Finding:
    return finding.model_copy(
        update={"path": cut(finding.path, most) if finding.path else None, "message": cut(finding.message, most)}
    )
