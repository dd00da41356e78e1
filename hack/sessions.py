"""The README's terminal sessions, from a real run: `.venv/bin/python -m hack.sessions`. Called by nobody else.

It plays the demo's scene up to the question about the merge, types the verbs as a person who may approve, and puts what
they print between the marks in README.md. Only the stand-in's address is replaced, by the name under which orch knows it.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from hack.binaries import ensure
from hack.demo import local
from hack.demo.story import NAMESPACE
from hack.servers import ControlPlane
from hack.world import HOST, World

_README = Path(__file__).resolve().parents[1] / "README.md"
_PLUGIN = Path(sys.executable).parent / "kubectl-orch"
_MARKS = re.compile(r"(<!-- sessions: made by hack/sessions.py -->\n).*?(<!-- /sessions -->)", re.DOTALL)
_PATIENCE = 120.0


def main() -> int:
    """Write them into the README."""
    with tempfile.TemporaryDirectory(prefix="orch-sessions-") as name:
        folder, programs = Path(name), ensure(print)
        scene = local.scene(folder)
        with (
            ControlPlane(folder / "controlplane", programs) as plane,
            scene.open(plane, programs["kubectl"]) as world,
        ):
            text = "".join(_sessions(scene, world))
    _README.write_text(
        _MARKS.sub(lambda found: f"{found[1]}\n```console\n{text}```\n\n{found[2]}", _README.read_text())
    )
    return 0


def _sessions(scene: local.Scene, world: World) -> Iterator[str]:
    run = scene.begin(Console(quiet=True), world)
    world.bind(local.PERSON, "orch-approver")
    question = _until(world, run, _open_question)
    issue = f"{scene.project.repository}#{run.split('-')[-2]}"
    yield _typed(world, "status")
    yield _typed(world, "explain", issue)
    yield _typed(world, "inbox")
    yield _typed(world, "approve", question, "--comment", "the test shows it", "--yes").rstrip("\n") + "\n"


def _open_question(status: dict[str, Any]) -> str | None:
    asked = (entry for entry in status.get("approvals") or [] if entry["gate"] == "Merge")
    return next((entry["name"] for entry in asked if entry["outcome"] == "Pending"), None)


def _until(world: World, run: str, look: Callable[[dict[str, Any]], Any]) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for process in world.processes.values():
            process.check()
        status = world.server.get("issueruns", run, NAMESPACE).get("status") or {}
        if found := look(status):
            return found
        time.sleep(0.3)
    raise SystemExit(f"sessions: the run did not get there in {_PATIENCE:.0f} s")


def _typed(world: World, *words: str) -> str:
    """A prompt with the words, and what they print; the context's namespace and user are not typed by a person."""
    place = ["--kubeconfig", str(world.kubeconfig), "-n", NAMESPACE, "--as", local.PERSON]
    done = subprocess.run(
        [_PLUGIN, *words, *place], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"sessions: {' '.join(words)}: {done.stderr.strip()}")
    line = " ".join(f"'{word}'" if " " in word else word for word in words)
    shown = (done.stdout + done.stderr).replace(world.github_url, f"https://{HOST}")
    return f"$ kubectl orch {line}\n{shown}\n"


if __name__ == "__main__":
    sys.exit(main())
