"""Mirror children: processes of `orch.mirror` that do one act after another, one at a time each.

Used by `orch.adapters.git`. A child is started when an act finds none idle, because starting Python costs as much as most acts.
One that was idle for a while is let go; one whose act was cut short is killed, with all its gits. All end with this process.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final, NoReturn

from orch.errors import Ambiguous, Transient
from orch.mirror.environment import inherited
from orch.mirror.protocol import Request
from orch.policy.text import one_line

IDLE: Final = 30.0
"""Seconds that a child waits for its next act."""
_PIPE: Final = asyncio.subprocess.PIPE


class Children:
    """At most `limit` acts at once; the others queue. Idle children are kept for `idle` seconds."""

    def __init__(self, limit: int, *, idle: float = IDLE) -> None:
        self._slots = asyncio.Semaphore(limit)
        self._idle_seconds = idle
        self._idle: dict[asyncio.subprocess.Process, asyncio.TimerHandle] = {}

    async def ask(
        self,
        request: Request,
        seconds: float,
        *,
        ready: Callable[[], object] = lambda: None,
        sent: Callable[[], object] = lambda: None,
    ) -> bytes:
        """What a child answers. `ready` is called just before it gets the request, and may raise; `sent` once it has it.

        Raises Transient, for a push Ambiguous, when it takes longer than `seconds` or dies."""
        async with self._slots:
            child = self._take() or await _start(request)
            is_done = False
            try:
                ready()
                async with asyncio.timeout(seconds):
                    answer = await _exchange(child, request, sent)
                is_done = True
            except TimeoutError:
                _fail(request, "GitTimeout", f"git {request.verb} took longer than {seconds:g} s and was ended")
            except asyncio.IncompleteReadError:
                _fail(request, "MirrorChildDied", await _last_words(child, request))
            finally:
                if is_done:
                    self._keep(child)
                else:
                    await _kill(child)
            return answer

    async def close(self) -> None:
        """Let all idle children go, and wait until they have."""
        children = list(self._idle)
        for child in children:
            self._let_go(child)
        for child in children:
            await child.wait()

    def _take(self) -> asyncio.subprocess.Process | None:
        """The child that was at work last, if one is alive."""
        while self._idle:
            child, timer = self._idle.popitem()
            timer.cancel()
            if child.returncode is None:
                return child
        return None

    def _keep(self, child: asyncio.subprocess.Process) -> None:
        timer = asyncio.get_running_loop().call_later(self._idle_seconds, self._let_go, child)
        self._idle[child] = timer

    def _let_go(self, child: asyncio.subprocess.Process) -> None:
        """Its input ends, and so does it."""
        self._idle.pop(child).cancel()
        if child.stdin is not None:
            child.stdin.close()


async def _start(request: Request) -> asyncio.subprocess.Process:
    request.data.mkdir(parents=True, exist_ok=True)
    command = (sys.executable, "-I", "-m", "orch.mirror")
    return await asyncio.create_subprocess_exec(
        *command, stdin=_PIPE, stdout=_PIPE, stderr=_PIPE, env=inherited(), start_new_session=True
    )


async def _exchange(child: asyncio.subprocess.Process, request: Request, sent: Callable[[], object]) -> bytes:
    """Write the request and read the answer. The input stays open: the end of it tells the child to die."""
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child was started without pipes")
    with suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(request.encode())
        await child.stdin.drain()
    sent()
    length = await child.stdout.readuntil(b"\n")
    return await child.stdout.readexactly(int(length))


async def _kill(child: asyncio.subprocess.Process) -> None:
    """End the child and its gits, whichever of them are left."""
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    await asyncio.shield(child.wait())


async def _last_words(child: asyncio.subprocess.Process, request: Request) -> str:
    """Of a child that died without an answer: killed for memory, or a bug of ours. Its text may hold anything."""
    said = await child.stderr.read() if child.stderr is not None else b""
    last = said.decode(errors="replace").strip().rpartition("\n")[2]
    words = last.replace(request.token, "«removed»") if request.token else last
    return f"the mirror's child for {request.verb} died without an answer: {one_line(words, limit=300)}"


def _fail(request: Request, reason: str, message: str) -> NoReturn:
    """Nobody knows whether a push has landed."""
    raise (Ambiguous if request.verb == "push" else Transient)(reason, message) from None
