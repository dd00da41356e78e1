"""Shell commands: time, output and what is left behind are bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from orch.agent.commands import Ended, Shell, clean


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, home=tmp_path, sweep=False)


def run(shell: Shell, tmp_path: Path, command: str, seconds: float = 30) -> Ended:
    return shell.run(command, folder=tmp_path, env={"NAME": "orch"}, seconds=seconds)


@pytest.mark.parametrize(
    ("command", "code", "output"),
    [
        pytest.param("echo hello $NAME; exit 3", 3, "hello orch\n", id="status and output"),
        pytest.param("echo a; echo b >&2", 0, "a\nb\n", id="both streams in order"),
        pytest.param("kill -9 $$", 137, "", id="a signal"),
        pytest.param("printf '\\033[31mred\\033[0m\\r\\n\\000'", 0, "red\n", id="no escapes, no NUL"),
        pytest.param("printf '\\377'", 0, "\ufffd", id="not UTF-8"),
        pytest.param("cat", 0, "", id="no input"),
        pytest.param("sleep 600 & echo started", 0, "started\n", id="the background is not waited for"),
    ],
)
def test_commands(shell: Shell, tmp_path: Path, command: str, code: int, output: str) -> None:
    assert run(shell, tmp_path, command) == Ended(code, output)


def test_time_is_bounded(shell: Shell, tmp_path: Path) -> None:
    ended = run(shell, tmp_path, "echo begun; sleep 600", seconds=0.5)
    assert ended.exit_code == 124
    assert ended.output.startswith("begun")


def test_beginning_and_end_of_a_long_output_are_kept(shell: Shell, tmp_path: Path) -> None:
    ended = run(shell, tmp_path, "echo first; yes | head -c 5000000; echo last")
    assert ended.output.startswith("first\n")
    assert ended.output.endswith("last\n")
    assert "bytes left out" in ended.output
    assert len(ended.output) < 31_000


def test_the_operators_environment_is_not_there(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_CANARY", "1")
    assert "SECRET_CANARY" not in run(shell, tmp_path, "env").output


def test_clean_takes_titles_and_links_out() -> None:
    assert clean("\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\rc") == "ab\nc"
