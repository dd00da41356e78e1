"""GitHub's words for what a branch demands, as facts."""

from __future__ import annotations

from typing import Any

import pytest

from orch.adapters.github.rules import of_protection, of_rulesets
from orch.ports import BranchRules


@pytest.mark.parametrize(
    ("kind", "parameters", "rules"),
    [
        ("required_linear_history", {}, BranchRules(linear_history=True)),
        ("required_signatures", {}, BranchRules(signatures=True)),
        ("creation", {}, BranchRules(locked=True)),
        ("update", {}, BranchRules(locked=True)),
        ("deletion", {}, BranchRules()),
        ("non_fast_forward", {}, BranchRules()),
        ("workflows", {}, BranchRules(others=frozenset({"workflows"}))),
        ("a_rule_of_tomorrow", {}, BranchRules(others=frozenset({"a_rule_of_tomorrow"}))),
        (
            "pull_request",
            {"allowed_merge_methods": ["squash", "other"], "require_code_owner_review": True},
            BranchRules(
                pull_request=True,
                merge_methods=frozenset({"Squash"}),
                others=frozenset({"a review by code owners"}),
            ),
        ),
        ("pull_request", {"allowed_merge_methods": []}, BranchRules(pull_request=True)),
        ("merge_queue", {"merge_method": "SQUASH"}, BranchRules(merge_queue=True, queue_method="Squash")),
        ("merge_queue", {"merge_method": "OCTOPUS"}, BranchRules(merge_queue=True)),
    ],
)
def test_a_rule_of_a_ruleset(kind: str, parameters: dict[str, Any], rules: BranchRules) -> None:
    assert of_rulesets([{"type": kind, "parameters": parameters}]) == rules
    assert of_rulesets([{"type": kind}]).hidden is False


def test_rulesets_that_meet_leave_what_all_of_them_allow() -> None:
    some = [["squash", "merge"], None, ["merge", "rebase"]]
    rules = [{"type": "pull_request", "parameters": {"allowed_merge_methods": methods}} for methods in some]
    assert of_rulesets(rules).merge_methods == {"Merge"}


def test_classic_protection() -> None:
    document = {
        "required_linear_history": {"enabled": True},
        "required_signatures": {"enabled": False},
        "lock_branch": {"enabled": True},
        "required_conversation_resolution": {"enabled": True},
        "required_pull_request_reviews": {"required_approving_review_count": 0, "require_last_push_approval": True},
    }
    others = frozenset({"resolved conversations", "an approval of the last push"})
    assert of_protection(document) == BranchRules(pull_request=True, linear_history=True, locked=True, others=others)
