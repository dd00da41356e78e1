"""May it be merged? One table per gate, and which closed gate decides."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from orch.api.v1alpha1 import ApprovalOutcome, MergeQueue, MergeSpec, NoChecks, UpToDate
from orch.policy.checks import ChecksResult, judge
from orch.policy.freezes import Frozen
from orch.policy.merging import Ended, Facts, Fix, FixNeeded, Ready, Wait, decide, decide_queued, is_open
from orch.policy.queueing import GivenBack
from orch.ports import BranchRules, Check, Checks, CheckState, Pull, Review

HEAD = "1" * 40
TIME = datetime(2026, 3, 1, tzinfo=UTC)
PULL = Pull(
    number=5, url="u", state="open", draft=False, head_sha=HEAD, head_branch="orch/1", base_branch="main",
    labels=frozenset(), mergeable=True, mergeable_state="clean",
)  # fmt: skip
P, F, R, X = CheckState.PASSED, CheckState.FAILED, CheckState.PENDING, CheckState.INTERRUPTED


def checks(*states: tuple[str, CheckState], readable: bool = True) -> Checks:
    return Checks(HEAD, tuple(Check(name, state) for name, state in states), readable)


def facts(**more: Any) -> Facts:
    usual = Facts(PULL, HEAD, BranchRules(), checks(("build", P)), grace_over=True, trusted=frozenset({"alice"}))
    pull = {key.removeprefix("pull_"): more.pop(key) for key in list(more) if key.startswith("pull_")}
    return replace(usual, pull=replace(PULL, **pull), **more)


def review(author: str, state: str) -> Review:
    return Review(1, author, state, "", HEAD, TIME)


QUEUE = BranchRules(merge_queue=True, queue_method="Squash")


def given(reason: str, head: str = HEAD, times: int = 1) -> GivenBack:
    return GivenBack(reason, head, times)


def test_all_gates_open() -> None:
    decision = decide(facts(), MergeSpec())
    assert decision.outcome == Ready()
    assert [g.name for g in decision.gates] == [
        "Head", "Conflict", "Checks", "Reviews", "UpToDate", "Blocker", "Freeze", "Approval", "BranchRules",
    ]  # fmt: skip
    assert all(g.passed and g.message for g in decision.gates)


@pytest.mark.parametrize(
    ("more", "spec", "outcome"),
    [
        ({"pull_state": "merged"}, {}, "Merged"),
        ({"pull_state": "closed"}, {}, "Closed"),
        ({"pull_head_sha": "2" * 40}, {}, "TakenOver"),
        ({"pull_head_sha": "2" * 40, "pull_mergeable": False}, {}, "TakenOver"),
        ({"pull_mergeable": False, "pull_mergeable_state": "dirty"}, {}, Fix.CONFLICT),
        ({"pull_mergeable": None, "pull_mergeable_state": "unknown"}, {}, "MergeabilityUnknown"),
        ({"pull_draft": True}, {}, "Draft"),
        ({"pull_labels": frozenset({"Merge-Blocker"})}, {"blocker_label": "merge-blocker"}, "BlockerLabel"),
        ({"pull_mergeable_state": "blocked"}, {}, "BlockedByRules"),
        ({"pull_mergeable_state": "unstable"}, {}, None),
        ({"rules": QUEUE}, {"queue": MergeQueue.DISABLED}, "MergeQueueRequired"),
        ({"rules": QUEUE}, {}, None),
        ({"rules": replace(QUEUE, up_to_date=True), "behind": True}, {}, None),
        ({"rules": QUEUE, "behind": True}, {"up_to_date": UpToDate.ALWAYS}, Fix.UPDATE),
        ({"rules": QUEUE, "given_back": given("failed_checks")}, {}, "GivenBack"),
        ({"rules": QUEUE, "given_back": given("failed_checks"), "behind": True}, {}, Fix.UPDATE),
        ({"rules": QUEUE, "given_back": given("queue_cleared")}, {}, None),
        ({"behind": True}, {}, None),
        ({"behind": True}, {"up_to_date": UpToDate.ALWAYS}, Fix.UPDATE),
        ({"behind": True, "rules": BranchRules(up_to_date=True)}, {}, Fix.UPDATE),
        ({"frozen": Frozen("weekend", TIME)}, {}, "MergeFrozen"),
        ({"frozen": Frozen("weekend", None)}, {}, "MergeFrozen"),
        ({"approval": ApprovalOutcome.APPROVED}, {}, None),
        ({"approval": ApprovalOutcome.PENDING}, {}, "AwaitingApproval"),
        ({"approval": ApprovalOutcome.DENIED}, {}, "AwaitingApproval"),
        ({"reviews": [review("alice", "CHANGES_REQUESTED")]}, {}, Fix.REVIEW),
        ({"reviews": [review("mallory", "CHANGES_REQUESTED")]}, {}, None),
        ({"rules": BranchRules(required_approvals=1)}, {}, "AwaitingReview"),
        (
            {"rules": BranchRules(required_approvals=1), "reviews": [review("bob", "APPROVED")], "approvers": {"bob"}},
            {},
            None,
        ),
        ({"checks": checks(("build", F))}, {}, Fix.CHECKS),
        ({"checks": checks(("build", X))}, {}, Fix.CHECKS),
        ({"checks": checks(("build", R))}, {}, ChecksResult.RUNNING),
        ({"checks": replace(checks(("build", P)), sha="2" * 40)}, {}, ChecksResult.RUNNING),
        ({"checks": checks(("build", F)), "approval": ApprovalOutcome.PENDING}, {}, Fix.CHECKS),
        ({"frozen": Frozen("w", TIME), "reviews": [review("alice", "CHANGES_REQUESTED")]}, {}, Fix.REVIEW),
    ],
)
def test_gates(more: dict[str, Any], spec: dict[str, Any], outcome: str | Fix | None) -> None:
    found = decide(facts(**more), MergeSpec(**spec)).outcome
    if outcome is None:
        assert found == Ready()
    elif isinstance(outcome, Fix):
        assert isinstance(found, FixNeeded)
        assert found.fix is outcome
    else:
        assert isinstance(found, Wait | Ended)
        assert found.reason == outcome
        assert found.message


@pytest.mark.parametrize(
    ("states", "rules", "spec", "grace_over", "expected"),
    [
        ((("a", P), ("b", P)), BranchRules(), {}, True, ChecksResult.PASSED),
        ((("a", P), ("b", F)), BranchRules(), {}, True, ChecksResult.FAILED),
        ((("a", R), ("b", F)), BranchRules(), {}, True, ChecksResult.RUNNING),
        ((("a", P), ("b", X)), BranchRules(), {}, True, ChecksResult.INTERRUPTED),
        ((("a", R), ("b", X)), BranchRules(), {}, True, ChecksResult.RUNNING),
        ((("a", F), ("b", X)), BranchRules(), {}, True, ChecksResult.FAILED),
        ((("b", X),), BranchRules(frozenset({"c"})), {}, True, ChecksResult.INTERRUPTED),
        ((("a", P), ("b", X)), BranchRules(), {"ignored_checks": ["b"]}, True, ChecksResult.PASSED),
        ((("a", P), ("b", F)), BranchRules(), {"ignored_checks": ["b"]}, True, ChecksResult.PASSED),
        ((("b", F),), BranchRules(frozenset({"b"})), {"ignored_checks": ["b"]}, True, ChecksResult.FAILED),
        ((("a", P),), BranchRules(frozenset({"b"})), {}, True, ChecksResult.MISSING),
        ((("a", P),), BranchRules(), {"required_checks": ["b"]}, True, ChecksResult.MISSING),
        ((), BranchRules(), {}, False, ChecksResult.NONE_YET),
        ((), BranchRules(), {"no_checks": NoChecks.ALLOW}, False, ChecksResult.NONE_YET),
        ((), BranchRules(), {}, True, ChecksResult.NONE),
        ((), BranchRules(), {"no_checks": NoChecks.ALLOW}, True, ChecksResult.PASSED),
        ((), BranchRules(frozenset({"b"})), {"no_checks": NoChecks.ALLOW}, True, ChecksResult.MISSING),
        ((("a", F),), BranchRules(), {"ignored_checks": ["a"]}, True, ChecksResult.NONE),
    ],
)
def test_checks(
    states: tuple[tuple[str, CheckState], ...],
    rules: BranchRules,
    spec: dict[str, Any],
    grace_over: bool,
    expected: ChecksResult,
) -> None:
    assert judge(checks(*states), rules, MergeSpec(**spec), grace_over=grace_over).result is expected


def test_the_verdict_names_what_failed() -> None:
    found = judge(checks(("z", F), ("a", F), ("ok", P)), BranchRules(), MergeSpec(), grace_over=True)
    assert [c.name for c in found.failing] == ["a", "z"]
    assert found.message == "2 of 3 checks failed: a, z"
    assert (found.passed, found.pending) == (1, 0)


def test_the_verdict_names_what_was_interrupted() -> None:
    cut_short = Check("build", X, id=1, ending="cancelled")
    found = judge(Checks(HEAD, (cut_short, Check("ok", P))), BranchRules(), MergeSpec(), grace_over=True)
    assert found.interrupted == (cut_short,)
    assert found.message == "1 of 2 checks ended without a verdict: build (cancelled)"
    assert (found.passed, found.pending, found.failing) == (1, 0, ())


def test_statuses_only_is_said() -> None:
    found = judge(checks(("ci", P), readable=False), BranchRules(), MergeSpec(), grace_over=True)
    assert "cannot be read" in found.message


@pytest.mark.parametrize(
    ("more", "spec", "ready"),
    [
        pytest.param({}, {}, True, id="nothing stands in the way"),
        pytest.param({"pull_mergeable_state": "blocked"}, {}, True, id="a rule that GitHub names to nobody"),
        pytest.param({"rules": BranchRules(required_approvals=1)}, {}, True, id="an approval on GitHub"),
        pytest.param(
            {"rules": BranchRules(required_checks=frozenset({"other"}))}, {}, True, id="a check that GitHub awaits"
        ),
        pytest.param({"rules": BranchRules(merge_queue=True)}, {}, True, id="a merge queue"),
        pytest.param({}, {"required_checks": ["other"]}, False, id="a check that policy awaits"),
        pytest.param({"checks": checks(("build", R))}, {}, False, id="a check that runs"),
        pytest.param({"checks": checks(("build", X))}, {}, False, id="a check without a verdict"),
        pytest.param({"rules": BranchRules(up_to_date=True), "behind": True}, {}, False, id="another head is to come"),
        pytest.param(
            {"reviews": [review("alice", "CHANGES_REQUESTED")]}, {}, False, id="a review that we are to address"
        ),
        pytest.param({"approval": ApprovalOutcome.PENDING}, {}, False, id="people are asked"),
        pytest.param({"pull_head_sha": "2" * 40}, {}, False, id="another head than ours"),
        pytest.param({"pull_draft": True}, {}, False, id="a draft"),
    ],
)
def test_whether_all_gates_but_the_hosts_own_are_open(more: dict[str, Any], spec: dict[str, Any], ready: bool) -> None:
    assert is_open(facts(**more), MergeSpec(**spec)) is ready


@pytest.mark.parametrize(
    ("more", "spec", "outcome"),
    [
        pytest.param({}, {}, None, id="nothing holds it back"),
        pytest.param({"checks": checks(("build", F))}, {}, None, id="GitHub tests its own merge"),
        pytest.param(
            {"pull_mergeable_state": "blocked", "pull_mergeable": None}, {}, None, id="GitHub knows its rules"
        ),
        pytest.param({"pull_head_sha": "2" * 40}, {}, "TakenOver", id="another head"),
        pytest.param({"pull_draft": True}, {}, "Draft", id="a draft"),
        pytest.param(
            {"pull_labels": frozenset({"hold"})}, {"blocker_label": "hold"}, "BlockerLabel", id="the blocker label"
        ),
        pytest.param({"frozen": Frozen("weekend", TIME)}, {}, "MergeFrozen", id="a freeze"),
        pytest.param({"reviews": [review("alice", "CHANGES_REQUESTED")]}, {}, "ChangesRequested", id="a review"),
        pytest.param({"approval": ApprovalOutcome.DENIED}, {}, "AwaitingApproval", id="no approval"),
        pytest.param({"pull_state": "merged"}, {}, "Merged", id="merged"),
    ],
)
def test_what_takes_it_out_of_the_queue(more: dict[str, Any], spec: dict[str, Any], outcome: str | None) -> None:
    found = decide_queued(facts(rules=QUEUE, **more), MergeSpec(**spec)).outcome
    assert (found.reason if isinstance(found, Wait | Ended) else None) == outcome


def test_what_orch_says_itself_is_no_check() -> None:
    rules = BranchRules(required_checks=frozenset({"orch"}))
    own, red = ("Orch", R), ("orch", F)
    assert judge(checks(own, ("build", P)), rules, MergeSpec(required_checks=["ORCH"]), grace_over=True).passed == 1
    assert judge(checks(red), BranchRules(), MergeSpec(), grace_over=True).result is ChecksResult.NONE
    run = Checks(HEAD, (Check("orch", F, id=1),))
    assert judge(run, BranchRules(), MergeSpec(), grace_over=True).result is ChecksResult.FAILED, "another's check run"
