"""Presets of the modes, and the digest of the policy that an approval rests on."""

from typing import Any

import pytest

from orch.api.effective import gate_setting, policy_digest
from orch.api.v1alpha1 import Gate, OrchestratedRepoSpec, When


def a_spec(**sections: Any) -> OrchestratedRepoSpec:
    return OrchestratedRepoSpec.model_validate(
        {"repository": "acme/web", "credentialsRef": {"name": "acme-github"}, **sections}
    )


@pytest.mark.parametrize(
    ("mode", "plan", "publish", "merge"),
    [
        ("Manual", "ByRisk", "ByRisk", "Always"),
        ("Supervised", "ByRisk", "ByRisk", "Always"),
        ("Autonomous", "Never", "ByRisk", "ByRisk"),
    ],
)
def test_presets(mode: str, plan: str, publish: str, merge: str) -> None:
    spec = a_spec(mode=mode)
    assert [gate_setting(spec, gate) for gate in Gate] == [plan, publish, merge]


def test_the_spec_comes_before_the_preset() -> None:
    spec = a_spec(mode="Autonomous", approvals={"gates": [{"gate": "Merge", "when": "Never"}]})
    assert gate_setting(spec, Gate.MERGE) is When.NEVER
    assert gate_setting(spec, Gate.PLAN) is When.NEVER
    assert gate_setting(spec, Gate.PUBLISH) is When.BY_RISK


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({"mode": "Supervised"}, id="a default that is spelled out"),
        pytest.param(
            {"approvals": {"gates": [{"gate": "Merge", "when": "Always"}]}}, id="a preset that is spelled out"
        ),
        pytest.param({"budget": {"perRunUSD": "5.00"}}, id="another way to write a number"),
        pytest.param({"approvals": {"timeout": "1440m"}}, id="another way to write a duration"),
        pytest.param({"merge": {"requiredChecks": []}}, id="an empty list"),
        pytest.param({"interval": "5m", "suspend": True, "model": {"name": "m"}}, id="what is no policy"),
        pytest.param({"concurrency": {"maxActiveRuns": 9}, "pipeline": {"test": ["make"]}}, id="how work is done"),
    ],
)
def test_equal_policies_have_one_digest(sections: dict[str, Any]) -> None:
    assert policy_digest(a_spec(**sections)) == policy_digest(a_spec())


@pytest.mark.parametrize(
    "sections",
    [
        {"mode": "Manual"},
        {"approvals": {"gates": [{"gate": "Plan", "when": "Always"}]}},
        {"approvals": {"quorum": 2}},
        {"issues": {"trust": {"minimumPermission": "Triage"}}},
        {"guards": {"protectedPaths": ["x"]}},
        {"budget": {"perRunUSD": "6"}},
        {"publish": {"labels": ["x"]}},
        {"merge": {"method": "Rebase"}},
    ],
    ids=str,
)
def test_another_policy_has_another_digest(sections: dict[str, Any]) -> None:
    assert policy_digest(a_spec(**sections)) != policy_digest(a_spec())


def test_the_order_of_a_set_says_nothing() -> None:
    one = a_spec(guards={"protectedPaths": ["a", "b"], "rules": [_deny("Symlink"), _deny("BinaryFile")]})
    other = a_spec(guards={"protectedPaths": ["b", "a"], "rules": [_deny("BinaryFile"), _deny("Symlink")]})
    assert policy_digest(one) == policy_digest(other)


def _deny(guard: str) -> dict[str, str]:
    return {"guard": guard, "action": "Deny"}
