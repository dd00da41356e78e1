"""The ledger for coroutines: its one thread, in which every write is durable before the caller goes on.

Used by all handlers. Only this module runs ledger code, so two reservations never interleave. What ends a call is the one thing
that may wait: where it cannot be written (a full disk), it is written before the next act that can be.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from orch.gateway.ledger import Ledger

T = TypeVar("T")
_log = structlog.get_logger("orch.gateway")


class Book:
    """An open ledger. Raises what `Ledger` raises."""

    def __init__(self, folder: Path) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        try:
            self._ledger: Ledger = self._thread.submit(Ledger, folder).result()
        except BaseException:
            self._thread.shutdown()
            raise
        self.charged_at_start = self._ledger.charged_at_start
        self._owed: deque[Callable[[Ledger], object]] = deque()

    async def ask(self, act: Callable[[Ledger], T]) -> T:
        """Run `act` on the ledger and wait for it. It is carried out even if the waiting is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._do, act)

    async def end(self, act: Callable[[Ledger], object]) -> None:
        """Have `act` end a call: now, or as soon as the book can be written again. A process that dies before leaves the call's
        reserve in the book, and the next one charges it."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._owe, act)

    def post_end(self, act: Callable[[Ledger], object]) -> None:
        """The same without waiting: for a task that is being cancelled."""
        self._thread.submit(self._owe, act)

    def close(self) -> None:
        """Finish what was posted, then close."""
        self._thread.submit(self._ledger.close)
        self._thread.shutdown(wait=True)

    def _do(self, act: Callable[[Ledger], T]) -> T:
        self._pay()
        return act(self._ledger)

    def _owe(self, act: Callable[[Ledger], object]) -> None:
        self._owed.append(act)
        self._pay()

    def _pay(self) -> None:
        while self._owed:
            try:
                self._owed[0](self._ledger)
            except sqlite3.Error as err:
                _log.warning("book.unwritable", ends_owed=len(self._owed), error=str(err))
                return
            self._owed.popleft()
