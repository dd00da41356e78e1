"""Starts the programs of a world in a moment: a process that has imported them all forks one at each order.

For tests, which start hundreds of them: nine tenths of each start would be Python reading modules. What is started, `orch …` or
`python -m …` of what is made of orch, is the same program with an environment, a session and a log of its own, and dies the same
death. Orders and answers are one line of JSON each; `Process` gives the orders.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Self

from hack.tether import tethered, tie

_LOOK = 0.02
_PROGRAMS = ("operator", "gateway", "standin-github", "standin-model")


class Nursery:
    """The parent of what it has started. A context manager; leaving it ends all that is left."""

    def __init__(self) -> None:
        self._turn = threading.Lock()  # scenes that are played at once look after one world

    def __enter__(self) -> Self:
        self._server = subprocess.Popen(
            tethered([sys.executable, "-c", f"from {__name__} import main; main()"]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._server.communicate()

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str], log: Path) -> Child:
        """Start `orch …` or `python -m …`, its output added to `log`."""
        return Child(self, int(self.ask(argv=list(argv), env=dict(env), log=str(log))))

    def ask(self, **order: Any) -> Any:
        """One order, and its answer."""
        if self._server.stdin is None or self._server.stdout is None:
            raise RuntimeError("the nursery was started without pipes")
        with self._turn:
            self._server.stdin.write(json.dumps(order) + "\n")
            self._server.stdin.flush()
            return json.loads(self._server.stdout.readline())


class Child:
    """One that was started: as much of `subprocess.Popen` as `Process` needs."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._nursery = nursery

    def poll(self) -> int | None:
        """Its exit status, once it has ended."""
        if self.returncode is None:
            self.returncode = self._nursery.ask(ended=self.pid)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until it has ended. Raises subprocess.TimeoutExpired."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (status := self.poll()) is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            time.sleep(_LOOK)
        return status

    def terminate(self) -> None:
        """Ask it to end."""
        os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        os.kill(self.pid, signal.SIGKILL)


def main() -> None:
    """The parent's side: read the modules, then do what is ordered until nobody is there any more."""
    programs = importlib.import_module("orch.programs").PROGRAMS
    for name in _PROGRAMS:
        importlib.import_module(programs[name][0])
    _reckon()
    gc.freeze()  # what is read stays shared: no child's collector touches it
    for line in sys.stdin:
        order = json.loads(line)
        answer = _ended(order["ended"]) if "ended" in order else _fork(**order)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _reckon() -> None:
    """What each program would find out anew, though it is the same for all: the schemas, and whom the machine trusts."""
    importlib.import_module("orch.api.crd").schema_hashes()
    for model in _models(importlib.import_module("pydantic").BaseModel):
        model.model_rebuild()
    http = importlib.import_module("httpcore2")
    http.default_ssl_context = functools.cache(http.default_ssl_context)
    for trusts_environment in (True, False):
        http.default_ssl_context(_trust_env=trusts_environment)


def _models(base: Any) -> Iterator[Any]:
    """All of orch's that have been read; those of the API are built when they are used for the first time."""
    for model in base.__subclasses__():
        if model.__module__.startswith("orch."):
            yield model
        yield from _models(model)


def _ended(pid: int) -> int | None:
    """Nobody else waits for it, so its pid is its own until we have asked."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _fork(argv: Sequence[str], env: Mapping[str, str], log: str) -> int:
    parent = os.getpid()
    return os.fork() or _become(parent, argv, env, log)


def _become(parent: int, argv: Sequence[str], env: Mapping[str, str], log: str) -> NoReturn:
    """In the child: be as if just started. Whatever happens, the orders are never read on here."""
    status = 1
    try:
        os.setsid()
        tie(parent, signal.SIGTERM)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, source in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
            os.dup2(source, target)
        os.environ.clear()
        os.environ.update(env)
        importlib.reload(importlib.import_module("orch.failpoints"))  # reads the environment when it is imported
        status = _run(argv)
    except SystemExit as end:
        status = _status(end)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _run(argv: Sequence[str]) -> int:
    """The program; its exit status."""
    if argv[1] != "-m":
        return int(importlib.import_module("orch.programs").main(list(argv[1:])))
    sys.argv = list(argv[2:])
    runpy.run_module(argv[2], run_name="__main__", alter_sys=True)
    return 0


def _status(end: SystemExit) -> int:
    """As Python ends: a text is a last word, and a failure."""
    if isinstance(end.code, str):
        print(end.code, file=sys.stderr)
    return end.code if isinstance(end.code, int) else int(end.code is not None)
