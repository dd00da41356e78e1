"""Each verb explains itself: the pages under docs/cli are made from these sentences, and `make lint` holds them to it."""

from __future__ import annotations

from typing import Any

import pytest
import typer.main

from orch.cli.app import app, run

ROOT: Any = typer.main.get_command(app)
VERBS = [
    (*words, name)
    for words, group in [((), ROOT), *(((n,), c) for n, c in ROOT.commands.items() if hasattr(c, "commands"))]
    for name, command in group.commands.items()
    if not hasattr(command, "commands")
]


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_a_verb_explains_itself_and_its_options(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    command = ROOT
    for word in words:
        command = command.commands[word]
    assert command.help.split("\n")[0].endswith((".", "?"))
    assert [param.name for param in command.params if not param.help] == []
    assert run([*words, "--help"]) == 0
    assert "Usage:" in capsys.readouterr().out
