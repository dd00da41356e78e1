"""Whether a gate asks people at all, and the reasons that they read. Called by the gates of the stages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_approvals import AutoApprove
from orch.api.v1alpha1.vocabulary import Gate, GuardAction, Risk, When
from orch.policy.guards import Finding
from orch.policy.risk import level

_UP_TO: Final = {AutoApprove.NONE: -1, AutoApprove.LOW: level(Risk.LOW), AutoApprove.MEDIUM: level(Risk.MEDIUM)}


@dataclass(frozen=True)
class Required:
    """The gate asks; why."""

    reasons: tuple[str, ...]


@dataclass(frozen=True)
class NotRequired:
    """The gate is open by policy; why."""

    reason: str


def needed(
    gate: Gate,
    when: When,
    *,
    risk: Risk,
    auto_approve_up_to: AutoApprove,
    findings: Sequence[Finding] = (),
    author_trusted: bool = True,
    rules: Sequence[str] = (),
) -> Required | NotRequired:
    """Whether a gate asks people.

    `Always` asks. `ByRisk` asks above `autoApproveUpTo`, for findings that want approval, where one of `rules` (the
    names of those that match) says who approves, and, before the first push, for an issue by somebody below the trusted
    permission. `Never` does not, but for one thing that no setting turns
    off: a finding that wants approval is asked about before the push, since a push is already code execution."""
    wanting = [f for f in findings if f.action is GuardAction.APPROVE]
    asked = [f"guard {f.guard} asks for {f.path or 'the change as a whole'}: {f.message}" for f in wanting]
    if when is When.NEVER:
        if gate is Gate.PUBLISH and asked:
            return Required(tuple(asked))
        return NotRequired(f"gate {gate} is set to Never")
    reasons = list(asked)
    if when is When.ALWAYS:
        reasons.insert(0, f"gate {gate} is set to Always")
    elif level(risk) > _UP_TO[auto_approve_up_to]:
        reasons.insert(0, f"the risk is {risk}, approved without people is {auto_approve_up_to}")
    reasons += [f"rule {name!r} matches" for name in rules]
    if gate is Gate.PUBLISH and not author_trusted:
        reasons.append("the issue is by somebody below the trusted permission, and a push runs code")
    if reasons:
        return Required(tuple(reasons))
    return NotRequired(f"the risk is {risk}, and up to {auto_approve_up_to} no person is asked")
