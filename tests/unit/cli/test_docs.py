"""Each verb explains itself: the pages under docs/cli are made from these sentences, and `make lint` holds them to it."""

from __future__ import annotations

import shlex
from pathlib import Path
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


def page(*words: str) -> str:
    return (Path(__file__).parents[3] / "docs" / "cli" / f"{'-'.join(words)}.md").read_text()


@pytest.mark.parametrize(
    "words", [words for words in VERBS if words not in (("completion",), ("version",))], ids=" ".join
)
def test_a_verb_has_an_example_that_can_be_typed(words: tuple[str, ...]) -> None:
    command = ROOT
    for word in words:
        command = command.commands[word]
    line = command.help.rstrip().rpartition("\n")[2].strip()
    assert line.startswith("Example: ")
    typed = shlex.split(line.removeprefix("Example: ").partition(" > ")[0])
    assert typed[: 2 + len(words)] == ["kubectl", "orch", *words]
    command.make_context(" ".join(words), typed[2 + len(words) :])  # raises for an option or a word that is not known
    assert f"Example:\n\n    {line.removeprefix('Example: ')}\n" in page(*words)


def test_a_page_has_what_the_help_has_besides() -> None:
    assert "| `--reason` | required |" in page("deny")
    assert "| `--reason` | required |" in page("cancel")
    assert "Else $ORCH_GATEWAY_URL." in page("logs")
    assert "Else $ORCH_OPERATOR_NAMESPACE." in page("doctor")
    assert "1: something is to be mended" in page("doctor")
    assert "Exit codes are [those of every verb](../cli.md)." in page("status")
