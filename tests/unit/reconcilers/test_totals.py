"""What a finished run's label says, and the sums over those labels."""

from datetime import UTC, datetime
from typing import Any

import pytest

from orch.api.v1alpha1 import (
    FailureClass,
    FailureStatus,
    IssueRun,
    IssueRunSpec,
    LocalRef,
    ObjectMeta,
    TotalsStatus,
    Trigger,
    TriggerType,
)
from orch.reconcilers.totals import ending, summed


def a_run(*, failure: FailureClass | None = None, ended: bool = True) -> IssueRun:
    trigger = Trigger(type=TriggerType.LABEL, github_login="alice")
    spec = IssueRunSpec(repository_ref=LocalRef(name="web"), issue_number=7, trigger=trigger)
    run = IssueRun(metadata=ObjectMeta(name="web-7-1"), spec=spec)
    if ended:
        run.status.completion_time = datetime(2026, 3, 1, tzinfo=UTC)
    if failure is not None:
        run.status.failure = FailureStatus(class_=failure, reason="Because", message="of this")
    return run


@pytest.mark.parametrize(
    ("run", "label"),
    [
        pytest.param(a_run(), "Merged", id="no failure"),
        pytest.param(a_run(failure=FailureClass.POLICY_DENIED), "Rejected", id="denied"),
        pytest.param(a_run(failure=FailureClass.CANCELLED), "Cancelled", id="ended by people"),
        pytest.param(a_run(failure=FailureClass.TERMINAL), "Failed", id="broken"),
        pytest.param(a_run(failure=FailureClass.NEEDS_HUMAN), "Failed", id="needs a person"),
        pytest.param(a_run(ended=False), "Cancelled", id="deleted on its way"),
    ],
)
def test_how_a_run_has_ended(run: IssueRun, label: str) -> None:
    assert ending(run) == label


def test_sums() -> None:
    labels: list[dict[str, str] | None] = [
        {"orch.dev/terminal": "Merged"},
        {"orch.dev/terminal": "Merged"},
        {"orch.dev/terminal": "Rejected"},
        {"orch.dev/terminal": "Cancelled"},
        {"orch.dev/terminal": "Failed"},
        {"orch.dev/repo": "web"},
        None,
    ]
    documents: list[dict[str, Any]] = [{"metadata": {"labels": found}} for found in labels]
    assert summed(documents) == TotalsStatus(started=7, merged=2, failed=1, rejected=1, cancelled=1)
