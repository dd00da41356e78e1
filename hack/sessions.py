"""The README's terminal sessions, from a real run: `.venv/bin/python -m hack.sessions` writes them.

It plays the demo's scene up to the question about the merge, types the verbs as a person who may approve, answers what
`approve` asks, and puts what the terminal shows between the marks in README.md. Only the stand-in's address is replaced, by
the name under which orch knows it. An end-to-end test plays the same sessions and holds their shape against the README's.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

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
_COLUMNS: Final = 300
"""Of the terminal: a table is not folded."""
_QUESTION: Final = "[y/N]: "
_VOLATILE: Final = (
    (r"-[0-9a-f]{10}\b", "-DIGEST"),
    (r"\b[0-9a-f]{12}\b|\b[0-9a-f]{8}\b", "SHA"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC", "TIME"),
    (r"(?<= )\d+(d|h|m|s)(\d+(h|m|s))?(?= |$)", "AGE"),
    (r"\$\d+\.\d\d", "COST"),
    (r"\b\d+/5000\b", "QUOTA"),
    (r" {2,}", "  "),
)
"""What two runs do not have in common, and the widths that follow from it."""


def main() -> int:
    """Write them into the README."""
    with tempfile.TemporaryDirectory(prefix="orch-sessions-") as name:
        folder, programs = Path(name), ensure(print)
        scene = local.scene(folder)
        with (
            ControlPlane(folder / "controlplane", programs) as plane,
            scene.open(plane, programs["kubectl"]) as world,
        ):
            run = scene.begin(Console(quiet=True), world)
            text = play(world, NAMESPACE, run, scene.project.repository)
    _README.write_text(_MARKS.sub(lambda found: f"{found[1]}\n{text}\n{found[2]}", _README.read_text()))
    return 0


def written() -> str:
    """The sessions that the README has."""
    found = _MARKS.search(_README.read_text())
    return found[0].removeprefix(found[1]).removesuffix(found[2]).strip() + "\n" if found else ""


def shape(text: str) -> list[str]:
    """The lines of sessions without what is another with each run: ages, times, digests, commits, cost, quota."""
    for volatile, name in _VOLATILE:
        text = re.sub(volatile, name, text, flags=re.MULTILINE)
    return [line.rstrip() for line in text.splitlines()]


def play(world: World, namespace: str, run: str, repository: str) -> str:
    """The sessions, as a block of Markdown, once the run asks about its merge."""
    return "```console\n" + "".join(_sessions(world, namespace, run, repository)) + "```\n"


def _sessions(world: World, namespace: str, run: str, repository: str) -> Iterator[str]:
    world.bind(local.PERSON, "orch-approver")
    question = _until(world, lambda: _open_question(world.server.get("issueruns", run, namespace)))
    repo, number, _ = run.rsplit("-", 2)
    _until(world, lambda: _is_counted(world.server.get("orchestratedrepos", repo, namespace)))
    yield _typed(world, namespace, "status")
    yield _typed(world, namespace, "explain", f"{repository}#{number}")
    yield _typed(world, namespace, "inbox")
    yield _typed(world, namespace, "approve", question, "--comment", "the test shows it").rstrip("\n") + "\n"


def _open_question(run: dict[str, Any]) -> str | None:
    asked = (entry for entry in (run.get("status") or {}).get("approvals") or [] if entry["gate"] == "Merge")
    return next((entry["name"] for entry in asked if entry["outcome"] == "Pending"), None)


def _is_counted(repo: dict[str, Any]) -> bool:
    """Whether the repository's own figures show that somebody is asked: they follow a moment later."""
    return bool(((repo.get("status") or {}).get("runs") or {}).get("awaitingApproval"))


def _until(world: World, look: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        for process in world.processes.values():
            process.check()
        if found := look():
            return found
        time.sleep(0.3)
    raise SystemExit(f"sessions: the run did not get there in {_PATIENCE:.0f} s")


def _typed(world: World, namespace: str, *words: str) -> str:
    """A prompt with the words, and what the terminal shows then; the context's namespace and user are not typed by a person."""
    place = ["--kubeconfig", str(world.kubeconfig), "-n", namespace, "--as", local.PERSON]
    code, shown = _on_a_terminal([str(_PLUGIN), *words, *place])
    if code != 0:
        raise SystemExit(f"sessions: {' '.join(words)}: {shown.strip()}")
    line = " ".join(f"'{word}'" if " " in word else word for word in words)
    lines = "".join(f"{part.rstrip()}\n" for part in shown.replace(world.github_url, f"https://{HOST}").splitlines())
    return f"$ kubectl orch {line}\n{lines}\n"


def _on_a_terminal(command: list[str]) -> tuple[int, str]:
    """What a person sees who says yes to each question, their own typing included; and the exit status."""
    ours, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, _COLUMNS, 0, 0))
    env = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": str(_COLUMNS)}
    with subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env) as process:
        os.close(terminal)
        shown = b""
        while part := _read(ours):
            shown += part
            if shown.endswith(_QUESTION.encode()):
                os.write(ours, b"y\n")
        os.close(ours)
    return process.returncode, shown.decode()


def _read(terminal: int) -> bytes:
    """What came, or nothing once the program has left the terminal, which Linux answers with EIO."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


if __name__ == "__main__":
    sys.exit(main())
