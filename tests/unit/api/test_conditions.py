"""Conditions as KEP-1623 has them."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from orch.api.conditions import find_condition, is_false, is_true, remove_condition, set_condition
from orch.api.v1alpha1 import ConditionStatus, IssueRun, IssueRunSpec, LocalRef, ObjectMeta, Trigger, TriggerType
from orch.api.v1alpha1.reasons import IssueRunCondition, WaitingReason

NOW = datetime(2026, 11, 22, 10, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)


def a_run() -> IssueRun:
    spec = IssueRunSpec(
        repository_ref=LocalRef(name="web"), issue_number=7, trigger=Trigger(type=TriggerType.MANUAL, username="alice")
    )
    return IssueRun(metadata=ObjectMeta(name="web-7-1", generation=3), spec=spec)


def test_a_new_condition_is_stamped() -> None:
    run = a_run()
    set_condition(run, IssueRunCondition.WAITING, True, WaitingReason.QUEUE_FULL, "3 of 3 runs are active", NOW)
    assert run.dump()["status"]["conditions"] == [
        {
            "type": "Waiting",
            "status": "True",
            "observedGeneration": 3,
            "lastTransitionTime": "2026-11-22T10:00:00Z",
            "reason": "QueueFull",
            "message": "3 of 3 runs are active",
        }
    ]


@pytest.mark.parametrize(
    ("status", "since"),
    [
        pytest.param(True, NOW, id="another reason alone does not move the time"),
        pytest.param(False, LATER, id="another status does"),
        pytest.param(None, LATER, id="unknown is another status"),
    ],
)
def test_the_transition_time(status: bool | None, since: datetime) -> None:
    run = a_run()
    set_condition(run, "Waiting", True, "QueueFull", "full", NOW)
    set_condition(run, "Waiting", status, "Other", "other", LATER)
    (condition,) = run.status.conditions
    assert (condition.reason, condition.last_transition_time) == ("Other", since)


def test_types_do_not_disturb_each_other() -> None:
    run = a_run()
    set_condition(run, "Accepted", True, "Admitted", "", NOW)
    set_condition(run, "Succeeded", None, "Progressing", "", NOW)
    set_condition(run, "Accepted", False, "Other", "", LATER)
    assert [(c.type, c.status) for c in run.status.conditions] == [
        ("Accepted", ConditionStatus.FALSE),
        ("Succeeded", ConditionStatus.UNKNOWN),
    ]


def test_questions() -> None:
    run = a_run()
    assert find_condition(run, "Waiting") is None
    assert not is_true(run, "Waiting")
    assert not is_false(run, "Waiting")
    set_condition(run, "Waiting", False, "NotWaiting", "", NOW)
    assert is_false(run, "Waiting")
    remove_condition(run, "Waiting")
    remove_condition(run, "Waiting")
    assert run.status.conditions == []


def test_a_long_message_is_cut_to_what_the_server_takes() -> None:
    run = a_run()
    set_condition(run, "Waiting", True, "QueueFull", "é" * 2000, NOW)
    message = run.status.conditions[0].message
    assert len(message) == 1024
    assert message.endswith("é…")


@pytest.mark.parametrize("reason", ["", "two words", "dash-ed", "9starts"])
def test_a_reason_that_the_server_would_refuse(reason: str) -> None:
    with pytest.raises(ValidationError):
        set_condition(a_run(), "Waiting", True, reason, "", NOW)
