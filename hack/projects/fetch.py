"""The source distributions of the projects, in the user's cache: fetched once, checked each time.

Called by set-up (`python -m hack.projects`) and, for what is missing then, by `prepare`. pip finds the file, because only
pip knows which index a person has configured; nothing of it is built or run.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Protocol

from hack.locks import exclusive
from hack.projects.catalog import ALL
from hack.versions import SetupError

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Fetch what is missing. Exit status 0, or 1 after one line on stderr."""
    try:
        for project in ALL:
            fetch_archive(project)
    except (SetupError, OSError) as err:
        print(f"projects: {err}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("projects: interrupted; run it again to go on", file=sys.stderr)
        return 1
    return 0


def cache() -> Path:
    """The folder of the archives in the user's cache (XDG Base Directory Specification)."""
    configured = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # the specification: a relative path is to be ignored
    home = configured if configured.is_absolute() else Path.home() / ".cache"
    return home / "orch" / "projects"


class Archive(Protocol):
    """What is fetched: a package's name, the file's, and its digest."""

    @property
    def name(self) -> str: ...
    @property
    def archive(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def fetch_archive(project: Archive) -> Path:
    """The project's source distribution, whose digest was checked just now. Raises SetupError, e.g. without network."""
    target = cache() / project.archive
    if not _is_right(target, project):
        with exclusive(target.with_name(f"{target.name}.lock")):
            if not _is_right(target, project):  # another set-up may have been quicker
                _fetch(project, target)
    return target


def _is_right(path: Path, project: Archive) -> bool:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() == project.sha256
    except FileNotFoundError:
        return False


def _fetch(project: Archive, target: Path) -> None:
    print(f"fetching {project.archive}…", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".partial-") as folder:
        got = Path(folder) / project.archive
        command = [sys.executable, "-m", "hack.projects.sdist", project.name, project.archive, str(got)]
        done = subprocess.run(command, cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            why = (done.stderr.strip() or done.stdout.strip() or "pip did not say why").splitlines()[-1]
            raise SetupError(f"{project.archive} is not in {target.parent} and cannot be fetched ({why[:300]})")
        if not _is_right(got, project):
            raise SetupError(f"{project.archive} of the index is not the one that is pinned by its digest: refused")
        got.replace(target)
