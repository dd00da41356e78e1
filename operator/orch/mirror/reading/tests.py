"""Tests that are gone, skipped or check less than before. Called as a reader; `python_tests` and `test_patterns` know how."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orch.api.facts import SourceFact
from orch.mirror.reading import python_tests, test_patterns
from orch.mirror.reading.source import Source
from orch.policy.files import is_test


def read(source: Source) -> Iterator[SourceFact]:
    """Python by its syntax tree, other languages by patterns. A file that is no test by its path is read all the same when
    it is Python, since that is where tests come from and go to."""
    suffix = PurePosixPath(source.path).suffix.lower()
    if suffix == ".py":
        yield from python_tests.read(source)
    elif is_test(source.path) and suffix in test_patterns.LANGUAGES:
        yield from test_patterns.read(source, test_patterns.LANGUAGES[suffix])
