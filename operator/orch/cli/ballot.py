"""Whether a person's approval would count, and which of their groups they claim. Called by `inbox` and `approve`; pure.

It counts as the operator does, with what can be known from a terminal; the operator's count is the one that holds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from orch.api.v1alpha1 import Approval, Decision, Verdict
from orch.cli.whoami import Me
from orch.policy.approvals import People, count

_MOST_GROUPS: Final = 16
_MACHINES: Final = "system:"


def claims(question: Approval, me: Me) -> list[str]:
    """The groups for the decision: those that a rule names first, then others, since one of them may grant the verb."""
    policy = question.spec.policy
    named = {group for rule in (policy, *policy.rules) for group in (*rule.groups, *rule.required_groups)}
    own = [group for group in me.groups if not group.startswith(_MACHINES)]
    return sorted(own, key=lambda group: (group not in named, group))[:_MOST_GROUPS]


def objection(question: Approval, me: Me, now: datetime, *, allowed: bool) -> str | None:
    """Why an approval by this person would not count; None if it would. `allowed`: they have the verb approve.

    Which login on the code host is theirs is the operator's to know, so nobody is taken for the requester by a login."""
    vote = Decision(verdict=Verdict.APPROVE, groups=claims(question, me), digest=question.spec.subject.digest)
    spec = question.spec.model_copy(update={"decisions": {me.username: vote}})
    people = People(
        enforced=True,
        may_approve={me.username} if allowed else frozenset(),
        logins={me.username: frozenset({"?"})},  # no login is spelt so
    )
    tally = count(spec, question.status, policy=spec.policy, people=people, now=now)
    return next(decision.reason for decision in tally.decisions if decision.username == me.username)
