"""What of a run is told as Events: what `kubectl describe issuerun` and people's event exporters show of its way.

Told from what has been written, so nothing is told that is not so. Events are for people who look on; they are not kept long,
and a crash between the writing and the telling loses one. The audit log keeps what happened: see `trail`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from orch.api.conditions import find_condition
from orch.api.v1alpha1 import ApprovalOutcome, GuardAction, IssueRun
from orch.api.v1alpha1.reasons import IssueRunCondition


@dataclass(frozen=True)
class News:
    """One Event. `bad`: a person may want to look at it (type Warning)."""

    reason: str
    note: str
    bad: bool = False


def news(before: IssueRun, after: IssueRun) -> Iterator[News]:
    """What is new in `after`, in the order in which it happened."""
    yield from _findings(before, after)
    yield from _approvals(before, after)
    yield from _pull_request(before, after)
    yield from _end(before, after)


def _findings(before: IssueRun, after: IssueRun) -> Iterator[News]:
    known = before.status.change.findings if before.status.change else []
    for finding in after.status.change.findings if after.status.change else []:
        if finding.action is not GuardAction.ALLOW and finding not in known:
            where = f" ({finding.path})" if finding.path else ""
            yield News("GuardViolation", f"{finding.guard}: {finding.message}{where}", bad=True)


def _approvals(before: IssueRun, after: IssueRun) -> Iterator[News]:
    known = {entry.name: entry.outcome for entry in before.status.approvals}
    for entry in after.status.approvals:
        if not entry.name or known.get(entry.name) is entry.outcome:
            continue
        if entry.outcome is ApprovalOutcome.PENDING:
            yield News("ApprovalRequested", f"{entry.name} asks whether the {entry.gate} gate may be passed")
        else:
            yield News(f"Approval{entry.outcome}", f"{entry.name} at the {entry.gate} gate is answered")


def _pull_request(before: IssueRun, after: IssueRun) -> Iterator[News]:
    pull = after.status.pull_request
    if pull is not None and before.status.pull_request is None:
        yield News("PullRequestOpened", f"#{pull.number}" + (f": {pull.url}" if pull.url else ""))


def _end(before: IssueRun, after: IssueRun) -> Iterator[News]:
    if before.status.completion_time is not None or after.status.completion_time is None:
        return
    end = find_condition(after, IssueRunCondition.SUCCEEDED)
    if end is not None:
        yield News(end.reason, end.message, bad=end.status != "True")
