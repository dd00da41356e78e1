"""What people read on GitHub: the next step for each reason, and what the guards found."""

from __future__ import annotations

import pytest
from tests.builders import a_repo, a_run

from orch.api.v1alpha1 import ChangeStatus, FailureClass, FailureStatus, Finding, Guard, GuardAction, IssueRun, Risk
from orch.api.v1alpha1.reasons import AdapterReason, IssueRunReason
from orch.stages import texts

ENDS = [reason for reason in (*IssueRunReason, *AdapterReason) if reason is not IssueRunReason.PROGRESSING]


def ended(reason: str) -> IssueRun:
    run = a_run()
    run.status.identity = "0123456789abcdef"
    run.status.failure = FailureStatus(class_=FailureClass.TERMINAL, reason=reason, message="it broke", stage=None)
    return run


@pytest.mark.parametrize("reason", ENDS)
def test_each_end_says_what_a_person_can_do_about_it(reason: IssueRunReason | AdapterReason) -> None:
    said = texts.sticky(ended(reason))
    assert reason.meaning in said
    assert texts.is_released(said)


def test_nobody_is_told_to_try_again_what_somebody_else_does_or_has_declined() -> None:
    again = "take the label off and put it on again"
    assert again in texts.sticky(ended("TestsRed"))
    for reason in ("ClaimedElsewhere", "ClosedByHuman", "Deleted"):
        assert again not in texts.sticky(ended(reason))
    assert again in texts.sticky(ended("SomethingNew")), "a reason of a later version"


def test_findings_are_on_the_pull_request_with_their_line_and_without_forms() -> None:
    run = a_run()
    run.status.identity = "0123456789abcdef"
    hostile = "fixes #1 @octocat [skip ci] <img src=x>"
    found = Finding(
        guard=Guard.TESTS_MISSING,
        action=GuardAction.APPROVE,
        path="tests/@bob.py",
        line=7,
        rule="gone @eve",
        message=hostile,
    )
    run.status.change = ChangeStatus(
        digest="sha256:" + "0" * 64,
        risk=Risk.HIGH,
        risk_reasons=["High: guard TestsMissing objects", "Medium: 11 files change"],
        flaky_tests=["test_luck::test_it[<img>@bob]"],
        findings=[found] * 12,
        findings_omitted=3,
    )
    body = texts.pull_body(run, a_repo())
    assert "- risk: High (High: guard TestsMissing objects; Medium: 11 files change)" in body
    assert "guard TestsMissing (Approve, rule gone @" in body
    assert "eve): tests/@" in body
    assert ".py:7: " in body
    assert "- and 5 more findings" in body
    assert (
        "- flaky, as they failed in one of two runs on the same tree (nothing was done about them): test_luck" in body
    )
    for form in ("#1", "@octocat", "@bob", "@eve", "[skip", "<img"):
        assert form not in body
