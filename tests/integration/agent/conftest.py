"""Fixtures of the work step's tests: a repository with one bug, and a way to run a step on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.integration.agent.world import CALC, Gateway, Outcome, Repository, a_step, gateway, run_step


class Bench:
    """Runs steps on a repository. `world`: the gateway of the last one."""

    world: Gateway

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
            return run_step(self.world, a_step(self.world, self.repository, stage, **changes), self.folder, self.capsys)

    def changes(self, outcome: Outcome) -> dict[str, str]:
        """What the step's bundle changes."""
        change = outcome.report.change
        assert change is not None, outcome.report.message
        return self.repository.read_result(self.world.artifacts[change.bundle], change.sha)


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bench:
    return Bench(tmp_path, capsys)
