"""The audit trail: lines are written when the status that they are about has been written, so that none is untrue or double.

Used by everybody who writes a status. A process that dies between the write and the line has told nothing: whoever takes
over from one that did not give its Lease back tells the facts of its last minutes again, with the ids that they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from orch.api.audit import AuditEvent
from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo
from orch.reconcilers.lines import Line, approval_lines, approval_turns, repo_turns, run_lines, run_turns

Audit = Callable[[AuditEvent, Mapping[str, object]], None]
Span = tuple[datetime, datetime]
"""From the last sign of life of a process that died to the moment at which this one took over."""

MARGIN: Final = timedelta(minutes=5)
"""A fact's time is that of the look at which it came to be; it is written when the look is over."""


class Trail:
    """One for the process."""

    def __init__(self, audit: Audit, unsure: Callable[[], Span | None] = lambda: None) -> None:
        self.audit = audit
        self._unsure = unsure
        self._told: set[str] = set()
        """Ids of the facts in the span, told by this process: a span is minutes long, so they are few."""

    def wrote_run(self, before: IssueRun, after: IssueRun) -> None:
        """A run's status has been written over `before`."""
        self._tell_new(run_lines(before), run_lines(after))
        self._tell(run_turns(before, after))

    def wrote_approval(self, before: Approval, after: Approval) -> None:
        """An Approval's status has been written over `before`."""
        self._tell_new(approval_lines(before), approval_lines(after))
        self._tell(approval_turns(before, after))

    def wrote_repo(self, before: OrchestratedRepo, after: OrchestratedRepo) -> None:
        """A repository's status has been written over `before`."""
        self._tell(repo_turns(before, after))

    def saw_run(self, run: IssueRun) -> None:
        """A run was read: perhaps its last writer died before it told."""
        self._catch_up(run_lines(run))

    def saw_approval(self, approval: Approval) -> None:
        """As `saw_run`."""
        self._catch_up(approval_lines(approval))

    def _catch_up(self, lines: Iterable[Line]) -> None:
        span = self._unsure()
        if span is not None:
            self._tell(line for line in lines if _is_in(span, line) and line.id not in self._told)

    def _tell_new(self, before: Iterable[Line], after: Iterable[Line]) -> None:
        known = {line.id for line in before}
        self._tell(line for line in after if line.id not in known)

    def _tell(self, lines: Iterable[Line]) -> None:
        span = self._unsure()
        for line in lines:
            self.audit(line.event, line.dump())
            if span is not None and _is_in(span, line):
                self._told.add(line.id)


def _is_in(span: Span, line: Line) -> bool:
    return line.time is not None and span[0] - MARGIN <= line.time <= span[1] + MARGIN
