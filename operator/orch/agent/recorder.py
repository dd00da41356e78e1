"""Tells the gateway what the step does while it does it: the transcript's lines, at most a second late.

Started by `main`; a thread, so that no work waits for it. What it cannot deliver does not matter to the step, which hands in its
whole transcript at the end: this is for people who watch, and for what is left of a step that dies.
"""

from __future__ import annotations

import threading
from contextvars import copy_context
from functools import partial
from io import BytesIO
from types import TracebackType
from typing import Final, Self

from orch.agent.connection import Broken, Client
from orch.failpoints import Moment, failpoint

_PAUSE: Final = 1.0
_SILENCE_SECONDS: Final = 2
_END_SECONDS: Final = 3.0


class Recorder:
    """A context: it runs inside, and delivers what is left at its end. A delivery that hangs longer dies with the process."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._pending = bytearray()
        self._told = 0
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=copy_context().run, args=(self._run,), name="recorder", daemon=True)

    def add(self, line: bytes) -> None:
        """Take a line; it is sent soon."""
        with self._lock:
            if not self._stop.is_set():
                self._pending += line

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(_END_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(_PAUSE):
            self._deliver()
        self._deliver()

    def _deliver(self) -> None:
        """Send what is pending; what is not taken stays, unless it never will be."""
        with self._lock:
            data = bytes(self._pending)
        if not data:
            return
        failpoint("tell", Moment.BEFORE)
        try:
            status = self._send(data)
        except Broken:
            return
        failpoint("tell", Moment.ANSWERED)
        if status >= 500 or status == 429:
            return
        with self._lock:
            if not 200 <= status < 300:  # a gateway of another release, or the record is full
                self._stop.set()
                self._pending.clear()
            del self._pending[: len(data)]
        self._told += len(data)

    def _send(self, data: bytes) -> int:
        """Say what follows all that was told; the answer's status. Raises Broken."""
        with self._client.request(
            "POST",
            f"/record?offset={self._told}",
            body=BytesIO(data),
            size=len(data),
            silence=_SILENCE_SECONDS,
            on_sent=partial(failpoint, "tell", Moment.SENT),
        ) as answer:
            answer.discard()
            return answer.status
