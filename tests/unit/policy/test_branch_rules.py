"""Can orch come to a merge? Each rule that stands in the way, with what a person can do about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orch.api.v1alpha1 import MergeMethod, MergeQueue, MergeSpec
from orch.policy.branch_rules import Setting, judge_rules
from orch.ports import BranchRules

ALL = frozenset({"Squash", "Merge", "Rebase"})
SETTING = Setting("main", "orch/", BranchRules(), BranchRules(), ALL)


def judged(
    method: MergeMethod = MergeMethod.SQUASH, queue: MergeQueue = MergeQueue.AUTO, **facts: Any
) -> tuple[bool, str, str]:
    fit = judge_rules(replace(SETTING, **facts), MergeSpec(method=method, queue=queue))
    return fit.fits, fit.reason.value, fit.message


@pytest.mark.parametrize(
    ("method", "facts", "reason", "words"),
    [
        pytest.param("Merge", {"methods": frozenset({"Squash"})}, "MergeMethodRefused", "set it to Squash", id="settings"),
        pytest.param("Squash", {"methods": frozenset()}, "MergeMethodRefused", "allow a method on GitHub", id="no method"),
        pytest.param(
            "Rebase", {"base": BranchRules(merge_methods=frozenset({"Merge", "Squash"}))},
            "MergeMethodRefused", "a rule of the branch): set it to Squash or Merge", id="a rule",
        ),
        pytest.param(
            "Merge", {"base": BranchRules(linear_history=True)}, "MergeMethodRefused", "set it to Squash or Rebase", id="linear"
        ),
        pytest.param(
            "Rebase", {"base": BranchRules(signatures=True)}, "MergeMethodRefused", "signed commits are required", id="signed"
        ),
        pytest.param("Squash", {"base": BranchRules(locked=True)}, "BranchLocked", "unlock it", id="locked"),
        pytest.param("Squash", {"head": BranchRules(pull_request=True)}, "PushBlocked", "branches orch/…", id="our branches"),
        pytest.param("Squash", {"head": BranchRules(signatures=True)}, "PushBlocked", "signature", id="our commits"),
        pytest.param(
            "Squash", {"base": BranchRules(required_checks=frozenset({"Orch"})), "is_told": False},
            "StatusUnwritable", "Commit statuses (write)", id="our status",
        ),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(method: str, facts: dict[str, Any], reason: str, words: str) -> None:
    fits, found, message = judged(MergeMethod(method), **facts)
    assert (fits, found) == (False, reason)
    assert words in message


@pytest.mark.parametrize(("method", "fits"), [("Squash", True), ("Merge", True), ("Rebase", False)])
def test_signed_commits_may_be_merged_where_signatures_are_required(method: str, fits: bool) -> None:
    rules = BranchRules(signatures=True)
    assert judged(MergeMethod(method), base=rules, head=rules, signs=True)[0] is fits


def test_all_that_stands_in_the_way_is_told_at_once() -> None:
    base = BranchRules(locked=True, merge_queue=True)
    _, reason, message = judged(base=base, queue=MergeQueue.DISABLED)
    assert reason == "BranchLocked"
    assert "merge queue" in message


def test_a_merge_queue_is_entered_unless_policy_leaves_it_to_people() -> None:
    base = BranchRules(
        merge_queue=True, queue_method="Rebase", linear_history=True, merge_methods=frozenset({"Squash"})
    )
    fits, _, message = judged(MergeMethod.MERGE, base=base)
    assert fits, "the queue merges by its own method"
    assert message == "the rules of main let orch merge, after the merge queue, which merges by Rebase"
    fits, reason, message = judged(base=base, queue=MergeQueue.DISABLED)
    assert (fits, reason) == (False, "MergeQueueRequired")
    assert "a person merges each pull request, or set it to Auto" in message


@pytest.mark.parametrize("method", ["Squash", "Merge", "Rebase"])
@pytest.mark.parametrize("methods", [ALL, None], ids=["all are allowed", "not told"])
def test_without_rules_every_method_fits(method: str, methods: frozenset[str] | None) -> None:
    assert judged(MergeMethod(method), methods=methods) == (True, "Fits", "the rules of main let orch merge")


def test_signed_commits_are_no_obstacle_to_a_squash() -> None:
    assert judged(base=BranchRules(signatures=True, linear_history=True))[0]


def test_a_status_that_cannot_be_written_matters_only_where_it_is_required() -> None:
    assert judged(is_told=False)[0]


def test_what_a_run_waits_for_on_github_is_told() -> None:
    base = BranchRules(
        required_checks=frozenset({"orch", "b", "a"}),
        required_approvals=2,
        others=frozenset({"workflows"}),
        hidden=True,
    )
    assert judged(base=base)[2] == (
        "the rules of main let orch merge, after the checks a, b; orch's own status, orch; 2 approving reviews; "
        "what orch cannot judge beforehand: workflows; its classic protection tells this token about checks alone"
    )
