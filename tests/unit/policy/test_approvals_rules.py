"""Which rules are about a question, and what they make of the policy together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orch.api.v1alpha1 import ApprovalsSpec, Gate, Guard, OnExpiry, RequesterRule, Risk
from orch.policy.approvals import Situation, applied, matching, stricter

HOUR = timedelta(hours=1)


def a_situation(**facts: Any) -> Situation:
    return Situation(
        **{
            "gate": Gate.MERGE,
            "risk": Risk.MEDIUM,
            "guards": frozenset({Guard.WORKFLOWS}),
            "paths": ("src/pay/a.py", "README.md"),
            **facts,
        }
    )


@pytest.mark.parametrize(
    ("match", "facts", "matches"),
    [
        pytest.param({"gates": ["Merge"]}, {}, True, id="its gate"),
        pytest.param({"gates": ["Plan", "Publish"]}, {}, False, id="other gates"),
        pytest.param({"minRisk": "Medium"}, {}, True, id="its risk"),
        pytest.param({"minRisk": "High"}, {}, False, id="a lower risk"),
        pytest.param({"minRisk": "Low"}, {"risk": Risk.CRITICAL}, True, id="a higher risk"),
        pytest.param({"guards": ["Symlink", "Workflows"]}, {}, True, id="one of its guards"),
        pytest.param({"guards": ["Symlink"]}, {}, False, id="another guard"),
        pytest.param({"guards": ["Symlink"]}, {"guards": frozenset()}, False, id="nothing found"),
        pytest.param({"guards": ["Symlink"]}, {"guards": None}, True, id="not all findings are known"),
        pytest.param({"paths": ["src/pay/**"]}, {}, True, id="one of the paths"),
        pytest.param({"paths": ["src/*.py", "docs/"]}, {}, False, id="no path"),
        pytest.param({"paths": ["src/pay/**"]}, {"paths": ()}, False, id="no change"),
        pytest.param({"paths": ["docs/"]}, {"paths": None}, True, id="not all paths are known"),
        pytest.param({"gates": ["Merge"], "minRisk": "High"}, {}, False, id="every criterion must hold"),
        pytest.param({"gates": ["Merge"], "guards": ["Workflows"], "paths": ["*.md"]}, {}, True, id="all of them do"),
    ],
)
def test_matching(match: dict[str, Any], facts: dict[str, Any], matches: bool) -> None:
    spec = ApprovalsSpec.model_validate({"rules": [{"name": "it", "match": match}]})
    assert [rule.name for rule in matching(spec.rules, a_situation(**facts))] == (["it"] if matches else [])


def test_every_rule_that_matches_applies_beside_the_repositorys_own() -> None:
    spec = ApprovalsSpec.model_validate(
        {
            "users": ["alice"],
            "requester": "MustNotApprove",
            "rules": [
                {"name": "two", "match": {"gates": ["Merge"]}, "quorum": 2},
                {"name": "plans", "match": {"gates": ["Plan"]}, "quorum": 9},
                {"name": "security", "match": {"guards": ["Workflows"]}, "requiredGroups": ["security"]},
            ],
        }
    )
    policy = applied(spec, a_situation())
    assert (policy.quorum, policy.users, policy.requester) == (1, ["alice"], RequesterRule.MUST_NOT_APPROVE)
    assert [(rule.name, rule.quorum, rule.required_groups) for rule in policy.rules] == [
        ("two", 2, []),
        ("security", 1, ["security"]),
    ]


def test_the_stricter_of_two_is_both() -> None:
    asked = applied(ApprovalsSpec(quorum=2, on_expiry=OnExpiry.HOLD, valid_for=3 * HOUR), a_situation())
    current = applied(
        ApprovalsSpec(users=["bob"], valid_for=HOUR, requester=RequesterRule.MUST_NOT_APPROVE), a_situation()
    )
    both = stricter(asked, current)
    assert (both.quorum, both.users) == (2, [])
    assert [(rule.quorum, rule.users) for rule in both.rules] == [(1, ["bob"])]
    assert (both.valid_for, both.on_expiry, both.requester) == (HOUR, OnExpiry.DENY, RequesterRule.MUST_NOT_APPROVE)
    looser = stricter(current, asked)
    assert looser.requester is RequesterRule.MUST_NOT_APPROVE
    assert looser.users == ["bob"]
