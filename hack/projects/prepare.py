"""A project's repository: the released source with its bug back in it, as one commit that is the same every time.

Called by the demo and the end-to-end tests. Nothing of the package is run.
"""

import os
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from hack.projects.catalog import get_project
from hack.projects.fetch import fetch_archive
from hack.projects.project import Project, Replacement
from hack.versions import SetupError

_WHEN = "2025-01-01T00:00:00Z"
_MADE_BY_BUILDING = ("PKG-INFO", "*.egg-info", "src/*.egg-info", "__pycache__", "*/__pycache__")


def prepare(name: str, folder: Path) -> Path:
    """Make the git work tree of project `name` in `folder`, which must not exist; `folder`.

    Raises SetupError (its archive cannot be had), KeyError (no such project) or FileExistsError."""
    project = get_project(name)
    archive = fetch_archive(project)
    folder.mkdir(parents=True)
    _unpack(archive, folder)
    _tidy(folder, project)
    for replacement in project.bug.replacements:
        _put_back(folder, replacement)
    commit_all(folder, f"{project.name} {project.version}")
    return folder


def commit_all(folder: Path, message: str) -> None:
    """Make `folder` a git repository with one commit of everything, whatever `.gitignore` says (an sdist holds what a
    repository would not), by the same person at the same time."""
    _git(folder, "init", "--quiet", "--initial-branch=main")
    _git(folder, "add", "--all", "--force")
    _git(folder, "commit", "--quiet", f"--message={message}")


def _unpack(archive: Path, folder: Path) -> None:
    """Its files, without the folder that they are in. Links and devices are left out, as is what leads outside: a filter
    of our own, because that of tarfile came with 3.11.4."""
    with tarfile.open(archive) as tar:
        for member in tar:
            parts = PurePosixPath(member.name).parts[1:]
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or not parts or ".." in parts:
                continue
            path = folder.joinpath(*parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.read())
            path.chmod(0o755 if member.mode & 0o100 else 0o644)


def _tidy(folder: Path, project: Project) -> None:
    for pattern in (*_MADE_BY_BUILDING, *project.drop):
        for path in folder.glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _put_back(folder: Path, replacement: Replacement) -> None:
    path = folder / replacement.path
    text = path.read_text(encoding="utf-8")
    if text.count(replacement.released) != 1:
        raise SetupError(f"the bug does not fit {replacement.path}: its released text must occur there exactly once")
    path.write_text(text.replace(replacement.released, replacement.buggy), encoding="utf-8")


def _git(folder: Path, *arguments: str) -> None:
    identity = {"NAME": "maintainer", "EMAIL": "maintainer@example.com", "DATE": _WHEN}
    surroundings = {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in identity.items()},
    }
    done = subprocess.run(
        ["git", *arguments], cwd=folder, env=surroundings, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode != 0:
        raise SetupError(f"git {arguments[0]} failed: {done.stderr.decode(errors='replace').strip()}")
