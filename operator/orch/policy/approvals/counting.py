"""What people's answers amount to. Called by the Approval reconciler, and again just before an approval is used.

Pure: `now` is a value, answers come from the object, first sightings from its status, rights and logins from `People`.
That an answer is nobody's forgery is admission's business: without it `People.enforced` is false and nothing counts.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from orch.api.v1alpha1.approval import (
    ApprovalPolicy,
    ApprovalSpec,
    ApprovalStatus,
    CountedDecision,
    Decision,
    Missing,
    Requester,
)
from orch.api.v1alpha1.orchestratedrepo_approvals import Electorate
from orch.api.v1alpha1.vocabulary import ApprovalOutcome, RequesterRule, Verdict

MACHINES: Final = "system:"
"""User names of the API server's own accounts and of service accounts begin so. They never decide."""

LOOK_AGAIN: Final = timedelta(seconds=30)
"""How soon an answer is looked at again that may come to count without a change of the Approval."""

NOT_ENFORCED: Final = "given while admission was not enforced: withdraw it and decide again"
_NO_VERB: Final = "lacks the verb approve here: if a group grants it, claim the group"
_NOT_ASKED: Final = "neither among the users and groups that are asked, nor of a required group"
_REQUESTER: Final = "set the run off, and must not approve it"
_UNMAPPED: Final = "no login on the code host is known: see ConfigMap orch-logins in the operator's namespace"
_MAY_CHANGE: Final = frozenset({_NO_VERB, _UNMAPPED})


@dataclass(frozen=True)
class People:
    """What the cluster says, at this moment, of those who answered."""

    enforced: bool
    """Whether the API server refuses forged decisions."""
    may_approve: Collection[str]
    """The users who, with the groups that they claim, have the verb `approve` on this Approval."""
    logins: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """User → logins on the code host, in lower case. Read only where the rule is `MustNotApprove`."""


@dataclass(frozen=True)
class Count:
    """How a question stands. `valid_until` is set when it is approved."""

    outcome: ApprovalOutcome
    decisions: tuple[CountedDecision, ...] = ()
    missing: Missing = field(default_factory=Missing)
    decide_time: datetime | None = None
    valid_until: datetime | None = None

    @property
    def may_change(self) -> bool:
        """Whether an answer does not count for a reason that lies outside of the Approval and may go away."""
        return any(decision.reason in _MAY_CHANGE for decision in self.decisions)


def count(
    spec: ApprovalSpec, status: ApprovalStatus, *, policy: ApprovalPolicy, people: People, now: datetime
) -> Count:
    """Count the answers as if nothing were decided yet. `policy`: the question's own, or `stricter` than it.

    One denial denies, also beside enough approvals, and also by somebody whose approval would not count: whoever has the
    verb may stop. An answer first seen at or after `expireTime` does not count: the operator may have been down, and a
    late answer must not slip in under an old clock."""
    decisions = tuple(
        _judged(name, decision, spec, policy, people, _seen(status, name, decision, now))
        for name, decision in sorted(spec.decisions.items())
    )
    counted = {d.username: spec.decisions[d.username] for d in decisions if d.counted}
    missing = _missing(policy, {name: d for name, d in counted.items() if d.verdict is Verdict.APPROVE})
    if any(decision.verdict is Verdict.DENY for decision in counted.values()):
        return Count(ApprovalOutcome.DENIED, decisions, missing, now)
    if missing.approvals == 0:
        since, until = _validity(status, policy, now)
        return Count(ApprovalOutcome.APPROVED, decisions, missing, since, until)
    if now >= spec.expire_time:
        return Count(ApprovalOutcome.EXPIRED, decisions, missing, now)
    return Count(ApprovalOutcome.PENDING, decisions, missing)


def _validity(status: ApprovalStatus, policy: ApprovalPolicy, now: datetime) -> tuple[datetime, datetime]:
    """From when until when. An approval that is counted again keeps its times, unless the rule allows it less by now."""
    if status.outcome is ApprovalOutcome.APPROVED and status.decide_time and status.valid_until:
        return status.decide_time, min(status.valid_until, status.decide_time + policy.valid_for)
    return now, now + policy.valid_for


