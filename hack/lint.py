"""Runs every linter, one after the other: `.venv/bin/python hack/lint.py`. Called by `make lint` and so by `make test`.

One line each, and what a linter says only when it objects. Two runs at a time take turns: mypy's cache is one database.
Never changes a file.
"""

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a script

from hack.locks import exclusive

ROOT = Path(__file__).resolve().parents[1]
LINTERS = {
    "style": ("ruff", "check", "--quiet", "."),
    "format": ("ruff", "format", "--check", "--quiet", "."),
    "import contracts": ("lint-imports",),
    "generated files": ("python", "hack/generate.py", "--check"),
    "types": ("mypy",),
}
"""By what they look at; programs are those of the virtual environment."""


def main() -> int:
    """Exit status 0 when no linter objects, else 1."""
    with exclusive(ROOT / "build" / "lint.lock"):
        passed = [_passes(name, command) for name, command in LINTERS.items()]
    return 0 if all(passed) else 1


def _passes(name: str, command: tuple[str, ...]) -> bool:
    started = time.monotonic()
    program = Path(sys.executable).parent / command[0]
    done = subprocess.run(
        [program, *command[1:]],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode == 0:
        print(f"lint: {name} ok ({time.monotonic() - started:.1f} s)", flush=True)
        return True
    print(done.stdout.rstrip(), file=sys.stderr)
    print(f"lint: {name}: `{' '.join(command)}` objects, see above", file=sys.stderr, flush=True)
    return False


if __name__ == "__main__":
    sys.exit(main())
