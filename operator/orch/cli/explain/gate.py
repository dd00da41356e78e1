"""What one gate is, and the scene that gates are looked at in. Used by the modules of this room only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from orch.api.conditions import find_condition, is_true
from orch.api.v1alpha1 import Approval, Condition, IssueRun, OrchestratedRepo, RunStage, Step
from orch.api.v1alpha1.types import format_time


class Verdict(StrEnum):
    """How a gate stands."""

    PASSED = "Passed"
    NOT_ASKED = "NotAsked"
    """Open by policy: nobody was asked."""
    WORKING = "Working"
    """orch itself is at it."""
    WAITING = "Waiting"
    """Something outside of orch has to happen first."""
    FAILED = "Failed"
    """The run ended here."""
    NOT_REACHED = "NotReached"


@dataclass(frozen=True)
class Line:
    """One gate. `waits_for`: who or what has to move; `advice`: what a person can do."""

    gate: str
    verdict: Verdict
    message: str = ""
    since: datetime | None = None
    waits_for: str = ""
    advice: str = ""

    def dump(self) -> dict[str, Any]:
        """For `-o json`."""
        return {
            "gate": self.gate,
            "verdict": self.verdict.value,
            "since": format_time(self.since) if self.since else None,
            "waitsFor": self.waits_for or None,
            "message": self.message or None,
            "advice": self.advice or None,
        }


@dataclass(frozen=True)
class Scene:
    """The objects that say how a run stands, as they were just read."""

    run: IssueRun
    repo: OrchestratedRepo | None
    now: datetime
    approvals: Sequence[Approval] = field(default=())

    @property
    def stage(self) -> RunStage:
        """Where the run is, or where it ended."""
        status = self.run.status
        if is_true(self.run, "Succeeded"):
            return RunStage.DONE
        return (status.failure and status.failure.stage) or status.stage or RunStage.QUEUED

    def condition(self, kind: str) -> Condition | None:
        """A condition of the run."""
        return find_condition(self.run, kind)

    def steps(self, *stages: RunStage) -> list[Step]:
        """The run's work steps of these stages, oldest first."""
        return [step for step in self.run.status.steps if step.stage in stages]

    def effect_time(self, prefix: str) -> datetime | None:
        """When the newest effect whose key starts so was recorded."""
        return max((e.time for e in self.run.status.effects if e.key.startswith(prefix)), default=None)
