"""What reading both sides of a changed file has shown: the vocabulary between the mirror's reader and the guards.

Written by `orch.mirror.reading`, a process without any right; judged by `orch.policy.guards`. It holds no judgement and no
credential. Subjects and details are a stranger's words: they pass `one_line` before they are shown.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

LONGEST = 200
"""Characters of a subject or detail."""


class FactKind(StrEnum):
    """Kinds of facts; `subject`, `detail`, `before` and `after` are what stands beside each."""

    CREDENTIAL = "Credential"
    """A credential that was not there before: subject is its kind, never itself."""
    LIKELY_CREDENTIAL = "LikelyCredential"
    """What looks like one: subject is its kind."""
    HAZARD = "Hazard"
    """More places that turn a protection off or run text as code: subject is which; before, after count them."""
    TEST_ADDED = "TestAdded"
    """A test that was not there: subject is its name, detail a digest of its body, after how much it checks."""
    TEST_REMOVED = "TestRemoved"
    """A test that is gone: subject is its name, detail a digest of its body, before how much it checked."""
    TESTS_FEWER = "TestsFewer"
    """Fewer tests in a file whose tests have no names for us: before, after."""
    TEST_SKIPPED = "TestSkipped"
    """More skips or expected failures: subject is the test, or empty for the file; before, after."""
    TEST_WEAKENED = "TestWeakened"
    """Fewer checks in a test: subject is the test, or empty for the file; before, after count them."""
    COMPLEXITY = "Complexity"
    """A function that is more complex than before: subject is its name; before, after are its cyclomatic complexity."""
    BREAKING = "Breaking"
    """What breaks callers of a public interface: subject is the object, detail what happened to it."""
    MODULE_REMOVED = "ModuleRemoved"
    """A public module that is gone: subject is its name."""
    VERSION_CHANGED = "VersionChanged"
    """The project gives itself another version: subject is what it was, detail what it is."""
    MANIFEST_COMPARED = "ManifestCompared"
    """Both sides list dependencies and were compared: what follows is all that changed in the list."""
    DEPENDENCY_ADDED = "DependencyAdded"
    """Subject is the package, detail what is asked of it."""
    DEPENDENCY_CHANGED = "DependencyChanged"
    """Subject is the package, detail what is asked of it now."""
    DEPENDENCY_REMOVED = "DependencyRemoved"
    """Subject is the package."""
    LICENCE_CHANGED = "LicenceChanged"
    """A file's own licence notice changed or is gone: subject is what it was, detail what it is."""
    LICENCE_OTHER = "LicenceOther"
    """A new file is under another licence than the repository: subject is the file's, detail the repository's."""
    UNREAD = "Unread"
    """A reader could not do its work on this file: subject is the reader, detail why."""


class SourceFact(NamedTuple):
    """One fact about one changed file. `line` is of the new side, of the old for what is gone; 0: the file as a whole."""

    path: str
    kind: FactKind
    line: int = 0
    subject: str = ""
    detail: str = ""
    before: int = 0
    after: int = 0
