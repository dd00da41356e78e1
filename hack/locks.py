"""One at a time among processes, by flock(2): the kernel lets go when the holder dies, however it dies.

Called by set-up, the binaries' cache and the keeper of a control plane. Who deletes a lock file must hold it; who
waited for it then notices and takes the new one.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def exclusive(path: Path, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file `path`; `waiting` is called once if somebody else holds it now."""
    told = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:  # closing lets go; children do not inherit it
            if not _take(file, block=told):
                waiting()
                told = True
            elif _is_current(file, path):
                yield
                return


def is_held(path: Path) -> bool:
    """Whether a living process holds the lock now."""
    try:
        with path.open("r+") as file:
            return not _take(file, block=False)
    except FileNotFoundError:
        return False


def _take(file: IO[str], *, block: bool) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX if block else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_current(file: IO[str], path: Path) -> bool:
    """Whether `path` still is the file that we hold: its last holder may have deleted it while we waited."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
