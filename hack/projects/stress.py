"""A load of many issues at once: generated repositories with a bug per file, the issues about them, and the model's scripts.

Called by the end-to-end stress test and by `make bench`. Issue *i* of a repository is about file *i* alone, so that runs side
by side do not conflict. No test of the repository fails before: each issue asks for the test as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from hack.projects.prepare import commit_all
from hack.projects.seed import repo_entry, seed

Outcome = Literal["right", "wrong-then-right", "never-right"]
MIX: tuple[Outcome, ...] = ("right", "wrong-then-right", "right", "never-right", "right")
"""What becomes of issues, in turn."""
TEST_COMMAND = "python -m unittest discover -s tests -t ."

_MODULE = '''\
"""What a parcel to zone {number:02} costs."""

BASE = {base}
PER_KILOGRAM = {rate}


def fee(grams: int) -> int:
    """Cents for a parcel of that weight: a base, and a rate for every kilogram begun."""
    return BASE + {kilograms} * PER_KILOGRAM
'''
_KILOGRAMS = {"buggy": "(grams // 1000)", "wrong": "(grams // 1000 + 1)", "right": "-(-grams // 1000)"}
_TEST_HEAD = """\
import unittest

from zones.zone_{number:02} import fee


class Zone{number:02}Test(unittest.TestCase):
    def test_whole_kilograms(self):
        self.assertEqual(fee(1000), {one})
        self.assertEqual(fee(3000), {three})
"""
_TEST_ADDED = """
    def test_a_kilogram_begun_is_charged(self):
        self.assertEqual(fee(1), {one})
        self.assertEqual(fee(1001), {two})
"""
_BODY = """\
`zones.zone_{number:02}.fee` charges a kilogram only when it is full: `fee(1001)` is `fee(1000)`.
Its docstring says that every kilogram begun costs.