def fingerprint(decision: Decision) -> str:
    """The digest by which the record of an answer in status knows the answer."""
    wire = json.dumps(decision.dump(), sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(wire.encode()).hexdigest()


def is_decided(status: ApprovalStatus) -> bool:
    """Whether the question has an outcome."""
    return status.outcome not in (None, ApprovalOutcome.PENDING)


def can_decide(name: str) -> bool:
    """Whether admission lets a person of this name answer: other letters can look like the name of somebody else."""
    return name.isascii()


def same_name(one: str, other: str) -> bool:
    """Whether two user names are spellings of one: by case, or by Unicode's compatible forms."""
    return _folded(one) == _folded(other)


def read_logins(data: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """User → logins, from the ConfigMap's `login: user names, one a line`. What is not UTF-8 names nobody."""
    found: dict[str, frozenset[str]] = {}
    for login, names in data.items():
        for name in filter(None, map(str.strip, names.decode(errors="replace").splitlines())):
            found[name] = found.get(name, frozenset()) | {login.casefold()}
    return found


def _judged(
    name: str, decision: Decision, spec: ApprovalSpec, policy: ApprovalPolicy, people: People, seen: CountedDecision
) -> CountedDecision:
    reason = _unfit(name, decision, spec, people, seen)
    if reason is None and decision.verdict is Verdict.APPROVE:
        reason = _unasked(name, decision, policy) or _own(name, spec.requester, policy, people)
    return seen.model_copy(update={"counted": reason is None, "reason": reason})


def _seen(status: ApprovalStatus, name: str, decision: Decision, now: datetime) -> CountedDecision:
    """The record of this very answer, else a new one: a changed answer is a new answer."""
    digest = fingerprint(decision)
    known = next((record for record in status.decisions if record.username == name and record.digest == digest), None)
    return known or CountedDecision(
        username=name, verdict=decision.verdict, counted=False, digest=digest, observed_time=now
    )


def _unfit(name: str, decision: Decision, spec: ApprovalSpec, people: People, seen: CountedDecision) -> str | None:
    """Why an answer counts neither for nor against."""
    if name.startswith(MACHINES):
        return "machines do not decide"
    if not can_decide(name):
        return "a user name with letters outside of ASCII does not decide"
    if decision.digest is not None and decision.digest != spec.subject.digest:
        return "given for another subject"
    if not people.enforced or seen.reason == NOT_ENFORCED:
        return NOT_ENFORCED
    if seen.observed_time is None or seen.observed_time >= spec.expire_time:
        return "first seen after expireTime"
    return None if name in people.may_approve else _NO_VERB


def _unasked(name: str, decision: Decision, policy: ApprovalPolicy) -> str | None:
    everybody = _electorates(policy)
    asked = any(_is_of(rule, name, decision) or set(rule.required_groups) & set(decision.groups) for rule in everybody)
    return None if asked else _NOT_ASKED


def _own(name: str, requester: Requester, policy: ApprovalPolicy, people: People) -> str | None:
    """The requester's own approval, or one that may be: nobody is taken for somebody else without being known."""
    if policy.requester is RequesterRule.MAY_APPROVE:
        return None
    logins = people.logins.get(name, frozenset())
    user, login = requester.username, requester.github_login
    if user is None and login is None:
        return "it is not known who set the run off"
    if user is not None and (same_name(name, user) or logins & people.logins.get(user, frozenset())):
        return _REQUESTER
    if login is None:
        return None
    return _UNMAPPED if not logins else _REQUESTER if login.casefold() in logins else None


def _missing(policy: ApprovalPolicy, approvals: Mapping[str, Decision]) -> Missing:
    """What every electorate together still lacks. Two spellings of a name are one person."""
    lacking, groups = 0, set[str]()
    claimed = {group for decision in approvals.values() for group in decision.groups}
    for rule in _electorates(policy):
        voters = {_folded(name) for name, decision in approvals.items() if _is_of(rule, name, decision)}
        lacking = max(lacking, rule.quorum - len(voters))
        groups |= set(rule.required_groups) - claimed
    return Missing(approvals=max(lacking, 1 if groups else 0), groups=sorted(groups)[:32])


def _electorates(policy: ApprovalPolicy) -> Sequence[Electorate]:
    return [policy, *policy.rules]


def _is_of(rule: Electorate, name: str, decision: Decision) -> bool:
    anybody = not rule.users and not rule.groups
    return anybody or name in rule.users or not set(rule.groups).isdisjoint(decision.groups)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
