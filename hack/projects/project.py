"""What a project is: a released package, one of its old bugs, the issue about it, and how a model mends it.

The projects themselves are in `catalog`. Pure data; nothing here touches a file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Replacement:
    """One place of the released source: `released` stands there exactly once, `buggy` is what it was before the fix."""

    path: str
    released: str
    buggy: str


@dataclass(frozen=True)
class Bug:
    """A bug that the package once had. `source`: which release mended it, in the words of its change log."""

    source: str
    replacements: tuple[Replacement, ...]


@dataclass(frozen=True)
class Project:
    """One package with one bug put back."""

    name: str
    """The name of the package, as the index has it."""
    version: str
    sha256: str
    """Of the source distribution, as the index publishes it."""
    scenario: str
    """What a run on it shows: `lint`, `wrong-first` (the first fix is wrong), `checks-fail` (the pull request's are red)."""
    bug: Bug
    issue_title: str
    """Also what the model's script is found by, so no two projects share it."""
    issue_body: str
    script: Path
    """Of the model's stand-in."""
    spec: Mapping[str, Any]
    """Fields of OrchestratedRepo's spec: how the repository is tested and what a merge demands."""
    checks: tuple[Mapping[str, Any], ...]
    """What the repository's CI runs on each push, as GitHub's stand-in takes it."""
    drop: tuple[str, ...] = ()
    """Files of the distribution that say how its maintainer's machine is set up."""

    @property
    def repository(self) -> str:
        """`owner/name` on GitHub's stand-in."""
        return f"owner/{self.name}"

    @property
    def archive(self) -> str:
        """File name of the source distribution (PEP 625)."""
        return f"{self.name}-{self.version}.tar.gz"
