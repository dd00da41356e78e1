"""How long `kubectl orch` takes to start: the median of many starts, each a process of its own as a person starts it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.binaries import ensure
from hack.servers import ControlPlane
from tests.bench.figure import Figure

_ROOT = Path(__file__).resolve().parents[2]
_STARTS = 20
_PLUGIN = [str(Path(sys.executable).parent / "kubectl-orch")]
_COMPLETION = [sys.executable, "-c", "import sys; from orch.cli.completion import main; sys.exit(main())"]


def measure() -> Iterator[Figure]:
    """Verbs that need no cluster have the goal; the others load the client and the API's models, and are only told."""
    yield Figure("cli-start-seconds", _median([*_PLUGIN, "version"]), "s", "<= 0.3")
    yield Figure("cli-help-seconds", _median([*_PLUGIN, "--help"]), "s", "<= 0.3")
    yield Figure("cli-completion-seconds", _median([*_COMPLETION, "expl"]), "s", "<= 0.3")
    yield Figure("cli-python-seconds", _median([sys.executable, "-c", "pass"]), "s")
    with _cluster() as kubeconfig:
        yield Figure("cli-status-seconds", _median([*_PLUGIN, "status", "--kubeconfig", kubeconfig]), "s")


def _median(command: list[str]) -> float:
    subprocess.run(command, capture_output=True, check=True)  # the first one compiles
    return round(statistics.median(_seconds(command) for _ in range(_STARTS)), 3)


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, check=True, env={**os.environ, "COLUMNS": "100"}
    )
    return time.monotonic() - began


@contextmanager
def _cluster() -> Iterator[str]:
    """The kubeconfig of an API server that knows our resources and holds none."""
    programs = ensure(lambda _text: None)
    with (
        tempfile.TemporaryDirectory(prefix="orch-bench-") as folder,
        ControlPlane(Path(folder) / "controlplane", programs, controllers=False) as plane,
    ):
        kubectl = [str(programs["kubectl"]), "--kubeconfig", str(plane.kubeconfig)]
        for words in (["apply", "--server-side"], ["wait", "--for=condition=Established", "--timeout=60s"]):
            subprocess.run([*kubectl, *words, "-f", str(_ROOT / "crds")], capture_output=True, check=True)
        yield str(plane.kubeconfig)
