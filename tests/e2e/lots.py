"""Small repositories whose issues differ in what the model does, for tests of what goes wrong. Built on `hack.projects.stress`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from hack.projects import Stress, StressIssue, stress
from tests.e2e.desk import Desk, Run

Turns = Sequence[Mapping[str, Any]]


@dataclass
class Lot:
    """Repositories with issues that nobody has taken yet. `names`: of the OrchestratedRepos, by repository."""

    desk: Desk
    load: Stress
    names: dict[str, str]
    _left: dict[str, list[StressIssue]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for issue in self.load.issues:
            self._left.setdefault(issue.repository, []).append(issue)

    def take(self, repository: int = 1) -> Run:
        """Open the next issue of the repository with this number and label it."""
        issue = self.issue(repository)
        return self.desk.start(self.names[issue.repository], issue.repository, issue.title, issue.body)

    def issue(self, repository: int = 1) -> StressIssue:
        """The next issue of a repository, not opened yet."""
        return self._left[self.load.repositories[repository - 1]].pop(0)


def script(load: Stress, title: str, stages: Mapping[str, Turns], *, first: Mapping[str, Turns] | None = None) -> None:
    """Have the model do something else about the issue of this title: `stages` are added to its script or replace those
    there; `first` is what only the first step of a stage does."""
    entries = yaml.safe_load(load.script.read_text())
    mine = next(entry for entry in entries if entry["name"] == title)
    kept = [entry for entry in mine["stages"] if entry["stage"] not in stages]
    once = [{"stage": stage, "attempt": 1, "turns": list(turns)} for stage, turns in (first or {}).items()]
    mine["stages"] = [*once, *({"stage": stage, "turns": list(turns)} for stage, turns in stages.items()), *kept]
    load.script.write_text(yaml.safe_dump(entries, sort_keys=False))


def answer_review(load: Stress, issue: StressIssue) -> None:
    """Have the model do what a review asks for: that the docstring speaks of zero grams."""
    edit = {
        "path": module_path(issue.title),
        "old": "every kilogram begun.",
        "new": "every kilogram begun, none for zero grams.",
    }
    turns: list[dict[str, Any]] = [{"tools": [{"name": "edit", "input": edit}]}, {"text": "The docstring says it now."}]
    script(load, issue.title, {"Review": turns})


def solve_conflict(load: Stress, issue: StressIssue) -> None:
    """Have the model answer a merge that conflicts with what it wrote the first time."""
    _, writing, _ = read_script(load, issue.title)["Implement"]
    script(load, issue.title, {"Conflict": [writing, {"text": "Both sides are in it."}]})


def module_path(title: str) -> str:
    """The file that the issue of this title is about."""
    number = title.split()[1]
    return f"zones/zone_{number}.py"


def read_script(load: Stress, title: str) -> dict[str, list[Any]]:
    """The turns by stage of the script that `stress` made for an issue."""
    found = next(entry for entry in yaml.safe_load(load.script.read_text()) if entry["name"] == title)
    return {entry["stage"]: entry["turns"] for entry in found["stages"]}


def make(folder: Path, *, repositories: int, issues: int) -> Stress:
    """Repositories whose model is always right."""
    return stress(folder, repositories=repositories, issues=issues, mix=("right",))
