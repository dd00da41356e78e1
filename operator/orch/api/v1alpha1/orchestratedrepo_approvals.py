"""OrchestratedRepo, third part: when people are asked, and whose answers count."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import Field

from orch.api.v1alpha1.common import Model
from orch.api.v1alpha1.markers import SET, Rule, keyed_by
from orch.api.v1alpha1.types import DnsLabel, Duration, GroupName, PathGlob, Username, at_least, at_most, count
from orch.api.v1alpha1.vocabulary import Gate, Guard, OnExpiry, RequesterRule, Risk, When


class AutoApprove(StrEnum):
    """The highest risk at which a gate set to `ByRisk` does not ask."""

    NONE = "None"
    LOW = "Low"
    MEDIUM = "Medium"


class GateSetting(Model):
    """When one gate asks."""

    gate: Gate
    """The gate: before the implementation, before the first push, before the merge."""
    when: When
    """Never, when the risk is above `autoApproveUpTo` or a guard or a rule demands it, or always."""


def _enough_users(people: Mapping[str, Any]) -> bool:
    users = people.get("users", [])
    return not users or bool(people.get("groups")) or people.get("quorum", 1) <= len(users)


_ENOUGH_USERS: Final = Rule(
    "!has(self.users) || size(self.users) == 0 || (has(self.groups) && size(self.groups) > 0)"
    " || !has(self.quorum) || self.quorum <= size(self.users)",
    "quorum exceeds the number of users",
    _enough_users,
)


class Electorate(Model):
    """Whose approvals count, and how many it takes."""

    quorum: Annotated[int, count(1, 10)] = 1
    """How many different people must approve. One denial denies."""
    users: Annotated[list[Username], Field(max_length=32), SET] = Field(default=[])
    """The Kubernetes users who count for the quorum. With `groups` empty too: everybody with the verb `approve`."""
    groups: Annotated[list[GroupName], Field(max_length=32), SET] = Field(default=[])
    """Members of these groups count for the quorum too, if their decision claims the group."""
    required_groups: Annotated[list[GroupName], Field(max_length=8), SET] = Field(default=[])
    """Somebody of each of these groups must have approved; they need not be among `users` and `groups`."""


_CRITERIA: Final = ("gates", "minRisk", "guards", "paths")


class RuleMatch(Model):
    """What a rule is about. Every criterion that is given must hold."""

    RULES = (
        Rule(
            "(has(self.gates) && size(self.gates) > 0) || has(self.minRisk)"
            " || (has(self.guards) && size(self.guards) > 0) || (has(self.paths) && size(self.paths) > 0)",
            "match needs at least one criterion",
            lambda match: any(match.get(name) for name in _CRITERIA),
        ),
    )

    gates: Annotated[list[Gate], Field(max_length=3), SET] = Field(default=[])
    """One of these gates asks."""
    min_risk: Risk | None = None
    """The risk is this or higher."""
    guards: Annotated[list[Guard], Field(max_length=16), SET] = Field(default=[])
    """One of these guards has found something, whatever its action."""
    paths: Annotated[list[PathGlob], Field(max_length=50), SET] = Field(default=[])
    """The change touches a path that matches one of these globs; before there is a change, the plan names one."""


class ApprovalRule(Electorate):
    """Who else must approve what. A rule that matches makes its gates ask, unless they are set to `Never`."""

    RULES = (_ENOUGH_USERS,)

    name: DnsLabel
    """Name of the rule, shown in the Approval."""
    match: RuleMatch
    """What it is about."""


ApprovalTime = Annotated[Duration, at_least("5m"), at_most("720h")]


class ApprovalsSpec(Electorate):
    """When people are asked, and what their answer is worth."""

    RULES = (_ENOUGH_USERS,)

    gates: Annotated[list[GateSetting], Field(max_length=3), keyed_by("gate")] = Field(default=[])
    """Other settings than the mode's own, which are Plan ByRisk, Publish ByRisk, Merge Always; in Autonomous Plan
    Never, Publish ByRisk, Merge ByRisk."""
    auto_approve_up_to: AutoApprove = AutoApprove.LOW
    """The highest risk at which a gate set to `ByRisk` does not ask."""
    requester: RequesterRule = RequesterRule.MAY_APPROVE
    """Whether whoever set the run off may approve it. With `MustNotApprove` a user whose login on the code host is not
    in the operator's ConfigMap `orch-logins` does not count."""
    timeout: ApprovalTime = timedelta(hours=24)
    """How long a question stays open."""
    valid_for: ApprovalTime = timedelta(hours=72)
    """How long an approval may wait for its use."""
    on_expiry: OnExpiry = OnExpiry.DENY
    """What happens when nobody decides in time: the run ends, or waits until a person asks again."""
    rules: Annotated[list[ApprovalRule], Field(max_length=16), keyed_by("name")] = Field(default=[])
    """More people for particular changes. All rules that match apply, beside the section's own quorum and people: each
    has to be met, so the strictest wins."""
