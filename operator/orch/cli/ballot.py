"""Whether a person's answer would count, and which of their groups they claim. Called by `inbox`, `approve` and `deny`; pure.

It counts as the operator does, with what can be known from a terminal; the operator's count is the one that holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from orch.api.v1alpha1 import Approval, Decision, Verdict
from orch.cli.rights import MOST_GROUPS, SERVERS_OWN, Right
from orch.cli.whoami import Me
from orch.policy.approvals import People, count

_LONGEST: Final = 253
"""Letters of a group's name in an answer."""


def claims(question: Approval, me: Me, right: Right) -> list[str]:
    """The groups for the answer: the one that grants the verb, then those that rules name, then others, as many as fit."""
    own = sorted(group for group in me.groups if not group.startswith(SERVERS_OWN) and len(group) <= _LONGEST)
    wanted = [right.group] if right.group else []
    wanted += [group for group in _named(question, own) if group in own]
    return list(dict.fromkeys([*wanted, *own]))[:MOST_GROUPS]


def _named(question: Approval, own: list[str]) -> Iterator[str]:
    """Groups that rules name, the most needed first: of the required ones each, of the others one for each rule."""
    rules = (question.spec.policy, *question.spec.policy.rules)
    for rule in rules:
        yield from sorted(rule.required_groups)
    for rule in rules:
        yield from [group for group in own if group in rule.groups][:1]
    for rule in rules:
        yield from sorted(rule.groups)


def objection(
    question: Approval, me: Me, now: datetime, right: Right, verdict: Verdict = Verdict.APPROVE
) -> str | None:
    """Why this person's answer would not count; None if it would, or if that cannot be known.

    Which login on the code host is theirs is the operator's to know, so nobody is taken for the requester by a login."""
    if not right.allowed:
        where = f"on approvals.orch.dev in namespace {question.metadata.namespace!r}"
        return f"{me.username} needs the verb approve {where}: ask for a role that has it, such as orch-approver"
    vote = Decision(verdict=verdict, groups=claims(question, me, right), digest=question.spec.subject.digest)
    spec = question.spec.model_copy(update={"decisions": {me.username: vote}})
    people = People(
        enforced=True,
        may_approve={me.username},
        logins={me.username: frozenset({"?"})},  # no login is spelt so
    )
    tally = count(spec, question.status, policy=spec.policy, people=people, now=now)
    return next(decision.reason for decision in tally.decisions if decision.username == me.username)