Acceptance criteria:
- `fee(1001)` is {two}, and `fee(1)` is {one}
- whole kilograms cost what they do today
- `tests/test_zone_{number:02}.py` says so
"""


@dataclass(frozen=True)
class StressIssue:
    """An issue to be opened, and how its run will go: `never-right` ends with red tests, the others merged."""

    repository: str
    title: str
    body: str
    outcome: Outcome


@dataclass(frozen=True)
class Stress:
    """A whole load. `seed`: of GitHub's stand-in; `script`: file of the model's; `spec`: for each OrchestratedRepo."""

    repositories: tuple[str, ...]
    issues: tuple[StressIssue, ...]
    seed: dict[str, Any]
    script: Path
    spec: dict[str, Any]


def stress(folder: Path, *, repositories: int = 5, issues: int = 10, mix: Sequence[Outcome] = MIX) -> Stress:
    """Make `repositories` repositories with `issues` issues each (at most 99) in `folder`, which need not exist."""
    names = tuple(f"owner/stress-{number}" for number in range(1, repositories + 1))
    checks = [{"name": "tests", "command": TEST_COMMAND}]
    made: list[StressIssue] = []
    scripts, entries = [], []
    for name in names:
        source = make_stress_repo(folder / name.rpartition("/")[2], issues=issues)
        entries.append(repo_entry(name, source, checks))
        for number in range(1, issues + 1):
            issue = _issue(name, number, mix[len(made) % len(mix)])
            made.append(issue)
            scripts.append(_script(issue, number))
    script = folder / "scripts.yaml"
    script.write_text(yaml.safe_dump(scripts, sort_keys=False), encoding="utf-8")
    return Stress(names, tuple(made), seed(entries), script, _spec(issues))


def make_stress_repo(folder: Path, *, issues: int = 10) -> Path:
    """A git work tree with a package of `issues` modules, each with a bug, and a test of each that passes; `folder`."""
    for name in ("zones", "tests"):
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text("")
    for number in range(1, issues + 1):
        (folder / _module_path(number)).write_text(_module(number, "buggy"))
        (folder / _test_path(number)).write_text(_test(number, added=False))
    commit_all(folder, "Shipping fees")
    return folder


def _spec(issues: int) -> dict[str, Any]:
    limits = {"maxActiveRuns": issues, "maxOpenPullRequests": issues, "maxRunsPerDay": 4 * issues, "maxRunsPerIssue": 1}
    return {
        "mode": "Autonomous",
        "pipeline": {"test": [TEST_COMMAND]},
        "merge": {"requiredChecks": ["tests"]},
        "concurrency": limits,
        "circuitBreaker": {"consecutiveFailures": 100},  # runs that are to fail must not stop the others
    }


def _issue(repository: str, number: int, outcome: Outcome) -> StressIssue:
    title = f"Zone {number:02} of {repository.rpartition('/')[2]} does not charge a kilogram begun"
    return StressIssue(repository, title, _BODY.format(number=number, **_prices(number)), outcome)


def _script(issue: StressIssue, number: int) -> dict[str, Any]:
    look = {"tools": [{"name": "view", "input": {"path": _module_path(number)}}]}
    stages = [
        {"stage": "Analyse", "turns": [look, {"json": _analysis(number)}]},
        {"stage": "Plan", "turns": [look, {"json": _plan(number)}]},
        {"stage": "Implement", "turns": [look, *_implement(number, issue.outcome)]},
    ]
    return {"name": issue.title, "match": {"contains": issue.title}, "stages": stages}


def _implement(number: int, outcome: Outcome) -> list[dict[str, Any]]:
    right = [_writing(number, "right"), {"text": "Every kilogram begun is charged, and a test says so."}]
    wrong = [_writing(number, "wrong"), {"text": "Every kilogram begun is charged."}]
    if outcome == "right":
        return right
    if outcome == "wrong-then-right":
        return wrong + right
    return [wrong[0], {"text": "I find nothing wrong with it.", "repeat": True}]


def _writing(number: int, variant: str) -> dict[str, Any]:
    files = {_module_path(number): _module(number, variant), _test_path(number): _test(number, added=True)}
    return {"tools": [{"name": "write", "input": {"path": path, "content": text}} for path, text in files.items()]}


def _analysis(number: int) -> dict[str, Any]:
    return {
        "type": "Bug",
        "complexity": 1,
        "confidence_percent": 95,
        "actionable": True,
        "has_acceptance_criteria": True,
        "reason": "fee divides down, where a kilogram begun should count.",
        "requirements": ["every kilogram begun costs", "whole kilograms cost what they do today"],
        "files": [_module_path(number), _test_path(number)],
        "risks": [],
        "risk": "Low",
    }


def _plan(number: int) -> dict[str, Any]:
    return {
        "summary": "Divide up instead of down.",
        "steps": [
            {"title": "Change fee", "detail": "Divide up."},
            {"title": "Add a test", "detail": "1 g and 1001 g."},
        ],
        "files": [_module_path(number), _test_path(number)],
        "tests": [_test_path(number)],
        "confidence_percent": 95,
    }


def _module_path(number: int) -> str:
    return f"zones/zone_{number:02}.py"


def _test_path(number: int) -> str:
    return f"tests/test_zone_{number:02}.py"


def _module(number: int, variant: str) -> str:
    base, rate = _tariff(number)
    return _MODULE.format(number=number, base=base, rate=rate, kilograms=_KILOGRAMS[variant])


def _test(number: int, *, added: bool) -> str:
    return (_TEST_HEAD + (_TEST_ADDED if added else "")).format(number=number, **_prices(number))


def _tariff(number: int) -> tuple[int, int]:
    """Base and rate in cents."""
    return 300 + 10 * number, 50 + number


def _prices(number: int) -> dict[str, int]:
    base, rate = _tariff(number)
    return {"one": base + rate, "two": base + 2 * rate, "three": base + 3 * rate}
