"""An operator that stands still at its failpoints, where others die, as one whose machine is paused: nothing of it moves until it gets
SIGCONT, and then as much time has passed for it as lets any lease end. Told where as they are, by ORCH_FAILPOINTS."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any

from orch import failpoints, main
from orch.kube.lease import Lease, boottime

_PAUSE = 60.0
"""Seconds that a pause lasts for the paused, beside those that the test takes."""


class Clock:
    """Time that also passes while the machine sleeps."""

    def __init__(self) -> None:
        self._slept = 0.0

    def __call__(self) -> float:
        return boottime() + self._slept

    def pause(self, words: str) -> None:
        """Stand still until somebody wakes the process, once in its life."""
        if self._slept:
            return
        self._slept = _PAUSE
        os.write(2, f"failpoint: {words}\n".encode())
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # to the process, it may reach this thread too late


class Paused(Lease):
    """Counts by that clock."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options, clock=_clock)


_clock = Clock()

if __name__ == "__main__":
    failpoints._die = _clock.pause
    main.Lease = Paused  # type: ignore[misc]
    sys.exit(main.main([]))
