"""The ledger for coroutines: its one thread, in which every write is durable before the caller goes on.

Used by all handlers. Only this module runs ledger code, so two reservations never interleave.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from orch.gateway.ledger import Ledger

T = TypeVar("T")


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

    async def ask(self, act: Callable[[Ledger], T]) -> T:
        """Run `act` on the ledger and wait for it. It is carried out even if the waiting is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, act, self._ledger)

    def post(self, act: Callable[[Ledger], object]) -> None:
        """Have `act` run before the book is closed, without waiting: for a task that is being cancelled."""
        self._thread.submit(act, self._ledger)

    def close(self) -> None:
        """Finish what was posted, then close."""
        self._thread.submit(self._ledger.close)
        self._thread.shutdown(wait=True)
