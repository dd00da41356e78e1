"""What breaks callers of a public interface, from the text of both sides. Python's is read by griffe, never imported.

`LANGUAGES` is the seam for others: a suffix and a function that yields facts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Reader, Source
from orch.policy.files import is_configuration, is_test

_NOT_FOR_IMPORT: Final = re.compile(
    r"(^|/)(docs?|examples?|scripts?|tools?|hack|bench(marks?)?|\.[^/]+|build|dist|samples?)/", re.IGNORECASE
)
_ROOTS: Final = ("src", "lib", "python")
"""Folders that hold packages and are none."""


def read(source: Source) -> Iterator[SourceFact]:
    """Nothing for a language without an entry."""
    language = LANGUAGES.get(PurePosixPath(source.path).suffix)
    if language is not None and source.old is not None:
        yield from language(source)


def python(source: Source) -> Iterator[SourceFact]:
    """Public modules alone. Raises SyntaxError for a new side that is no Python."""
    name = public_module(source.path)
    if name is None:
        return
    if source.new is None:
        yield source.fact(FactKind.MODULE_REMOVED, subject=name)
        return
    import griffe  # a third of a second: most changes need it not

    path = PurePosixPath(source.path)
    try:
        old = griffe.visit(name, path, source.old or "")  # type: ignore[arg-type]
    except SyntaxError:
        return  # nobody could import it
    new = griffe.visit(name, path, source.new)  # type: ignore[arg-type]
    for breakage in griffe.find_breaking_changes(old, new):
        if breakage.kind is not griffe.BreakageKind.ATTRIBUTE_CHANGED_VALUE:  # versions and other constants
            where = breakage.obj.path
            yield source.fact(
                FactKind.BREAKING,
                line=_line(new, breakage.obj, name),
                subject=where,
                detail=breakage.kind.value.lower(),
            )


def _line(new: Any, thing: Any, module: str) -> int:
    """Where it stands now, else where it stood."""
    try:
        return int(new[thing.path.removeprefix(f"{module}.")].lineno or 0)
    except (KeyError, TypeError, ValueError):
        return int(thing.lineno or 0)


def public_module(path: str) -> str | None:
    """The dotted name under which others import a file; None for what nobody outside is meant to import."""
    if is_test(path) or is_configuration(path) or _NOT_FOR_IMPORT.search(path):
        return None
    parts = list(PurePosixPath(path).with_suffix("").parts)
    while parts and parts[0] in _ROOTS:
        parts.pop(0)
    if parts and parts[-1] == "__init__":
        parts.pop()
    if not parts or any(part.startswith("_") or not part.isidentifier() for part in parts):
        return None
    return ".".join(parts)


LANGUAGES: Final[dict[str, Reader]] = {".py": python}
