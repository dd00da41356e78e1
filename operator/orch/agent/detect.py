"""Finds out how a repository is tested when its OrchestratedRepo does not say.

Called by `toolserver`. It looks at files only and runs nothing; the first sign that fits decides.
"""

from __future__ import annotations

import json
import re
import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

_MOST: Final = 1_000_000


def detect_test_command(folder: Path, *, path: str | None = None) -> str | None:
    """The command line that runs the tests of `folder`, None if no sign of tests is found. `path`: where programs are."""
    for sign in (_pytest, _unittest, _npm, _go, _cargo, _make):
        command = sign(folder, lambda name: shutil.which(name, path=path) is not None)
        if command:
            return command
    return None


Has = Callable[[str], bool]


def _pytest(folder: Path, has: Has) -> str | None:
    told = (
        (folder / "pytest.ini").is_file()
        or "[tool:pytest]" in _text(folder / "setup.cfg")
        or "[pytest]" in _text(folder / "tox.ini")
        or "pytest" in _table(folder / "pyproject.toml", "tool")
        or any((folder / place).is_file() for place in ("conftest.py", "tests/conftest.py", "test/conftest.py"))
    )
    if not (told or (has("pytest") and _python_tests(folder))):
        return None
    return "pytest -q" if has("pytest") else "python3 -m pytest -q"


def _unittest(folder: Path, has: Has) -> str | None:
    tests = _python_tests(folder)
    if not tests:
        return None
    start = tests[0].parent
    where = "" if start == folder else f" -s {start.relative_to(folder)} -t ."
    return f"python3 -m unittest discover{where}"


def _npm(folder: Path, has: Has) -> str | None:
    try:
        scripts = json.loads(_text(folder / "package.json") or "{}").get("scripts", {})
        script = str(scripts.get("test", ""))
    except (ValueError, AttributeError):
        return None
    return "npm test" if script and "no test specified" not in script else None


def _go(folder: Path, has: Has) -> str | None:
    return "go test ./..." if (folder / "go.mod").is_file() else None


def _cargo(folder: Path, has: Has) -> str | None:
    return "cargo test" if (folder / "Cargo.toml").is_file() else None


def _make(folder: Path, has: Has) -> str | None:
    text = _text(folder / "Makefile") or _text(folder / "makefile") or _text(folder / "GNUmakefile")
    return "make test" if re.search(r"^test\s*:(?!=)", text, re.MULTILINE) else None


def _python_tests(folder: Path) -> list[Path]:
    places = (folder, folder / "tests", folder / "test")
    return [file for place in places for file in sorted(place.glob("test_*.py"))]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST).decode(errors="replace")
    except OSError:
        return ""


def _table(path: Path, name: str) -> dict[str, Any]:
    try:
        table = tomllib.loads(_text(path)).get(name, {})
    except tomllib.TOMLDecodeError:
        return {}
    return table if isinstance(table, dict) else {}
