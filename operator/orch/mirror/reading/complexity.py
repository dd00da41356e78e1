"""Functions that became more complex, by lizard: cyclomatic complexity (McCabe) in the languages that lizard knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import lizard
from lizard_languages import get_reader_for

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading.source import Source

_WORTH_TELLING: Final = 5
"""No limit is ever set below it; it keeps the facts few."""

_Found = dict[str, tuple[int, int]]
"""Name → complexity and line; of functions of one name the most complex."""


def read(source: Source) -> Iterator[SourceFact]:
    """New functions count from 0."""
    if source.new is None or get_reader_for(source.path) is None:
        return
    old = _functions(source.path, source.old or "")
    for name, (after, line) in _functions(source.path, source.new).items():
        before, _ = old.get(name, (0, 0))
        if after > max(before, _WORTH_TELLING):
            yield source.fact(FactKind.COMPLEXITY, line=line, subject=name, before=before, after=after)


def _functions(path: str, text: str) -> _Found:
    found: _Found = {}
    for function in lizard.analyze_file.analyze_source_code(path, text).function_list:
        complexity, line = int(function.cyclomatic_complexity), int(function.start_line)
        if complexity > found.get(function.name, (0, 0))[0]:
            found[str(function.name)] = (complexity, line)
    return found
