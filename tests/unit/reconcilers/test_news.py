"""What of a run's way people are told as Events, and that waiting tells nothing."""

from typing import Any

from tests.builders import BEGAN, a_run, digest

from orch.api.conditions import set_condition
from orch.api.v1alpha1 import (
    ApprovalOutcome,
    ChangeStatus,
    Finding,
    Gate,
    GateApproval,
    Guard,
    GuardAction,
    IssueRun,
    PullRequestStatus,
    Risk,
)
from orch.api.v1alpha1.reasons import IssueRunCondition, IssueRunReason
from orch.reconcilers.news import News, news


def told(after: IssueRun, before: IssueRun | None = None) -> list[News]:
    return list(news(before or a_run(), after))


def with_status(**facts: Any) -> IssueRun:
    run = a_run()
    run.status = run.status.model_copy(update=facts)
    return run


def asked(outcome: ApprovalOutcome, name: str = "web-7-1-merge-1") -> IssueRun:
    return with_status(approvals=[GateApproval(gate=Gate.MERGE, name=name, outcome=outcome)])


def test_nothing_new_tells_nothing() -> None:
    run = with_status(pull_request=PullRequestStatus(number=11), completion_time=BEGAN)
    assert told(run, run) == []


def test_a_pull_request_is_told_when_it_is_there() -> None:
    opened = with_status(pull_request=PullRequestStatus(number=11, url="https://git.example/p/11"))
    assert told(opened) == [News("PullRequestOpened", "#11: https://git.example/p/11")]
    assert told(opened, opened) == []


def test_a_question_and_its_answer_are_told_once_each() -> None:
    pending, approved = asked(ApprovalOutcome.PENDING), asked(ApprovalOutcome.APPROVED)
    assert told(pending) == [News("ApprovalRequested", "web-7-1-merge-1 asks whether the Merge gate may be passed")]
    assert told(approved, pending) == [News("ApprovalApproved", "web-7-1-merge-1 at the Merge gate is answered")]
    assert [new.reason for new in told(asked(ApprovalOutcome.PENDING, "web-7-1-merge-2"), approved)] == [
        "ApprovalRequested"
    ]
    assert told(asked(ApprovalOutcome.NOT_REQUIRED, "")) == [], "nobody was asked"


def test_a_finding_that_does_something_is_a_warning() -> None:
    def changed(action: GuardAction) -> IssueRun:
        finding = Finding(guard=Guard.PROTECTED_PATH, action=action, path="a.py", message="nobody may change it")
        return with_status(change=ChangeStatus(digest=digest("x"), risk=Risk.LOW, findings=[finding]))

    assert told(changed(GuardAction.DENY)) == [
        News("GuardViolation", "ProtectedPath: nobody may change it (a.py)", bad=True)
    ]
    assert told(changed(GuardAction.ALLOW)) == []


def test_the_end_is_told_with_its_reason() -> None:
    merged = with_status(completion_time=BEGAN)
    set_condition(merged, IssueRunCondition.SUCCEEDED, True, IssueRunReason.MERGED, "#11 is merged", BEGAN)
    assert told(merged) == [News("Merged", "#11 is merged")]
    failed = with_status(completion_time=BEGAN)
    set_condition(failed, IssueRunCondition.SUCCEEDED, False, "TestsFailed", "they fail", BEGAN)
    assert told(failed) == [News("TestsFailed", "they fail", bad=True)]
