"""What a reader gets and gives. Used by every reader and by the program; judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

from orch.api.facts import LONGEST, FactKind, SourceFact


class Source(NamedTuple):
    """Both sides of one changed file; None where it does not exist. Bytes that are no UTF-8 are replacement characters."""

    path: str
    old: str | None
    new: str | None
    licence: str = ""
    """The family of the repository's own licence (see `licences`), empty when it is not known."""

    def fact(
        self, kind: FactKind, *, line: int = 0, subject: str = "", detail: str = "", before: int = 0, after: int = 0
    ) -> SourceFact:
        """A fact about this file, its words cut to what is carried."""
        return SourceFact(self.path, kind, line, subject[:LONGEST], detail[:LONGEST], before, after)


class Reader(Protocol):
    """One question about a file. May raise anything: its failure is reported under its name."""

    def __call__(self, source: Source, /) -> Iterator[SourceFact]: ...


def line_of(text: str, position: int) -> int:
    """The line, from 1, that a position of the text is on."""
    return text.count("\n", 0, position) + 1
