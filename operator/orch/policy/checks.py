"""What the checks of one commit amount to. Called by the checks stage and by `merging`.

Names are compared as GitHub shows them. A check run and a commit status of one name are two; both have to pass.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from orch.api.v1alpha1.orchestratedrepo_policy import MergeSpec, NoChecks
from orch.policy.text import one_line
from orch.ports import BranchRules, Check, Checks, CheckState

OWN_CONTEXT: Final = "orch"
"""Of orch's own commit status, which branch rules may require; contexts ignore case. A check run of that name is somebody else's."""


def is_own(context: str) -> bool:
    """Whether it is the context of orch's status, as the host compares them."""
    return context.casefold() == OWN_CONTEXT


def requires_own(rules: BranchRules) -> bool:
    """Whether the branch takes nothing that orch has not said yes to."""
    return any(is_own(name) for name in rules.required_checks)


def by_others(checks: Checks) -> Checks:
    """Without what orch says itself, for which it would wait for ever."""
    return replace(checks, items=tuple(c for c in checks.items if not (is_own(c.name) and c.id is None)))


class ChecksResult(StrEnum):
    """What follows from the checks."""

    PASSED = "Passed"
    RUNNING = "ChecksRunning"
    FAILED = "ChecksFailed"
    INTERRUPTED = "ChecksInterrupted"
    """None has failed, and at least one ended without a verdict."""
    MISSING = "RequiredCheckMissing"
    """All that is there has passed, but a required check has not shown up."""
    NONE_YET = "NoChecksYet"
    """No check, and the grace period still runs."""
    NONE = "NoChecks"
    """No check within the grace period, and `merge.noChecks` is Hold: a person has to look."""


@dataclass(frozen=True)
class ChecksVerdict:
    """The result, counts of what was looked at, and a sentence. `failing`: what there is to fix; `interrupted`: what has to
    run again, by name."""

    result: ChecksResult
    message: str
    passed: int = 0
    pending: int = 0
    failing: tuple[Check, ...] = ()
    interrupted: tuple[Check, ...] = ()


def judge(checks: Checks, rules: BranchRules, spec: MergeSpec, *, grace_over: bool) -> ChecksVerdict:
    """Judge the checks of a head commit.

    Every check of others counts but `ignoredChecks`, required or not: a red one is for a reason. One that the branch rules
    require counts even if ignored, as GitHub would refuse the merge. `grace_over`: the two minutes after a push in which
    checks may still show up are over."""
    ignored = set(spec.ignored_checks) - rules.required_checks
    counted = [check for check in by_others(checks).items if check.name not in ignored]
    failing, interrupted = _those(counted, CheckState.FAILED), _those(counted, CheckState.INTERRUPTED)
    pending = _those(counted, CheckState.PENDING)
    passed = len(counted) - len(failing) - len(interrupted) - len(pending)
    required = rules.required_checks.union(spec.required_checks)
    wanted = {name for name in required if not is_own(name)}
    missing = sorted(wanted - {c.name for c in counted})
    result, message = _result(spec, failing, interrupted, pending, missing, total=len(counted), grace_over=grace_over)
    if not checks.readable:
        message += " (check runs cannot be read with this credential: commit statuses only)"
    return ChecksVerdict(result, message, passed, len(pending), failing, interrupted)


def _those(checks: list[Check], state: CheckState) -> tuple[Check, ...]:
    return tuple(sorted((c for c in checks if c.state is state), key=lambda c: (c.name, c.id or 0)))


def _result(
    spec: MergeSpec,
    failing: tuple[Check, ...],
    interrupted: tuple[Check, ...],
    pending: tuple[Check, ...],
    missing: list[str],
    *,
    total: int,
    grace_over: bool,
) -> tuple[ChecksResult, str]:
    if pending:
        return ChecksResult.RUNNING, f"{len(pending)} of {total} checks still run"
    if failing:
        return ChecksResult.FAILED, f"{len(failing)} of {total} checks failed: {_names([c.name for c in failing])}"
    if interrupted:  # after what failed: that is mended from its log, and the mended commit is checked anew as a whole
        names = _names([f"{c.name} ({c.ending})" for c in interrupted])
        return ChecksResult.INTERRUPTED, f"{len(interrupted)} of {total} checks ended without a verdict: {names}"
    if missing:
        return ChecksResult.MISSING, f"required checks have not shown up: {_names(missing)}"
    if total:
        return ChecksResult.PASSED, f"all {total} checks passed"
    if not grace_over:
        return ChecksResult.NONE_YET, "no check has shown up yet"
    if spec.no_checks is NoChecks.ALLOW:
        return ChecksResult.PASSED, "there are no checks, and merge.noChecks allows that"
    return ChecksResult.NONE, "there are no checks: add CI to the repository, or set merge.noChecks to Allow"


def _names(names: list[str]) -> str:
    shown = ", ".join(one_line(name, 100) for name in names[:5])  # whoever reports a check names it
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
