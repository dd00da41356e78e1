"""Runs the stand-in: as a program of its own, or in a thread of a test.

`python -m orch.testservers.model --data DIR --scripts PATH` prints one line, `listening on http://127.0.0.1:PORT`.
It listens on loopback only, and never prints a key.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import uvicorn

from orch.testservers.model.app import StandIn, utc_now
from orch.testservers.model.bodies import MAX_BYTES
from orch.testservers.model.limits import Limits
from orch.testservers.model.scripts import Script, ScriptError, load_scripts, read_scripts

HOST: Final = "127.0.0.1"
KEY_VARIABLE: Final = "ORCH_STANDIN_KEY"
DEFAULT_KEY: Final = "sk-stand-in"
START_SECONDS: Final = 30


@dataclass(frozen=True)
class Running:
    """A server that answers. `stand_in` gives tests its journal and its scripts."""

    url: str
    api_key: str
    stand_in: StandIn

    def add_scripts(self, text: str) -> None:
        """Add scripts from YAML text; they go before those already there. Raises ScriptError."""
        self.stand_in.director.add(read_scripts(text, name="added"))

    def journal(self) -> list[dict[str, object]]:
        """Every request so far, as `GET /_control/journal` gives it."""
        return self.stand_in.journal.read()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (ours end cleanly, with status 0) and with a callback once it listens."""

    def __init__(self, config: uvicorn.Config, on_listen: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_listen = on_listen

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_listen()


def _config(stand_in: StandIn) -> uvicorn.Config:
    # Critical only: cut streams are on purpose, and uvicorn would report each of them.
    return uvicorn.Config(
        stand_in.app(), log_config=None, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextmanager
def serve_in_thread(
    data_dir: Path,
    *,
    scripts: Path | str | Sequence[Script] = (),
    api_key: str = DEFAULT_KEY,
    limits: Limits | None = None,
    clock: Callable[[], datetime] = utc_now,
    max_body: int = MAX_BYTES,
) -> Iterator[Running]:
    """A server on a free port for the length of the block. `scripts`: a path, YAML text, or scripts."""
    data_dir.mkdir(parents=True, exist_ok=True)
    if isinstance(scripts, str):
        loaded = read_scripts(scripts, name="inline")
    else:
        loaded = load_scripts(scripts) if isinstance(scripts, Path) else list(scripts)
    stand_in = StandIn(data_dir, scripts=loaded, keys=[api_key], limits=limits, clock=clock, max_body=max_body)
    listener, listening = _listen(0), threading.Event()
    server = _Server(_config(stand_in), listening.set)
    thread = threading.Thread(target=server.run, args=([listener],), name="model stand-in", daemon=True)
    thread.start()
    try:
        if not listening.wait(START_SECONDS):
            raise RuntimeError("the model's stand-in did not start")
        yield Running(f"http://{HOST}:{listener.getsockname()[1]}", api_key, stand_in)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def main(argv: Sequence[str] | None = None) -> int:
    """The program. Returns the exit status: 0 after SIGTERM or SIGINT, 2 for what the caller has to change."""
    options = _parser().parse_args(argv)
    try:
        keys = _keys(options.api_key_file)
        scripts = [script for path in options.scripts for script in load_scripts(path)]
        options.data.mkdir(parents=True, exist_ok=True)
        limits = Limits(requests=options.requests_per_minute)
        stand_in = StandIn(options.data, scripts=scripts, keys=keys, limits=limits)
        listener = _listen(options.port)
    except (OSError, ScriptError, ValueError) as err:
        print(f"model stand-in: {err}", file=sys.stderr)  # noqa: T201
        return 2
    url = f"http://{HOST}:{listener.getsockname()[1]}"
    server = _Server(_config(stand_in), lambda: _announce(url, options.ready_file))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    server.run([listener])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m orch.testservers.model", description="The model's stand-in.")
    parser.add_argument("--data", type=Path, required=True, help="directory of the journal")
    parser.add_argument("--scripts", type=Path, action="append", default=[], help="file or directory; repeatable")
    parser.add_argument("--port", type=int, default=0, help="0, the default: any free port")
    parser.add_argument("--ready-file", type=Path, help="file that gets the URL once the server listens")
    parser.add_argument("--api-key-file", type=Path, help=f"accepted keys, one a line; default: ${KEY_VARIABLE}")
    parser.add_argument(
        "--requests-per-minute", type=int, default=Limits.requests, help="then 429 (default: %(default)s)"
    )
    return parser


def _keys(file: Path | None) -> list[str]:
    text = file.read_text(encoding="utf-8") if file else os.environ.get(KEY_VARIABLE, "")
    keys = [line.strip() for line in text.splitlines() if line.strip()]
    if not keys:
        raise ValueError(f"no key to accept: give --api-key-file, or set {KEY_VARIABLE}")
    return keys


def _announce(url: str, ready_file: Path | None) -> None:
    if ready_file:
        partial = ready_file.with_name(f"{ready_file.name}.partial")
        partial.write_text(url + "\n", encoding="utf-8")
        partial.replace(ready_file)  # atomic: a reader sees the whole line or no file
    print(f"listening on {url}", flush=True)  # noqa: T201
