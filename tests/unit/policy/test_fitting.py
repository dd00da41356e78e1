"""The status of an Approval and of an OrchestratedRepo stays below 32 KiB, however full; a run's is tried in `test_sizes`."""

from __future__ import annotations

import ast
from datetime import timedelta
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st
from tests.builders import BEGAN, a_repo, an_approval, digest

from orch import reconcilers
from orch.api.conditions import set_condition
from orch.api.v1alpha1 import (
    Approval,
    ApprovalOutcome,
    CircuitState,
    CircuitStatus,
    CountedDecision,
    Missing,
    OrchestratedRepo,
    RateLimitStatus,
    RefusedIssue,
    RepositoryStatus,
)
from orch.api.v1alpha1.reasons import ApprovalCondition, OrchestratedRepoCondition
from orch.policy.approvals import can_decide
from orch.policy.approvals.counting import NOT_ENFORCED
from orch.policy.fitting import LIMIT, fit, size

CHARS = st.characters(blacklist_categories=("Cs", "Cc"))
"""What a line takes."""
MOST = 32


def _full_approval(char: str, people: int, groups: int) -> Approval:
    """A question with so many answers and lacking groups, each name as long as the schema lets it be."""
    approval = an_approval(outcome=ApprovalOutcome.PENDING)
    status = approval.status
    status.decisions = [
        CountedDecision(
            username=f"{number:03}" + char * 250,
            verdict="Approve",
            counted=False,
            reason=NOT_ENFORCED,
            digest=digest(str(number)),
            observed_time=BEGAN,
        )
        for number in range(people)
    ]
    status.missing = Missing(approvals=9, groups=[f"{number:03}" + char * 250 for number in range(groups)])
    status.decide_time = status.valid_until = status.consumed_time = BEGAN
    for kind in ApprovalCondition:
        set_condition(approval, kind, True, "R" * 128, char * 1024, BEGAN)
    return approval


@example(char='"', people=MOST, groups=MOST)
@example(char="\U0001f40d", people=MOST, groups=MOST)
@given(char=CHARS, people=st.integers(0, MOST), groups=st.integers(0, MOST))
def test_a_question_that_is_full_is_cut_until_it_fits(char: str, people: int, groups: int) -> None:
    approval = _full_approval(char, people, groups)
    before = approval.deep_copy()
    fit(approval)
    assert size(approval) <= LIMIT
    assert approval.spec == before.spec
    status = approval.status
    assert len(status.decisions) + status.decisions_omitted == people
    ours = [decision for decision in before.status.decisions if can_decide(decision.username)]
    assert [decision for decision in status.decisions if can_decide(decision.username)] == ours, "they are read again"
    assert Approval.model_validate(approval.dump()) == approval
    again = approval.deep_copy()
    fit(again)
    assert again == approval


def _full_repo(char: str, issues: int) -> OrchestratedRepo:
    """A repository whose every list and text is as long as the schema lets it be."""
    repo = a_repo()
    status = repo.status
    status.repository = RepositoryStatus(
        id=2**53, node_id="n" * 64, default_branch=char * 255, visibility="Public", archived=True, url=char * 512
    )
    status.refused = [
        RefusedIssue(issue_number=number, reason="R" * 64, message=char * 512) for number in range(1, issues + 1)
    ]
    status.refused_omitted = 4
    status.policy_digest = digest("policy")
    status.rate_limit = RateLimitStatus(limit=5000, remaining=1, reset_time=BEGAN, observed_time=BEGAN)
    later = BEGAN + timedelta(days=1)
    status.circuit = CircuitStatus(
        state=CircuitState.OPEN,
        consecutive_failures=9,
        opened_time=BEGAN,
        reset_time=later,
        last_handled_reset_at=char * 256,
    )
    status.last_handled_reconcile_at = char * 64
    for kind in OrchestratedRepoCondition:
        set_condition(repo, kind, True, "R" * 128, char * 1024, BEGAN)
    return repo


@example(char="\x07", issues=20)
@example(char="\U0001f40d", issues=20)
@given(char=st.characters(blacklist_categories=("Cs",)), issues=st.integers(0, 20))
def test_a_repository_that_is_full_is_cut_until_it_fits(char: str, issues: int) -> None:
    repo = _full_repo(char, issues)
    before = repo.deep_copy()
    fit(repo)
    assert size(repo) <= LIMIT
    assert repo.spec == before.spec
    assert len(repo.status.refused) + repo.status.refused_omitted == issues + 4
    assert {one.type for one in repo.status.conditions} == {one.type for one in before.status.conditions}
    assert OrchestratedRepo.model_validate(repo.dump()) == repo
    again = repo.deep_copy()
    fit(again)
    assert again == repo


def test_usual_ones_are_left_alone() -> None:
    for usual in (an_approval(), a_repo()):
        before = usual.deep_copy()
        fit(usual)
        assert usual == before


def test_whoever_writes_a_status_has_it_fit() -> None:
    writers = [
        function
        for file in sorted(Path(reconcilers.__file__).parent.glob("*.py"))
        for function in ast.walk(ast.parse(file.read_text()))
        if isinstance(function, ast.AsyncFunctionDef) and "write_status" in _called(function)
    ]
    assert len(writers) == 4
    for writer in writers:
        assert "fit" in _called(writer), writer.name


def _called(function: ast.AsyncFunctionDef) -> set[str]:
    """The names of what a function calls."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    named = [call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls]
    return set(named)
