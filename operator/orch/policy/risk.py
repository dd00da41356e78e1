"""How much harm a change can do: the highest of all contributions, each with its reason.

Called by the guard stage and wherever a gate asks by risk. Facts of the diff decide; what a model thinks is one
contribution more, so it can raise the risk and never lower it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1 import AnalysisStatus
from orch.api.v1alpha1.vocabulary import Guard, GuardAction, Risk
from orch.policy.diff import is_deleted, totals
from orch.policy.guards import Finding
from orch.ports import FileChange, TreeDiff

ORDER: Final = (Risk.LOW, Risk.MEDIUM, Risk.HIGH, Risk.CRITICAL)

_BY_GUARD: Final = {
    Guard.SECRET_FOUND: Risk.CRITICAL,
    Guard.BREAKING_CHANGE: Risk.HIGH,
    Guard.LARGE_CHANGE: Risk.HIGH,
    Guard.LICENSES: Risk.HIGH,
    Guard.MIGRATIONS: Risk.HIGH,
    Guard.PROTECTED_PATH: Risk.HIGH,
    Guard.SUBMODULE: Risk.HIGH,
    Guard.SYMLINK: Risk.HIGH,
    Guard.TESTS_MISSING: Risk.HIGH,
    Guard.WORKFLOWS: Risk.HIGH,
    Guard.BINARY_FILE: Risk.MEDIUM,
    Guard.COMPLEXITY: Risk.MEDIUM,
    Guard.CONFIGURATION: Risk.MEDIUM,
    Guard.DELETION: Risk.MEDIUM,
    Guard.DEPENDENCIES: Risk.MEDIUM,
    Guard.SECURITY: Risk.MEDIUM,
}
"""What a finding that asks or denies is worth. One that a rule allows is worth nothing: a person said so."""

_BY_COMPLEXITY: Final = ((8, Risk.HIGH), (6, Risk.MEDIUM))
"""The analysis's complexity (0–10) from which on a risk holds."""

_BY_FILES: Final = ((30, Risk.HIGH), (10, Risk.MEDIUM))
_BY_LINES: Final = ((1000, Risk.HIGH), (300, Risk.MEDIUM))
"""More than so many files, or lines added and deleted."""

_MANY_DELETED: Final = 5


@dataclass(frozen=True)
class Contribution:
    """One reason for a risk."""

    risk: Risk
    reason: str


@dataclass(frozen=True)
class Assessment:
    """The risk, and all that contributes to it, highest first. Nothing contributes: Low."""

    risk: Risk
    contributions: tuple[Contribution, ...] = ()

    @property
    def reasons(self) -> list[str]:
        return [f"{c.risk}: {c.reason}" for c in self.contributions]


def assess(
    diff: TreeDiff | None,
    findings: Iterable[Finding] = (),
    *,
    analysis: AnalysisStatus | None = None,
) -> Assessment:
    """The risk of a change, or before there is one (`diff` None) of the plan. `analysis`: what a model thinks of the issue."""
    found = list(_of_analysis(analysis))
    if diff is not None:
        found += [*_of_size(diff), *_of_modes(diff.changes), *_of_findings(findings)]
    found.sort(key=lambda c: (-level(c.risk), c.reason))
    return Assessment(found[0].risk if found else Risk.LOW, tuple(dict.fromkeys(found)))


def level(risk: Risk) -> int:
    """0 for Low to 3 for Critical."""
    return ORDER.index(risk)


def _of_analysis(analysis: AnalysisStatus | None) -> Iterator[Contribution]:
    if analysis is None:
        return
    if risk := _step(analysis.complexity, _BY_COMPLEXITY):
        yield Contribution(risk, f"the analysis puts the complexity at {analysis.complexity} of 10")
    if analysis.risk is not None:
        yield Contribution(analysis.risk, "the model that analysed the issue expects it")


def _of_size(diff: TreeDiff) -> Iterator[Contribution]:
    sums = totals(diff)
    if risk := _step(sums.files - 1, _BY_FILES):
        yield Contribution(risk, f"{sums.files} files change")
    if risk := _step(sums.lines - 1, _BY_LINES):
        yield Contribution(risk, f"{sums.lines} lines change")
    deleted = sum(is_deleted(change) for change in diff.changes)
    if deleted:
        risk = Risk.HIGH if deleted > _MANY_DELETED else Risk.MEDIUM
        yield Contribution(risk, f"{deleted} files are deleted")


def _of_modes(changes: Iterable[FileChange]) -> Iterator[Contribution]:
    if any(change.new_mode == "100755" and change.old_mode != "100755" for change in changes):
        yield Contribution(Risk.MEDIUM, "a file becomes executable")


def _of_findings(findings: Iterable[Finding]) -> Iterator[Contribution]:
    objecting = Counter(finding.guard for finding in findings if finding.action is not GuardAction.ALLOW)
    for guard, times in objecting.items():
        yield Contribution(_BY_GUARD[guard], f"guard {guard} objects{f' {times} times' if times > 1 else ''}")


def _step(value: int, table: tuple[tuple[int, Risk], ...]) -> Risk | None:
    return next((risk for least, risk in table if value >= least), None)
