"""Risk, capacity, freezes and retries, as tables."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.api.v1alpha1 import (
    AnalysisStatus,
    ConcurrencySpec,
    FailureClass,
    Freeze,
    Guard,
    GuardAction,
    GuardsSpec,
    Risk,
)
from orch.policy.capacity import Load, full, issue_is_exhausted
from orch.policy.freezes import in_freeze
from orch.policy.guards import Finding, evaluate
from orch.policy.retries import MAX_TRANSIENT, delay
from orch.policy.risk import assess, level
from orch.ports import TreeDiff

from .conftest import change, diff

NOW = datetime(2026, 3, 6, 12, tzinfo=UTC)  # a Friday


def analysis(complexity: int, risk: Risk | None = None) -> AnalysisStatus:
    return AnalysisStatus(type="Bug", complexity=complexity, confidence_percent=90, actionable=True, risk=risk)


def finding(guard: Guard, action: GuardAction = GuardAction.APPROVE) -> Finding:
    return Finding(guard, action, "x", "r", "m")


@pytest.mark.parametrize(
    ("what", "findings", "complexity", "opinion", "risk"),
    [
        pytest.param(diff(change()), (), 3, None, Risk.LOW, id="a small fix"),
        pytest.param(diff(change(), change("tests/test_app.py")), (), 5, None, Risk.LOW, id="with a test"),
        pytest.param(diff(change()), (), 6, None, Risk.MEDIUM, id="harder"),
        pytest.param(diff(change()), (), 8, None, Risk.HIGH, id="hard"),
        pytest.param(diff(*(change(f"f{n}") for n in range(10))), (), 1, None, Risk.LOW, id="10 files"),
        pytest.param(diff(*(change(f"f{n}") for n in range(11))), (), 1, None, Risk.MEDIUM, id="11 files"),
        pytest.param(diff(change(additions=300, deletions=0)), (), 1, None, Risk.LOW, id="300 lines"),
        pytest.param(diff(change(additions=301, deletions=0)), (), 1, None, Risk.MEDIUM, id="301 lines"),
        pytest.param(diff(change(additions=1001)), (), 1, None, Risk.HIGH, id="more than 1000 lines"),
        pytest.param(diff(change(status="D")), (), 1, None, Risk.MEDIUM, id="a deletion"),
        pytest.param(diff(change(new_mode="100755")), (), 1, None, Risk.MEDIUM, id="becomes executable"),
        pytest.param(diff(change()), (finding(Guard.WORKFLOWS),), 1, None, Risk.HIGH, id="a workflow"),
        pytest.param(diff(change()), (finding(Guard.SECRET_FOUND),), 1, None, Risk.CRITICAL, id="a secret"),
        pytest.param(
            diff(change()), (finding(Guard.BINARY_FILE, GuardAction.ALLOW),), 1, None, Risk.LOW, id="allowed by a rule"
        ),
        pytest.param(diff(change()), (), 1, Risk.HIGH, Risk.HIGH, id="the model raises it"),
        pytest.param(diff(change(status="D")), (), 1, Risk.LOW, Risk.MEDIUM, id="the model never lowers it"),
        pytest.param(None, (), 1, Risk.MEDIUM, Risk.MEDIUM, id="a plan that the model fears"),
        pytest.param(None, (), 9, None, Risk.HIGH, id="a plan"),
        pytest.param(None, (), None, None, Risk.LOW, id="nothing known"),
    ],
)
def test_risk(
    what: TreeDiff | None, findings: tuple[Finding, ...], complexity: int | None, opinion: Risk | None, risk: Risk
) -> None:
    found = assess(what, findings, analysis=None if complexity is None else analysis(complexity, opinion))
    assert found.risk is risk
    assert (risk is Risk.LOW) or found.reasons[0].startswith(risk)


_changes = st.builds(
    change,
    st.sampled_from(["src/app.py", "tests/test_app.py", "Dockerfile", "db/migrations/1.py"]),
    status=st.sampled_from("AMD"),
    additions=st.integers(0, 2000),
    new_mode=st.sampled_from(["100644", "100755"]),
)
_findings = st.builds(finding, st.sampled_from(list(Guard)), st.sampled_from(list(GuardAction)))


@given(
    what=st.none() | st.lists(_changes, max_size=40).map(lambda changes: diff(*changes)),
    findings=st.lists(_findings, max_size=5),
    opinion=st.builds(analysis, st.integers(0, 10), st.none() | st.sampled_from(list(Risk))),
)
def test_no_opinion_of_a_model_lowers_a_risk_or_hides_a_reason(
    what: TreeDiff | None, findings: list[Finding], opinion: AnalysisStatus
) -> None:
    by_code, with_opinion = assess(what, findings), assess(what, findings, analysis=opinion)
    assert level(with_opinion.risk) >= level(by_code.risk)
    assert set(with_opinion.reasons) >= set(by_code.reasons)
    if opinion.risk is not None:
        assert level(with_opinion.risk) >= level(opinion.risk)
        assert f"{opinion.risk}: the model that analysed the issue expects it" in with_opinion.reasons


@pytest.mark.parametrize("guard", list(Guard))
def test_every_guard_that_objects_contributes_and_none_that_a_rule_allows(guard: Guard) -> None:
    asks, allowed = finding(guard), finding(guard, GuardAction.ALLOW)
    found = assess(diff(change()), [asks, asks])
    assert found.reasons == [f"{found.risk}: guard {guard} objects 2 times"]
    assert found.risk is not Risk.LOW
    assert assess(diff(change()), [allowed]).risk is Risk.LOW


@pytest.mark.parametrize(
    ("path", "risk"),
    [
        ("uv.lock", Risk.MEDIUM),
        ("src/auth/token.py", Risk.MEDIUM),
        ("src/author.py", Risk.LOW),
        ("db/migrations/1.py", Risk.HIGH),
        ("LICENSE", Risk.HIGH),
        ("Dockerfile", Risk.MEDIUM),
    ],
)
def test_risk_by_what_a_file_is_for(path: str, risk: Risk) -> None:
    touched = diff(change(path))
    assert assess(touched, evaluate(touched, GuardsSpec())).risk is risk


SPEC = ConcurrencySpec(max_active_runs=3, max_open_pull_requests=5, max_runs_per_day=10, max_runs_per_issue=2)


@pytest.mark.parametrize(
    ("load", "cap"),
    [
        (Load(), None),
        (Load(active=2), None),
        (Load(active=3), "maxActiveRuns"),
        (Load(open_pulls=5), "maxOpenPullRequests"),
        (Load(active=2, open_pulls=3), "maxOpenPullRequests"),
        (Load(active=2, open_pulls=2), None),
    ],
)
def test_caps(load: Load, cap: str | None) -> None:
    found = full(SPEC, load)
    assert found is None if cap is None else found is not None and cap in found


def test_runs_per_issue() -> None:
    assert not issue_is_exhausted(SPEC, runs_of_issue=1)
    assert issue_is_exhausted(SPEC, runs_of_issue=2)


WEEKEND = Freeze(name="weekend", schedule="0 16 * * 5", duration="64h", time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("now", "until"),
    [
        (datetime(2026, 3, 6, 14, 59, 59, tzinfo=UTC), None),
        (datetime(2026, 3, 6, 15, 0, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (datetime(2026, 3, 6, 15, 0, 0, 500, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (datetime(2026, 3, 9, 6, 59, 59, tzinfo=UTC), datetime(2026, 3, 9, 7, tzinfo=UTC)),
        (datetime(2026, 3, 9, 7, 0, tzinfo=UTC), None),
        (datetime(2026, 7, 3, 14, 0, tzinfo=UTC), datetime(2026, 7, 6, 6, tzinfo=UTC)),
    ],
    ids=["before", "at the start", "within the second", "just before the end", "at the end", "summer time"],
)
def test_freezes(now: datetime, until: datetime | None) -> None:
    found = in_freeze([WEEKEND], now)
    assert (found.until if found else None) == until


def test_the_freeze_that_ends_last_is_named() -> None:
    longer = Freeze(name="holidays", schedule="0 0 1 3 *", duration="720h")
    found = in_freeze([WEEKEND, longer], datetime(2026, 3, 7, tzinfo=UTC))
    assert found is not None
    assert found.name == "holidays"


@pytest.mark.parametrize("schedule", ["0 17-9 * * *", "0 0 30 2 *"])
def test_a_schedule_that_cannot_be_read_freezes(schedule: str) -> None:
    found = in_freeze([Freeze(name="typo", schedule=schedule, duration="1h")], NOW)
    assert found is not None
    assert found.until is None


@pytest.mark.parametrize("failure", list(FailureClass))
def test_every_class_of_failure_has_an_answer(failure: FailureClass) -> None:
    over = failure in {FailureClass.TERMINAL, FailureClass.POLICY_DENIED, FailureClass.CANCELLED}
    assert (delay(failure, 1, key="a") is None) is over


def test_back_off_grows_to_a_limit_and_ends() -> None:
    waits = [delay(FailureClass.TRANSIENT, n, key="run") for n in range(1, MAX_TRANSIENT)]
    seconds = [w.total_seconds() for w in waits if w is not None]
    assert len(seconds) == MAX_TRANSIENT - 1
    assert 10 <= seconds[0] <= 12
    assert max(seconds) <= 1.2 * 1800
    assert delay(FailureClass.TRANSIENT, MAX_TRANSIENT, key="run") is None
    assert delay(FailureClass.NEEDS_HUMAN, 10_000, key="run") is not None


def test_runs_that_failed_together_spread_out() -> None:
    waits = {delay(FailureClass.TRANSIENT, 3, key=f"run-{n}") for n in range(20)}
    assert len(waits) > 10
    assert delay(FailureClass.TRANSIENT, 3, key="run-1") == delay(FailureClass.TRANSIENT, 3, key="run-1")
