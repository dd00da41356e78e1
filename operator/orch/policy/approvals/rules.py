"""Which rules of a repository are about a question, and what they make of its policy together.

Called by the gates when they ask, and again whenever answers are counted, with the rules as they are then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orch.api.v1alpha1.approval import AppliedRule, ApprovalPolicy
from orch.api.v1alpha1.orchestratedrepo_approvals import ApprovalRule, ApprovalsSpec, RuleMatch
from orch.api.v1alpha1.vocabulary import Gate, Guard, OnExpiry, RequesterRule, Risk
from orch.policy.guards.globs import match
from orch.policy.risk import level


@dataclass(frozen=True)
class Situation:
    """What rules are held against. None for guards or paths means that not all are known: then every rule about them
    matches, since one that is left out by mistake is the worse error."""

    gate: Gate
    risk: Risk
    guards: frozenset[Guard] | None = frozenset()
    paths: Sequence[str] | None = ()


def matching(rules: Sequence[ApprovalRule], at: Situation) -> tuple[ApprovalRule, ...]:
    """The rules all of whose criteria hold."""
    return tuple(rule for rule in rules if _matches(rule.match, at))


def applied(spec: ApprovalsSpec, at: Situation) -> ApprovalPolicy:
    """What counts as an answer in this situation: the repository's own people, and each rule that matches."""
    return ApprovalPolicy(
        quorum=spec.quorum,
        users=spec.users,
        groups=spec.groups,
        required_groups=spec.required_groups,
        rules=[AppliedRule(name=rule.name, **_people(rule)) for rule in matching(spec.rules, at)],
        requester=spec.requester,
        on_expiry=spec.on_expiry,
        valid_for=spec.valid_for,
    )


def stricter(asked: ApprovalPolicy, current: ApprovalPolicy) -> ApprovalPolicy:
    """Both at once: the policy of the question, and no looser than the rules are now."""
    now = AppliedRule(name="now", **_people(current))
    must_not = RequesterRule.MUST_NOT_APPROVE in (asked.requester, current.requester)
    return asked.model_copy(
        update={
            "rules": [*asked.rules, now, *current.rules],
            "requester": RequesterRule.MUST_NOT_APPROVE if must_not else RequesterRule.MAY_APPROVE,
            "valid_for": min(asked.valid_for, current.valid_for),
            "on_expiry": OnExpiry.DENY if OnExpiry.DENY in (asked.on_expiry, current.on_expiry) else OnExpiry.HOLD,
        }
    )


def _people(rule: ApprovalRule | ApprovalPolicy) -> dict[str, object]:
    return {name: getattr(rule, name) for name in ("quorum", "users", "groups", "required_groups")}


def _matches(criteria: RuleMatch, at: Situation) -> bool:
    return (
        (not criteria.gates or at.gate in criteria.gates)
        and (criteria.min_risk is None or level(at.risk) >= level(criteria.min_risk))
        and (not criteria.guards or at.guards is None or not at.guards.isdisjoint(criteria.guards))
        and (not criteria.paths or at.paths is None or any(match(path, criteria.paths) for path in at.paths))
    )
