"""The program: a JSON line per file in, a JSON line of its facts out. Started by `orch.mirror.sources`, never by a person.

It gives up its rights before it reads: it writes no file and starts no child; memory and processor time are bounded. A file
that takes too long is left, by a timer that counts processor time, so that a busy machine changes no verdict.
"""

from __future__ import annotations

import json
import logging
import resource
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from types import ModuleType
from typing import Final

from orch.api.facts import FactKind, SourceFact
from orch.mirror.reading import dependencies, hazards, licences, release, tests
from orch.mirror.reading.source import Reader, Source

FILE_SECONDS: Final = 10
ALL_SECONDS: Final = 60
MEMORY: Final = 1 << 30
"""Seconds of processor time for one reader on one file, for all; bytes of address space."""

MOST_FACTS: Final = 200
"""Of one reader on one file. What is cut is a fact too."""


class TooLong(BaseException):
    """The timer rang. No `except Exception` of a library takes it away."""


def credentials(source: Source) -> Iterator[SourceFact]:
    """Imported once `main` has taken away what detect-secrets would ask services with."""
    from orch.mirror.reading import credentials as reader

    return reader.read(source)


def complexity(source: Source) -> Iterator[SourceFact]:
    """Imported when it is needed, as `interface` is: both take longer than most changes."""
    from orch.mirror.reading import complexity as reader

    return reader.read(source)


def interface(source: Source) -> Iterator[SourceFact]:
    """See `complexity`."""
    from orch.mirror.reading import interface as reader

    return reader.read(source)


READERS: Final[dict[str, Reader]] = {
    "credentials": credentials,
    "tests": tests.read,
    "dependencies": dependencies.read,
    "licences": licences.read,
    "release": release.read,
    "hazards": hazards.read,
    "interface": interface,
    "complexity": complexity,
}
"""Name → reader; the guards know which of them a verdict rests on."""


def main() -> int:
    """Answer every line. The parent counts the answers: a death tells it which file was too much."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (ALL_SECONDS, ALL_SECONDS))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGPROF, _ring)
    # detect-secrets would ask services with it; nobody is asked here, and to read it takes longer than most changes
    sys.modules["requests"] = ModuleType("requests")
    logging.disable(logging.CRITICAL)  # griffe tells of each name that another module defines
    for line in sys.stdin.buffer:
        facts = facts_of(Source(**json.loads(line)))
        sys.stdout.buffer.write(json.dumps([fact._asdict() for fact in facts]).encode() + b"\n")
        sys.stdout.buffer.flush()
    return 0


def facts_of(source: Source) -> list[SourceFact]:
    """What all readers say of one file."""
    return [fact for name, reader in READERS.items() for fact in _asked(name, reader, source)]


def _asked(name: str, reader: Reader, source: Source) -> list[SourceFact]:
    signal.setitimer(signal.ITIMER_PROF, FILE_SECONDS, 1)
    try:
        found = list(islice(reader(source), MOST_FACTS + 1))
    except TooLong:
        return [_unread(source, name, "reading it takes too long")]
    except SyntaxError as err:
        return [_unread(source, name, f"it cannot be parsed (line {err.lineno or 0})")]
    except (RecursionError, MemoryError):
        return [_unread(source, name, "it is nested too deeply, or too large")]
    except Exception as err:  # a parser may fail in any way on what was written to make it fail
        return [_unread(source, name, f"it cannot be read ({type(err).__name__})")]
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    if len(found) > MOST_FACTS:
        return [*found[:MOST_FACTS], _unread(source, name, f"more than {MOST_FACTS} things are to be told of it")]
    return found


def _unread(source: Source, reader: str, why: str) -> SourceFact:
    return source.fact(FactKind.UNREAD, subject=reader, detail=why)


def _ring(*_: object) -> None:
    raise TooLong


if __name__ == "__main__":
    sys.exit(main())
