"""Ends this process when nobody is left who would hear its report.

Called by the program of a work step. Its supervisor ends it, and when the supervisor dies, bubblewrap does (PR_SET_PDEATHSIG); but
one that dies before bubblewrap has said so to the kernel would leave a step at work that nobody waits for and nobody ends.
"""

from __future__ import annotations

import os
import select
from threading import Thread
from typing import Final

UNHEARD: Final = 1
"""The exit status: no report could be made."""


def end_when_unheard(descriptor: int) -> None:
    """Watch `descriptor`, the writing end of a pipe, from a thread: exit as soon as its other end is closed. A file or a terminal
    is never closed so. Source: poll(2), POLLERR."""
    Thread(target=_watch, args=(descriptor,), name="lifeline", daemon=True).start()


def _watch(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are always told
    while not any(events & (select.POLLERR | select.POLLHUP | select.POLLNVAL) for _, events in poll.poll()):
        pass
    os._exit(UNHEARD)
