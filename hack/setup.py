"""Sets a working copy up: `python3 hack/setup.py`, or `… lock` to pin the dependencies anew. Called by the Makefile.

This file only finds a Python that is new enough and goes on in `environment` with it, so that its own syntax and types
are those of Python 3.6.
"""

import os
import shutil
import sys

OLDEST = (3, 11)
NAMES = ["python3", "python3.13", "python3.12", "python3.11", "python3.14"]


def main() -> int:
    """Go on in this Python or, if it is too old, in the first newer one on PATH."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
    if sys.version_info < OLDEST:
        return _go_on_elsewhere()
    sys.path.insert(0, root)
    from hack import environment

    return environment.main(sys.argv[1:])


def _go_on_elsewhere() -> int:
    for name in NAMES:
        path = shutil.which(name)
        if path and _is_new_enough(path):
            os.execv(path, [path, os.path.abspath(__file__)] + sys.argv[1:])  # noqa: PTH100, RUF005
    wanted = ".".join(str(part) for part in OLDEST)
    sys.stderr.write(
        f"setup: Python {sys.version.split()[0]} is too old: install Python {wanted} or newer "
        "(on Debian 12: apt-get install python3 python3-venv)\n"
    )
    return 1


def _is_new_enough(path: str) -> bool:
    import subprocess

    return subprocess.call([path, "-c", f"import sys; sys.exit(sys.version_info < {OLDEST!r})"]) == 0


if __name__ == "__main__":
    sys.exit(main())
