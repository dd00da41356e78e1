"""Completion: what a shell sources, and what kubectl's own program for it answers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["val"], "validate\n:4\n"),
        (["validate", ""], ":0\n"),
        (["validate", "a.yaml", "b"], ":0\n"),
        (["status", "--kubeconfig", ""], ":0\n"),
        (["logs", "web-7-1", "--token-file", "/tm"], ":0\n"),
        (["status", "--kubeconfig", "/nowhere", ""], ":4\n"),
        (["status", "--kubeconfig", "/nowhere", "--context", ""], ":4\n"),
    ],
)
def test_kubectl_is_told_where_files_stand(words: list[str], answer: str) -> None:
    done = subprocess.run([*PROGRAM, *words], capture_output=True, text=True, check=True)
    assert done.stdout == answer


def test_contexts_are_those_of_the_kubeconfig(tmp_path: Path) -> None:
    entry = {"context": {"cluster": "c", "user": "u"}}
    contexts = [{"name": name, **entry} for name in ("home", "there", "here")]
    config = {"clusters": [], "users": [], "contexts": contexts, "current-context": "here"}
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(config))
    assert complete(["status", "--kubeconfig", str(file), "--context", "h"]) == ["here", "home"]
    file.write_text("no: [")
    assert complete(["status", "--kubeconfig", str(file), "--context", ""]) == []


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
