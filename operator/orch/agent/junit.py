"""Reads a JUnit XML file, which pytest writes: how many tests passed and failed, and the names of the failing ones.

Called by `toolserver`. The file is written by hostile code: an unreadable or too large one counts as none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

BIGGEST: Final = 50_000_000
MOST_NAMES: Final = 2_000
_LONGEST_NAME: Final = 500


class Counts(NamedTuple):
    """What the file says. `failing`: `classname::name`, at most 2000; errors (also in collecting) count as failed."""

    passed: int
    failed: int
    failing: tuple[str, ...]


def read_junit(path: Path) -> Counts | None:
    """The counts in a JUnit XML file; None if there is none that can be read."""
    from junitparser import Error, Failure, JUnitXml, JUnitXmlError, Skipped, TestSuite  # slow: only when needed

    try:
        if path.stat().st_size > BIGGEST:
            return None
        document = JUnitXml.fromfile(str(path))
        suites = [document] if isinstance(document, TestSuite) else list(document)
        cases = [case for suite in suites for case in suite]
    except (OSError, SyntaxError, ValueError, TypeError, AttributeError, JUnitXmlError):
        return None
    failing: list[str] = []
    passed = 0
    for case in cases:
        results = case.result or []
        if any(isinstance(result, Failure | Error) for result in results):
            failing.append(_name(case.classname, case.name))
        elif not any(isinstance(result, Skipped) for result in results):
            passed += 1
    return Counts(passed, len(failing), tuple(failing[:MOST_NAMES]))


def _name(classname: str | None, name: str | None) -> str:
    text = f"{classname}::{name}" if classname else str(name)
    return " ".join(text.split())[:_LONGEST_NAME]
