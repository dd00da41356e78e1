"""What the demo tells people, also when nothing goes on, and what it asks before it writes to GitHub."""

from __future__ import annotations

import io
from typing import Any

import pytest
from hack.demo import real
from hack.demo.story import follow, tell
from rich.console import Console


class Told:
    """A world whose objects change at each look."""

    def __init__(self, repos: list[dict[str, Any] | None], runs: list[dict[str, Any] | None]) -> None:
        """Status after status; None: the object is not there."""
        self.processes: dict[str, Any] = {}
        self.server = self
        self._left = {"orchestratedrepos": repos, "issueruns": runs}

    def kubectl(self, *arguments: str) -> str:
        return f"{' '.join(arguments)}\n"

    def get(self, kind: str, _name: str, _namespace: str) -> dict[str, Any]:
        left = self._left[kind]
        status = left.pop(0) if len(left) > 1 else left[0]
        if status is None:
            return {}
        return {"spec": {"repositoryRef": {"name": "demo"}}, "status": status}


def condition(kind: str, status: str, reason: str, message: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": reason, "message": message}]}


def told(world: Told, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr("hack.demo.story._LOOK", 0)
    out = io.StringIO()
    people: Any = None
    follow(Console(file=out, width=200), world, "demo-1-1", people=people)  # type: ignore[arg-type]
    return [line.rsplit("  ", 1)[0] for line in out.getvalue().splitlines()]


def test_it_says_why_nothing_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = condition("Ready", "False", "CredentialsRefused", "GitHub does not accept the token")
    waits = condition("Waiting", "True", "AwaitingChecks", "1 of 2 checks still run")
    world = Told([refused, refused, {}], [{}, {}, waits, waits, {"completionTime": "x"}])
    assert told(world, monkeypatch) == [
        "… CredentialsRefused: GitHub does not accept the token",
        "… AwaitingChecks: 1 of 2 checks still run",
    ]


def test_a_run_that_is_not_there_yet_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Told([{}], [None, None, {"issue": {"title": "It"}, "completionTime": "x"}])
    assert told(world, monkeypatch) == ["✓ claimed: It"]


def test_a_strangers_title_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    world = Told([{}], [{"issue": {"title": "[red]urgent[/red] [link=x]"}, "completionTime": "x"}])
    assert told(world, monkeypatch) == ["✓ claimed: [red]urgent[/red] [link=x]"]


def end(status: dict[str, Any], *, diff: str = "") -> str:
    """What is said of a run that ended like this, on a narrow terminal."""

    class Scene:
        def where(self, _world: Any) -> list[str]:
            return []

        def diff(self, _world: Any, _document: Any) -> str:
            return diff

    out, world = io.StringIO(), Told([{}], [{}])
    tell(Console(file=out, width=60), world, {"status": status}, seconds=20, scene=Scene())  # type: ignore[arg-type]
    return out.getvalue()


def test_a_failure_is_told_as_it_is() -> None:
    message = "tests were red: [/b] assert [red] == [1, 2]"
    assert end({"failure": {"reason": "TestsRed", "message": message}}) == f"✗ TestsRed: {message}\n"


def test_a_long_line_of_the_diff_is_told_whole() -> None:
    line = f"+    return {' + '.join(str(number) for number in range(10, 60))}"
    said = end({"usage": {"costUSD": "0.02", "modelCalls": 8}}, diff=f"--- a/x.py\n+++ b/x.py\n{line}\n")
    assert line.replace(" ", "") in said.replace("\n", "").replace(" ", "")


def test_nothing_is_written_to_github_without_a_word_from_somebody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"REPO": "acme/web", "ISSUE": "7", "GITHUB_TOKEN": "t", "ANTHROPIC_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    out = io.StringIO()
    assert real.scene(Console(file=out, width=200)) is None
    said = out.getvalue()
    assert "comment on issue #7" in said
    assert "nothing was written" in said


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("ISSUE", "GITHUB_TOKEN", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REPO", "acme/web")
    assert real.scene(Console(file=io.StringIO())) is None
    assert capsys.readouterr().err.startswith("demo: set ISSUE, GITHUB_TOKEN, ANTHROPIC_API_KEY: make demo")
