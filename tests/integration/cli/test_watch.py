"""`run --watch` as a process of its own, on a real API server; the test plays the operator."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cluster import Kubectl
from tests.integration.cli.test_run import REPO, _end

COMMAND = [sys.executable, "-c", "import sys; from orch.cli import main; sys.exit(main())", "run", "web#7", "--watch"]


@contextmanager
def _start(kubeconfig: Path, namespace: str, kubectl: Kubectl) -> Iterator[subprocess.Popen[str]]:
    """A watch that has shown its run's first line; it ends with the test, whatever comes of that."""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=REPO)
    options = ["--kubeconfig", str(kubeconfig), "-n", namespace]
    with subprocess.Popen(
        [*COMMAND, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_heed_interrupts,
    ) as watch:
        try:
            assert watch.stdout is not None
            assert "web-7-1 created" in watch.stdout.readline()
            assert "no operator has looked at it yet" in watch.stdout.readline()
            yield watch
        finally:
            watch.kill()


def _heed_interrupts() -> None:
    """A shell has what it runs in the background ignore Ctrl-C, and so whatever that starts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(("outcome", "code"), [("True", 0), ("False", 1)])
def test_its_exit_code_is_the_outcome(
    outcome: str, code: int, kubeconfig: Path, namespace: str, kubectl: Kubectl
) -> None:
    with _start(kubeconfig, namespace, kubectl) as watch:
        _end(kubectl, namespace, "web-7-1", outcome)
        out, _ = watch.communicate()
    assert watch.returncode == code
    assert "#5 is merged" in out


def test_who_stops_watching_leaves_the_run_alone(kubeconfig: Path, namespace: str, kubectl: Kubectl) -> None:
    with _start(kubeconfig, namespace, kubectl) as watch:
        watch.send_signal(signal.SIGINT)
        _, said = watch.communicate()
    assert watch.returncode == 130
    assert "web-7-1 goes on" in said
    assert "Traceback" not in said
    run = json.loads(kubectl("get", "irun", "web-7-1", "-n", namespace, "-o", "json").stdout)
    assert "cancel" not in run["spec"]


def test_a_deleted_run_ends_the_watch(kubeconfig: Path, namespace: str, kubectl: Kubectl) -> None:
    with _start(kubeconfig, namespace, kubectl) as watch:
        kubectl("delete", "irun", "web-7-1", "-n", namespace)
        _, said = watch.communicate()
    assert watch.returncode == 1
    assert "web-7-1 was deleted" in said
