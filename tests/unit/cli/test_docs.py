"""docs/cli.md names every verb and every option."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer.main

from orch.cli.app import app

DOCS = (Path(__file__).resolve().parents[3] / "docs" / "cli.md").read_text()
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", sorted(COMMANDS))
def test_a_verb_is_documented(verb: str) -> None:
    assert f"| `{verb} " in DOCS
    options = [name for parameter in COMMANDS[verb].params for name in parameter.opts if name.startswith("--")]
    assert [name for name in options if name not in DOCS] == []
