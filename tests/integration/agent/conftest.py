"""Fixtures of the work step's tests: a repository with one bug, and a way to run a step on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent.world import (
    CALC,
    PYTEST,
    Commands,
    Gateway,
    Outcome,
    Repository,
    a_step,
    gateway,
    run_step,
)

from orch.api.work import StepInput


class Bench:
    """Runs steps on a repository. `world`: the gateway of the last one; `suite`: how the repository is tested."""

    world: Gateway
    suite = PYTEST

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capsys = capsys
        self.repository = Repository(folder / "repo", CALC)

    def run(
        self, scripts: str, stage: str = "Implement", *, before: Callable[[Gateway], None] | None = None, **changes: Any
    ) -> Outcome:
        """One step against a model that answers from `scripts`. `before`: makes the gateway difficult."""
        with gateway(self.folder, scripts) as self.world:
            if before is not None:
                before(self.world)
            return run_step(self.world, self._step(stage, **changes), self.folder, self.capsys)

    def _step(self, stage: str, **changes: Any) -> StepInput:
        return a_step(self.world, self.repository, stage, **{"commands": Commands(test=(self.suite,)), **changes})

    def changes(self, outcome: Outcome) -> dict[str, str]:
        """What the step's bundle changes."""
        change = outcome.report.change
        assert change is not None, outcome.report.message
        return self.repository.read_result(self.world.artifacts[change.bundle], change.sha)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(tmp_path, capsys)
