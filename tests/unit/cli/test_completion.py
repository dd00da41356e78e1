"""Completion: what a shell sources, and what kubectl's own program for it answers."""

from __future__ import annotations

import subprocess
import sys

import pytest

from orch.cli.app import run
from orch.cli.completion import complete

PROGRAM = [sys.executable, "-c", "import sys; from orch.cli.completion import main; sys.exit(main())"]


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["exp"], ["explain"]),
        (["approvals", "v"], ["view"]),
        (["status", "--output", ""], ["wide", "json", "yaml", "name"]),
        (["mode", "web", "A"], ["Autonomous"]),
        (["status", "--all"], ["--all-namespaces"]),
        (["it's", "not"], []),
    ],
)
def test_words_are_completed(words: list[str], completed: list[str]) -> None:
    assert complete(words) == completed


def test_kubectl_is_told_not_to_offer_files() -> None:
    done = subprocess.run([*PROGRAM, "val"], capture_output=True, text=True, check=True)
    assert done.stdout == "validate\n:4\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_KUBECTL_ORCH_COMPLETE=complete_" + shell in capsys.readouterr().out


def test_bash_completes_by_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    run(["completion", "bash"])
    source = capsys.readouterr().out
    call = 'COMP_WORDS=(kubectl-orch expl); COMP_CWORD=1; _kubectl_orch_completion kubectl-orch; echo "${COMPREPLY[@]}"'
    path = f"{sys.prefix}/bin:/usr/bin:/bin"
    done = subprocess.run(
        ["bash", "-c", f"{source}\n{call}"], capture_output=True, text=True, env={"PATH": path}, check=True
    )
    assert done.stdout == "explain\n"
