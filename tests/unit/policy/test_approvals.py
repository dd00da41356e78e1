"""When a gate asks, and how answers are counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orch.api.v1alpha1 import (
    ApprovalOutcome,
    ApprovalPolicy,
    ApprovalSpec,
    ApprovalsSpec,
    ApprovalStatus,
    AutoApprove,
    CountedDecision,
    Decision,
    Gate,
    Guard,
    GuardAction,
    OnExpiry,
    Requester,
    Review,
    Risk,
    Target,
    Verdict,
    When,
)
from orch.policy.approvals import (
    Count,
    NotRequired,
    Required,
    approval_name,
    count,
    is_usable,
    needed,
    stricter,
    subject,
    subject_digest,
)
from orch.policy.guards import Finding

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DIGEST = "sha256:" + "a" * 64
POLICY = ApprovalPolicy(quorum=2, on_expiry=OnExpiry.DENY, valid_for=72 * HOUR)
FINDING = Finding(Guard.WORKFLOWS, GuardAction.APPROVE, "CODEOWNERS", "code owners", "steers people")
ASKED = subject(repository="acme/web", policy_digest=DIGEST, head_sha="1" * 40)


@pytest.mark.parametrize(
    ("gate", "when", "risk", "up_to", "findings", "trusted", "asks"),
    [
        pytest.param(Gate.MERGE, When.ALWAYS, Risk.LOW, AutoApprove.MEDIUM, (), True, True, id="always asks"),
        pytest.param(Gate.MERGE, When.BY_RISK, Risk.LOW, AutoApprove.LOW, (), True, False, id="low is fine"),
        pytest.param(Gate.MERGE, When.BY_RISK, Risk.MEDIUM, AutoApprove.LOW, (), True, True, id="medium is not"),
        pytest.param(Gate.MERGE, When.BY_RISK, Risk.MEDIUM, AutoApprove.MEDIUM, (), True, False, id="unless allowed"),
        pytest.param(Gate.MERGE, When.BY_RISK, Risk.LOW, AutoApprove.NONE, (), True, True, id="none means none"),
        pytest.param(Gate.MERGE, When.BY_RISK, Risk.CRITICAL, AutoApprove.MEDIUM, (), True, True, id="critical"),
        pytest.param(Gate.MERGE, When.BY_RISK, Risk.LOW, AutoApprove.LOW, (FINDING,), True, True, id="a guard asks"),
        pytest.param(Gate.MERGE, When.NEVER, Risk.CRITICAL, AutoApprove.LOW, (FINDING,), True, False, id="never"),
        pytest.param(
            Gate.PUBLISH, When.NEVER, Risk.LOW, AutoApprove.LOW, (FINDING,), True, True, id="never, but a guard"
        ),
        pytest.param(Gate.PUBLISH, When.NEVER, Risk.HIGH, AutoApprove.LOW, (), False, False, id="never, a stranger"),
        pytest.param(
            Gate.PUBLISH, When.BY_RISK, Risk.LOW, AutoApprove.MEDIUM, (), False, True, id="a stranger's issue"
        ),
        pytest.param(
            Gate.MERGE, When.BY_RISK, Risk.LOW, AutoApprove.MEDIUM, (), False, False, id="it was pushed already"
        ),
        pytest.param(Gate.PLAN, When.BY_RISK, Risk.HIGH, AutoApprove.LOW, (), True, True, id="a hard plan"),
    ],
)
def test_needed(
    gate: Gate, when: When, risk: Risk, up_to: AutoApprove, findings: tuple[Finding, ...], trusted: bool, asks: bool
) -> None:
    answer = needed(gate, when, risk=risk, auto_approve_up_to=up_to, findings=findings, author_trusted=trusted)
    assert isinstance(answer, Required) is asks
    assert answer.reasons if isinstance(answer, Required) else answer.reason


def test_allowed_and_denied_findings_do_not_ask() -> None:
    others = [Finding(Guard.BINARY_FILE, action, "x", "r", "m") for action in (GuardAction.ALLOW, GuardAction.DENY)]
    answer = needed(Gate.PUBLISH, When.BY_RISK, risk=Risk.LOW, auto_approve_up_to=AutoApprove.LOW, findings=others)
    assert isinstance(answer, NotRequired)


def asked(**decisions: Decision) -> ApprovalSpec:
    return ApprovalSpec(
        target=Target(kind="IssueRun", name="r", uid="u"),
        repository_ref={"name": "web"},
        gate=Gate.MERGE,
        subject=ASKED,
        policy=POLICY,
        expire_time=NOW + 24 * HOUR,
        risk=Risk.LOW,
        requester=Requester(),
        review=Review(),
        decisions=decisions,
    )


def decide(verdict: Verdict = Verdict.APPROVE, **facts: Any) -> Decision:
    return Decision(verdict=verdict, **facts)


def counted(spec: ApprovalSpec, status: ApprovalStatus | None = None, now: datetime = NOW) -> Count:
    return count(spec, status or ApprovalStatus(), policy=POLICY, now=now)


def test_a_quorum_of_different_people() -> None:
    one = counted(asked(alice=decide()))
    assert (one.outcome, one.missing) == (ApprovalOutcome.PENDING, 1)
    two = counted(asked(alice=decide(), bob=decide()))
    assert (two.outcome, two.missing) == (ApprovalOutcome.APPROVED, 0)
    assert two.decide_time == NOW
    assert two.valid_until == NOW + 72 * HOUR


def test_one_denial_denies_whatever_the_others_say() -> None:
    found = counted(asked(alice=decide(), bob=decide(), carol=decide(Verdict.DENY)))
    assert found.outcome is ApprovalOutcome.DENIED


@pytest.mark.parametrize(
    ("name", "decision", "reason"),
    [
        ("system:serviceaccount:argocd:argocd", decide(), "machines do not decide"),
        ("system:admin", decide(), "machines do not decide"),
        ("alice", decide(digest="sha256:" + "b" * 64), "given for another subject"),
    ],
)
def test_what_does_not_count(name: str, decision: Decision, reason: str) -> None:
    found = counted(asked(**{name: decision, "bob": decide()}))
    assert found.outcome is ApprovalOutcome.PENDING
    assert found.missing == 1
    assert {d.username: d.reason for d in found.decisions}[name] == reason


def test_a_decision_for_the_right_digest_counts() -> None:
    assert counted(asked(alice=decide(digest=ASKED.digest), bob=decide())).outcome is ApprovalOutcome.APPROVED


def test_an_answer_first_seen_after_the_end_does_not_count() -> None:
    late = NOW + 24 * HOUR
    assert counted(asked(alice=decide(), bob=decide()), now=late).outcome is ApprovalOutcome.EXPIRED
    seen = [CountedDecision(username="alice", verdict=Verdict.APPROVE, counted=True, observed_time=NOW)]
    found = counted(asked(alice=decide(), bob=decide()), ApprovalStatus(decisions=seen), now=late)
    assert found.outcome is ApprovalOutcome.EXPIRED
    assert {d.username: d.counted for d in found.decisions} == {"alice": True, "bob": False}


def test_a_late_denial_does_not_turn_expired_into_denied() -> None:
    late = NOW + 25 * HOUR
    assert counted(asked(alice=decide(Verdict.DENY)), now=late).outcome is ApprovalOutcome.EXPIRED


def test_a_changed_verdict_is_a_new_answer() -> None:
    seen = [CountedDecision(username="alice", verdict=Verdict.DENY, counted=True, observed_time=NOW)]
    found = counted(asked(alice=decide()), ApprovalStatus(decisions=seen), now=NOW + HOUR)
    assert found.decisions[0].observed_time == NOW + HOUR


def test_what_is_decided_stays_decided() -> None:
    status = ApprovalStatus(outcome=ApprovalOutcome.APPROVED, decide_time=NOW, valid_until=NOW + HOUR)
    found = counted(asked(alice=decide(Verdict.DENY)), status, now=NOW + HOUR)
    assert found.outcome is ApprovalOutcome.APPROVED


def test_an_approval_is_used_once_and_in_time() -> None:
    status = ApprovalStatus(outcome=ApprovalOutcome.APPROVED, valid_until=NOW + HOUR)
    assert is_usable(status, now=NOW)
    assert not is_usable(status, now=NOW + HOUR)
    status.consumed_time = NOW
    assert not is_usable(status, now=NOW)
    assert not is_usable(ApprovalStatus(outcome=ApprovalOutcome.PENDING, valid_until=NOW + HOUR), now=NOW)


def test_the_stricter_rule_counts() -> None:
    both = stricter(POLICY, ApprovalsSpec(quorum=3, valid_for=HOUR, on_expiry=OnExpiry.HOLD))
    assert (both.quorum, both.valid_for, both.on_expiry) == (3, HOUR, OnExpiry.DENY)
    assert stricter(POLICY, ApprovalsSpec(quorum=1)).quorum == 2


def test_the_subject_is_its_content() -> None:
    same = subject(head_sha="1" * 40, policy_digest=DIGEST, repository="acme/web")
    assert same == ASKED
    assert subject_digest(same) == same.digest
    assert subject(repository="acme/web", policy_digest=DIGEST, head_sha="2" * 40).digest != ASKED.digest
    assert approval_name("web-7-1", Gate.MERGE, ASKED) == f"web-7-1-merge-{ASKED.digest[7:17]}"


@given(
    st.dictionaries(
        st.sampled_from(["alice", "bob", "carol", "system:admin"]), st.sampled_from(list(Verdict)), max_size=4
    ),
    st.integers(min_value=-30, max_value=30),
)
def test_approved_means_two_people_in_time_and_nobody_against(verdicts: dict[str, Verdict], hours: int) -> None:
    now = NOW + timedelta(hours=hours)
    found = counted(asked(**{name: decide(verdict) for name, verdict in verdicts.items()}), now=now)
    people = {name: verdict for name, verdict in verdicts.items() if not name.startswith("system:")}
    in_time = now < NOW + 24 * HOUR
    enough = sum(v is Verdict.APPROVE for v in people.values()) >= 2 and Verdict.DENY not in people.values()
    assert (found.outcome is ApprovalOutcome.APPROVED) is (in_time and enough)
