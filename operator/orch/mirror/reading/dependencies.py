"""Which packages a project asks for on either side of its manifest, where that can be read without running anything.

`FORMATS` maps a file name to a function from text to packages: name → what is asked of it. A manifest that none reads is
told by its path alone.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source

Packages = dict[str, str]

_REQUIREMENT: Final = re.compile(r"^\s*([A-Za-z0-9][A-Za-z0-9._-]*)(\[[^\]]*\])?\s*([^#;]*)")
_GO_MODULE: Final = re.compile(r"^\s*(?:require\s+)?([\w.~-]+\.[\w.~-]+(?:/[\w.~-]+)*)\s+(v\S+)", re.M)
_GEM: Final = re.compile(r"^\s*gem\s+['\"]([^'\"]+)['\"]\s*,?\s*([^#\n]*)", re.M)


def read(source: Source) -> Iterator[SourceFact]:
    """Raises ValueError for a new side that is no manifest of its kind."""
    parse = _format(source.path)
    if parse is None or source.new is None:
        return
    old, new = _before(parse, source.old), parse(source.new)
    yield source.fact(FactKind.MANIFEST_COMPARED)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield source.fact(FactKind.DEPENDENCY_REMOVED, subject=name)
        elif name not in old:
            yield source.fact(FactKind.DEPENDENCY_ADDED, line=_line(source.new, name), subject=name, detail=new[name])
        elif old[name] != new[name]:
            yield source.fact(FactKind.DEPENDENCY_CHANGED, line=_line(source.new, name), subject=name, detail=new[name])


def _before(parse: Callable[[str], Packages], text: str | None) -> Packages:
    try:
        return parse(text) if text is not None else {}
    except ValueError:
        return {}


def _line(text: str, name: str) -> int:
    bare = name.partition(" ")[0].casefold()
    return next((number for number, line in enumerate(text.splitlines(), 1) if bare in line.casefold()), 0)


def _format(path: str) -> Callable[[str], Packages] | None:
    name = PurePosixPath(path).name.lower()
    if name.endswith((".txt", ".in")) and ("requirements" in path.lower() or name.startswith("constraints")):
        return _requirements_file
    return FORMATS.get(name)


def _requirements_file(text: str) -> Packages:
    lines = text.replace("\\\n", " ").splitlines()
    found = _requirements(line for line in lines if not line.lstrip().startswith(("-", "#")))
    # -e, -r, --index-url: where packages come from
    return found | {line.strip(): "" for line in lines if line.lstrip().startswith("-") and "--hash" not in line[:8]}


def _requirements(lines: Iterable[object]) -> Packages:
    """PEP 508, as far as a name and what is asked of it go."""
    found: Packages = {}
    for line in lines:
        if isinstance(line, str) and (match := _REQUIREMENT.match(line)):
            wanted = (match[2] or "") + match[3].partition(" --hash")[0].strip()
            found[re.sub(r"[-_.]+", "-", match[1]).lower()] = wanted
    return found


def _pyproject(text: str) -> Packages:
    document = tomllib.loads(text)
    project, found = _table(document, "project"), Packages()
    groups = (_table(project, "optional-dependencies"), _table(document, "dependency-groups"))
    lists = [project.get("dependencies"), _table(document, "build-system").get("requires")]
    for listed in [*lists, *(entry for group in groups for entry in group.values())]:
        found |= _requirements(listed if isinstance(listed, list) else ())
    poetry = _table(document, "tool", "poetry")
    tables = [_table(poetry, "dependencies"), _table(poetry, "dev-dependencies")]
    tables += [_table(group, "dependencies") for group in _table(poetry, "group").values() if isinstance(group, dict)]
    for table in tables:
        found |= _named(table)
    return found


def _package_json(text: str) -> Packages:
    document, found = json.loads(text), Packages()
    for kind in (
        "dependencies",
        "devDependencies",
        "peerDependencies",
        "optionalDependencies",
        "overrides",
        "resolutions",
    ):
        found |= _named(_table(document, kind))
    return found


def _composer(text: str) -> Packages:
    document = json.loads(text)
    return _named(_table(document, "require")) | _named(_table(document, "require-dev"))


def _cargo(text: str) -> Packages:
    document, found = tomllib.loads(text), Packages()
    for kind in ("dependencies", "dev-dependencies", "build-dependencies"):
        found |= _named(_table(document, kind)) | _named(_table(document, "workspace", kind))
        for target in _table(document, "target").values():
            found |= _named(_table(target, kind))
    return found


def _pipfile(text: str) -> Packages:
    document = tomllib.loads(text)
    return _named(_table(document, "packages")) | _named(_table(document, "dev-packages"))


def _go(text: str) -> Packages:
    return {match[1]: match[2] for match in _GO_MODULE.finditer(re.sub(r"//[^\n]*", "", text))}


def _gems(text: str) -> Packages:
    return {match[1]: match[2].strip() for match in _GEM.finditer(text)}


def _named(table: Mapping[str, Any]) -> Packages:
    return {
        str(name): value if isinstance(value, str) else json.dumps(value, default=str) for name, value in table.items()
    }


def _table(document: Any, *path: str) -> dict[str, Any]:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, dict) else {}


FORMATS: Final[dict[str, Callable[[str], Packages]]] = {
    "pyproject.toml": _pyproject,
    "package.json": _package_json,
    "composer.json": _composer,
    "cargo.toml": _cargo,
    "pipfile": _pipfile,
    "go.mod": _go,
    "gemfile": _gems,
}
