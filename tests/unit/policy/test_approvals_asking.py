"""When a gate asks people, and what exactly it asks them about."""

from __future__ import annotations

import pytest

from orch.api.v1alpha1 import AutoApprove, Gate, Guard, GuardAction, Risk, When
from orch.policy.approvals import NotRequired, Required, approval_name, needed, subject, subject_digest
from orch.policy.guards import Finding

DIGEST = "sha256:" + "a" * 64
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


@pytest.mark.parametrize(("when", "asks"), [(When.NEVER, False), (When.BY_RISK, True), (When.ALWAYS, True)])
def test_a_rule_that_matches_asks_unless_the_gate_is_off(when: When, asks: bool) -> None:
    answer = needed(Gate.MERGE, when, risk=Risk.LOW, auto_approve_up_to=AutoApprove.MEDIUM, rules=["money"])
    assert isinstance(answer, Required) is asks
    if isinstance(answer, Required):
        assert "rule 'money' matches" in answer.reasons


def test_the_subject_is_its_content() -> None:
    same = subject(head_sha="1" * 40, policy_digest=DIGEST, repository="acme/web")
    assert same == ASKED
    assert subject_digest(same) == same.digest
    assert subject(repository="acme/web", policy_digest=DIGEST, head_sha="2" * 40).digest != ASKED.digest
    assert approval_name("web-7-1", Gate.MERGE, ASKED) == f"web-7-1-merge-{ASKED.digest[7:17]}"
