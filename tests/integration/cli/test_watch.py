"""`--watch` as a process of its own, on a real API server; the test plays the operator."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.integration.cli.conftest import Terminal, repo
from tests.integration.cli.test_run import _end

PROGRAM = [sys.executable, "-c", "import sys; from orch.cli import main; sys.exit(main())"]


@contextmanager
def _watching(terminal: Terminal, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A verb as a process; it ends with the test, whatever comes of that."""
    with subprocess.Popen(
        [*PROGRAM, *words, "--kubeconfig", str(terminal.kubeconfig), "-n", terminal.namespace],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    ) as watch:
        try:
            yield watch
        finally:
            watch.kill()


@contextmanager
def _start(terminal: Terminal) -> Iterator[subprocess.Popen[str]]:
    """A watch that has shown its run's first line."""
    terminal.apply(repo(), status=False)
    with _watching(terminal, "run", "web#7", "--watch") as watch:
        assert watch.stdout is not None
        assert "web-7-1 created" in watch.stdout.readline()
        assert "no operator has looked at it yet" in watch.stdout.readline()
        yield watch


def _heed_interrupts() -> None:
    """A shell has what it runs in the background ignore Ctrl-C, and so whatever that starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(("outcome", "code"), [("True", 0), ("False", 1)])
def test_its_exit_code_is_the_outcome(outcome: str, code: int, terminal: Terminal) -> None:
    with _start(terminal) as watch:
        _end(terminal, "web-7-1", outcome)
        out, _ = watch.communicate()
    assert watch.returncode == code
    assert "#5 is merged" in out


def test_who_stops_watching_leaves_the_run_alone(terminal: Terminal) -> None:
    with _start(terminal) as watch:
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate()
    assert watch.returncode == 130
    assert "web-7-1 goes on" in said
    assert "Traceback" not in said
    run = terminal.get("issueruns", "web-7-1")
    assert "cancel" not in run["spec"]


def test_a_deleted_run_ends_the_watch(terminal: Terminal) -> None:
    with _start(terminal) as watch:
        terminal.delete("issueruns", "web-7-1")
        _, said = watch.communicate()
    assert watch.returncode == 1
    assert "web-7-1 was deleted" in said


def test_a_listing_goes_on_with_each_line_that_changes(terminal: Terminal) -> None:
    """The first look has two repositories; afterwards the one that is paused is printed, and only that."""
    terminal.apply(repo(), status=False)
    terminal.apply(repo("api", "acme/api"), status=False)
    with _watching(terminal, "status", "-w") as watch:
        assert watch.stdout is not None
        first = [watch.stdout.readline().split()[0] for _ in range(3)]
        terminal.server.patch("orchestratedrepos", "web", terminal.namespace, {"spec": {"suspend": True}})
        changed = watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        rest, said = watch.communicate()
    assert first == ["NAME", "api", "web"]
    assert (changed.split()[0], "Suspended" in changed) == ("web", True)
    assert (rest, watch.returncode) == ("", 130)
    assert "Traceback" not in said


def test_explain_goes_on_with_the_gates_that_change(terminal: Terminal) -> None:
    terminal.apply(repo(), status=False)
    with _watching(terminal, "explain", "web#7", "-w") as watch:
        assert watch.stdout is not None
        before = []
        while not before or not before[-1].startswith("Slot"):
            before.append(watch.stdout.readline())
        assert before[0].split()[:2] == ["GATE", "VERDICT"]
        terminal.server.patch("orchestratedrepos", "web", terminal.namespace, {"spec": {"suspend": True}})
        changed = watch.stdout.readline()
        assert changed.startswith("Repository")
        assert "suspended: no new work starts" in changed
