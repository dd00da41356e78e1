"""Runs a program that ends when its parent ends, even when the parent is killed with SIGKILL.

Called by whatever in `hack/` and `tests/` starts servers, through `tethered()`. It never outlives itself: it asks the
kernel for a signal at the parent's death (prctl(2), PR_SET_PDEATHSIG, kept across execve) and becomes the program. A
process of its own rather than a `preexec_fn`, which is not safe where threads run.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1


def tethered(argv: Sequence[str], *, sig: signal.Signals = signal.SIGTERM) -> list[str]:
    """The command line that runs `argv` and sends it `sig` when the calling process ends.

    The kernel watches the *thread* that starts the child, so start it from one that lasts: the main thread.
    """
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(os.getpid()), str(int(sig)), *argv]


def tie(parent: int, sig: int) -> bool:
    """Tie this process to its parent; False when that one died before we asked."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, sig, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    return os.getppid() == parent


def main(arguments: list[str]) -> int:
    """Tie this process to parent `arguments[0]` by signal `arguments[1]`, then become the rest."""
    parent, sig, argv = int(arguments[0]), int(arguments[1]), arguments[2:]
    if not tie(parent, sig):
        return 1
    try:
        os.execvp(argv[0], argv)
    except OSError as err:
        print(f"{argv[0]}: cannot be run: {err.strerror}", file=sys.stderr)
        return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
