"""Colour is for people at a terminal who have not asked to be spared it: a pseudo-terminal, and a pipe."""

from __future__ import annotations

import os
import pty
import subprocess

import pytest
from tests.integration.cli.conftest import Terminal, repo
from tests.integration.cli.test_decide import COMMAND


def status(terminal: Terminal, **environment: str) -> str:
    """What `status` writes to a terminal."""
    mine, theirs = pty.openpty()
    where = ["--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace]
    usual = {key: text for key, text in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR", "TERM")}
    process = subprocess.Popen(
        [*COMMAND, "status", *where],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env=usual | {"TERM": "xterm-256color", "COLUMNS": "200"} | environment,
    )
    os.close(theirs)
    said = b""
    try:
        while piece := os.read(mine, 4096):
            said += piece
    except OSError:  # the other end is closed
        pass
    os.close(mine)
    assert process.wait() == 0
    return said.decode()


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
    ids=["a terminal", "NO_COLOR", "a terminal without colours"],
)
def test_colour_is_used_on_a_terminal_only(environment: dict[str, str], coloured: bool, terminal: Terminal) -> None:
    terminal.apply(repo())
    said = status(terminal, **environment)
    assert "acme/web" in said
    assert ("\x1b[32mReady" in said) is coloured
    assert ("\x1b[" in said) is coloured


def test_a_pipe_has_no_colour(terminal: Terminal) -> None:
    terminal.apply(repo())
    where = ["--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace]
    done = subprocess.run([*COMMAND, "status", *where], capture_output=True, text=True, check=True)
    assert "Ready" in done.stdout
    assert "\x1b" not in done.stdout


def test_a_table_that_is_wider_than_the_terminal_is_not_squeezed(terminal: Terminal) -> None:
    terminal.apply(repo())
    head, line = status(terminal, COLUMNS="40").splitlines()
    assert head.split()[:4] == ["NAME", "REPOSITORY", "MODE", "STATE"]
    assert line.split()[:2] == ["web", "acme/web"]
