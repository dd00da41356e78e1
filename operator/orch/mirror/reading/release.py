"""The version that a project gives itself, on both sides of the file that says it, where nothing has to be run to read it.

`FORMATS` maps a file name to a function from text to the version. One that is computed, from a tag for instance, is none.
"""

from __future__ import annotations

import ast
import configparser
import json
import tomllib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source


def read(source: Source) -> Iterator[SourceFact]:
    """Nothing unless both sides say a version, and another. Raises for a new side that is broken."""
    parse = FORMATS.get(PurePosixPath(source.path).name.lower())
    if parse is None or source.old is None or source.new is None:
        return
    old, new = _before(parse, source.old), parse(source.new)
    if old and new and old != new:
        yield source.fact(FactKind.VERSION_CHANGED, line=_line(source.new, new), subject=old, detail=new)


def _before(parse: Callable[[str], str], text: str) -> str:
    try:
        return parse(text)
    except (ValueError, SyntaxError, configparser.Error):
        return ""


def _line(text: str, version: str) -> int:
    return next((number for number, line in enumerate(text.splitlines(), 1) if version in line), 0)


def _python(text: str) -> str:
    """`__version__ = "1.2.3"` at the top of a module, its annotation or not."""
    for statement in ast.parse(text).body:
        match statement:
            case (
                ast.Assign(targets=[ast.Name("__version__")], value=ast.Constant(str(version)))
                | ast.AnnAssign(target=ast.Name("__version__"), value=ast.Constant(str(version)))
            ):
                return version
    return ""


def _pyproject(text: str) -> str:
    document = tomllib.loads(text)
    return _text(document, "project", "version") or _text(document, "tool", "poetry", "version")


def _setup_cfg(text: str) -> str:
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    version = parser.get("metadata", "version", fallback="")
    return "" if version.startswith(("attr:", "file:")) else version


def _package_json(text: str) -> str:
    return _text(json.loads(text), "version")


def _cargo(text: str) -> str:
    document = tomllib.loads(text)
    return _text(document, "package", "version") or _text(document, "workspace", "package", "version")


def _text(document: Any, *path: str) -> str:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, str) else ""


FORMATS: Final[dict[str, Callable[[str], str]]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "package.json": _package_json,
    "cargo.toml": _cargo,
    "__init__.py": _python,
    "__about__.py": _python,
    "__version__.py": _python,
    "_version.py": _python,
    "version.py": _python,
}
