"""Runs the stand-in: as a program, and in a thread for tests.

Who calls it: `python -m orch.testservers.github`, `make demo`, fixtures. It listens on loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import uvicorn

from . import seed as seeds
from .app import create_app
from .state import State

T = TypeVar("T")
HOST = "127.0.0.1"
STOP_SECONDS = 5
"""How long requests under way may take after SIGTERM."""


class _Server(uvicorn.Server):
    """uvicorn that tells where it listens as soon as it does."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


@dataclass
class Running:
    """A stand-in in a thread of this process."""

    url: str
    state: State
    _loop: asyncio.AbstractEventLoop = field(repr=False)

    def call(self, work: Coroutine[Any, Any, T], timeout: float = 60) -> T:
        """Run a coroutine of the package on the server's loop, where its state lives, and return the result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def settle(self, timeout: float = 60) -> None:
        """Wait until no background work (merge tests, deliveries) and no check is left."""
        self.call(_settle(self.state), timeout)

    def token(self, login: str, **fields: Any) -> str:
        """Make a token for `login` (fields as in the seed) and return its value."""

        async def make() -> str:
            return seeds.add_token(self.state, seeds.TokenSeed.model_validate({"login": login, **fields})).value

        return self.call(make())

    def repo(self, full_name: str, **fields: Any) -> None:
        """Make a repository (fields as in the seed; `source=` or `**{"from": …}` for its content)."""
        owner, _, name = full_name.partition("/")
        entry = seeds.RepoSeed.model_validate({"owner": owner, "name": name, **fields})

        async def make() -> None:
            await seeds.add_repo(self.state, entry)

        self.call(make())


async def _settle(state: State) -> None:
    """A check that ends may move a merge queue on, which starts more of them."""
    while True:
        await state.idle()
        await state.check_queue.join()
        if state.is_idle:
            return


def bind(port: int = 0) -> socket.socket:
    """A listening socket on loopback; port 0 takes a free one. Raises OSError when the port is taken."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((HOST, port))
    except OSError:
        sock.close()
        raise
    return sock


async def _serve(state: State, seed: seeds.Seed, sock: socket.socket, ready: Callable[[_Server], None]) -> None:
    state.url = f"http://{HOST}:{sock.getsockname()[1]}"
    await seeds.apply(state, seed)
    config = uvicorn.Config(
        create_app(state),
        log_level="warning",
        access_log=False,
        lifespan="on",
        server_header=False,
        ws="none",
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = _Server(config, lambda: ready(server))
    await server.serve(sockets=[sock])


@contextlib.contextmanager
def serve_in_thread(
    data_dir: Path, seed: dict[str, Any] | Path | None = None, port: int = 0, **settings: Any
) -> Iterator[Running]:
    """Serve `data_dir` in a thread until the block ends.

    `seed` is a seed file or its object; `settings` override its settings (`visibility_delay=0.2`, `checks={"workers":
    2}`).
    """
    parsed = seeds.load(seed) if isinstance(seed, Path) else seeds.parse(seed)
    merged = {**parsed.settings.model_dump(exclude_unset=True), **settings}
    state = State(data_dir, type(parsed.settings).model_validate(merged))
    sock, started, failure = bind(port), threading.Event(), list[BaseException]()
    found: dict[str, Any] = {}

    def run() -> None:
        async def main() -> None:
            found["loop"] = asyncio.get_running_loop()
            await _serve(state, parsed, sock, ready)

        try:
            asyncio.run(main())
        except BaseException as error:
            failure.append(error)
        finally:
            started.set()

    def ready(server: _Server) -> None:
        found["server"] = server
        started.set()

    thread = threading.Thread(target=run, name="github-standin", daemon=True)
    thread.start()
    started.wait()
    if failure:
        raise failure[0]
    try:
        yield Running(state.url, state, found["loop"])
    finally:
        found["server"].should_exit = True
        thread.join(30)


def main(argv: Sequence[str] | None = None) -> int:
    """The program. Exit codes: 0 stopped, 2 wrong use (one line on standard error)."""
    parser = argparse.ArgumentParser(prog="orch-github-standin", description="GitHub's stand-in on loopback.")
    parser.add_argument("--data", type=Path, required=True, help="where everything is kept; a restart goes on with it")
    parser.add_argument("--port", type=int, default=0, help="0 (the default) takes a free port")
    parser.add_argument("--seed", type=Path, help="YAML: accounts, tokens, repositories (see seed.py)")
    parser.add_argument("--ready-file", type=Path, help="gets the URL once the server listens")
    args = parser.parse_args(argv)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _leave)  # uvicorn passes on to it when it has shut down
    try:
        seed = seeds.load(args.seed) if args.seed else seeds.Seed()
        state, sock = State(args.data, seed.settings), bind(args.port)

        def ready(_: _Server) -> None:
            if args.ready_file:
                write_atomically(args.ready_file, state.url + "\n")
            print(f"listening on {state.url}", flush=True)  # noqa: T201 - the program's one line

        asyncio.run(_serve(state, seed, sock, ready))
    except (seeds.SeedError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - a line for the terminal
        return 2
    return 0


def _leave(number: int, frame: object) -> None:
    raise SystemExit(0)


def write_atomically(path: Path, text: str) -> None:
    """Readers see the whole text or no file."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)
