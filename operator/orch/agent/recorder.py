"""Tells the gateway what the step does while it does it: the transcript's lines, at most a second late.

Started by `main`; a thread, so that no work waits for it. What it cannot deliver does not matter to the step, which hands in its
whole transcript at the end: this is for people who watch, and for what is left of a step that dies.
"""

from __future__ import annotations

import threading
from contextvars import copy_context
from types import TracebackType
from typing import Final, Self

import httpx2

from orch.failpoints import Moment, failpoint, hit_when_sent

_PAUSE: Final = 1.0
_TIMEOUT: Final = httpx2.Timeout(2)
_END_SECONDS: Final = 3.0


class Recorder:
    """A context: it runs inside, and delivers what is left at its end. `client` is its own."""

    def __init__(self, client: httpx2.Client) -> None:
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
        on_sent = hit_when_sent("tell", blocking=True)
        failpoint("tell", Moment.BEFORE)
        try:
            answer = self._client.post(
                "/record", params={"offset": self._told}, content=data, timeout=_TIMEOUT, extensions=on_sent
            )
        except (
            httpx2.HTTPError,
            RuntimeError,
            OSError,
        ):  # the last two: closed under it, at the end of a step's patience
            return
        failpoint("tell", Moment.ANSWERED)
        if answer.is_server_error or answer.status_code == 429:
            return
        if not answer.is_success:  # a gateway of another release, or the record is full
            self._stop.set()
        with self._lock:
            del self._pending[: len(data)]
        self._told += len(data)
