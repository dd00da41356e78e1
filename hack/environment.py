"""The virtual environment of a working copy, and what of the machine orch needs: git, bubblewrap.

Called by `setup`. Standard library only. Nothing is done, and no network used, when the last set-up was of the same
dependencies. Never installs anything outside of the working copy: what the machine lacks is named in one line.
"""

import argparse
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from hack.locks import exclusive
from hack.versions import SetupError

ROOT = Path(__file__).resolve().parents[1]
_OLDEST_GIT = (2, 39)
"""The oldest that the mirror is tested with (Debian 12)."""
_SANDBOX = ("--unshare-all", "--die-with-parent", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev")
_HIJACKING = frozenset({"PYTHONPATH", "PYTHONHOME", "PIP_USER", "PIP_TARGET", "PIP_PREFIX"})
"""Variables that would make pip install somewhere else."""
_LOCK = (
    *("pip", "compile", "--all-extras", "--universal", "--generate-hashes", "--no-emit-index-url"),
    *("--no-annotate", "--no-header", "--quiet", "pyproject.toml", "-o", "requirements.txt"),
)


def main(arguments: list[str]) -> int:
    """Set up, or lock. Exit status 0, or 1 after one line on stderr."""
    parser = argparse.ArgumentParser(prog="setup.py", description="Set a working copy of orch up.")
    parser.add_argument("act", nargs="?", choices=["env", "lock"], default="env", help="env: set up; lock: pin anew")
    asked = parser.parse_args(arguments)
    try:
        check_machine()
        Environment(ROOT).ensure()
        if asked.act == "lock":
            lock(ROOT)
    except (SetupError, OSError) as err:
        print(f"setup: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("setup: interrupted; run it again to go on", file=sys.stderr)
        return 1
    return 0


def check_machine() -> None:
    """Raise SetupError that names everything the machine lacks, in one line."""
    missing, reasons = [], []
    for package, reason in (("git", git_fault()), ("bubblewrap", sandbox_fault()), ("python3-venv", venv_fault())):
        if reason:
            missing.append(package)
            reasons.append(reason)
    if missing:
        raise SetupError(f"{'; '.join(reasons)} (on Debian: apt-get install {' '.join(missing)})")


def git_fault() -> str | None:
    """Why git will not do, None if it will."""
    wanted = f"install git {_OLDEST_GIT[0]}.{_OLDEST_GIT[1]} or newer"
    if shutil.which("git") is None:
        return f"git is missing: {wanted}"
    said = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_GIT:
        return f"{said.strip() or 'git does not say its version'} is too old: {wanted}"
    return None


def sandbox_fault() -> str | None:
    """Why bubblewrap cannot isolate a work step, None if it can."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is missing: install it, work steps run in it"
    tried = subprocess.run(["bwrap", *_SANDBOX, "true"], capture_output=True, text=True, check=False)
    if tried.returncode == 0:
        return None
    said = tried.stderr.strip().rpartition("\n")[2]
    return f"bubblewrap cannot make a sandbox here ({said}): allow unprivileged user namespaces"


def venv_fault() -> str | None:
    """Debian ships Python without what makes virtual environments."""
    return None if importlib.util.find_spec("ensurepip") else "Python's venv is incomplete: install python3-venv"


class Environment:
    """The folder `.venv` of one working copy."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.directory = root / ".venv"
        self.python = self.directory / "bin" / "python"
        self._stamp = self.directory / "orch-setup-done"
        self._begun = self.directory / "orch-setup-begun"

    def ensure(self) -> None:
        """Bring it up to date with requirements.txt. Two at a time wait for one another. Raises SetupError."""
        if self._is_current():  # without the lock, which a running set-up would make us wait for
            return
        with exclusive(self.root / "build" / "setup.lock", waiting=lambda: _say("another set-up is at work here…")):
            if not self._is_current():
                self._fill()

    def _is_current(self) -> bool:
        try:
            return self._stamp.read_text() == self._wanted() and self.python.exists()
        except FileNotFoundError:
            return False

    def _wanted(self) -> str:
        """What the stamp says after a set-up: of which inputs, and where, for scripts hold absolute paths."""
        inputs = hashlib.sha256()
        for name in ("requirements.txt", "pyproject.toml"):
            inputs.update((self.root / name).read_bytes())
        return f"{inputs.hexdigest()}\n{self.directory}\n"

    def _fill(self) -> None:
        if not self._can_be_updated():
            _say("making a virtual environment in .venv…")
            _run([sys.executable, "-m", "venv", "--clear", str(self.directory)])
        self._stamp.unlink(missing_ok=True)
        self._begun.touch()
        _say("installing what requirements.txt pins…")
        self._pip("--require-hashes", "-r", "requirements.txt")
        self._pip("--no-deps", "--no-build-isolation", "--editable", ".")
        self._stamp.write_text(self._wanted())
        self._begun.unlink()

    def _can_be_updated(self) -> bool:
        """False for none, one that a killed set-up left, one moved here, one whose Python is gone or too old."""
        if self._begun.exists() or not self.python.exists():
            return False
        if self._stamp.exists() and self._stamp.read_text().splitlines()[1:] != [str(self.directory)]:
            return False
        check = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
        return subprocess.run([self.python, "-c", check], capture_output=True, check=False).returncode == 0

    def _pip(self, *arguments: str) -> None:
        general = ("--quiet", "--no-input", "--disable-pip-version-check")
        _run([str(self.python), "-m", "pip", "install", *general, *arguments], cwd=self.root)


def lock(root: Path) -> None:
    """Pin what pyproject.toml asks for, with hashes and for every platform, in requirements.txt. Needs network."""
    _run([str(root / ".venv" / "bin" / "uv"), *_LOCK], cwd=root)
    Environment(root).ensure()


def _run(command: list[str], cwd: Path | None = None) -> None:
    """Run what sets something up; what it says is shown only in so far as it says why it failed."""
    surroundings = {key: value for key, value in os.environ.items() if key not in _HIJACKING}
    done = subprocess.run(
        command, cwd=cwd, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        why = (errors or lines or ["it did not say why"])[-1]
        what = " ".join([Path(command[0]).name, *command[1:4]])
        raise SetupError(f"`{what} …` failed: {why[:300]}; if it is for want of network, connect once and run it again")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
