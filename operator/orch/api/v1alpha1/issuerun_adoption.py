"""IssueRun, when somebody else pushes to its branch: what is there then, and a person's wish that orch goes on with it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import Model, StatusModel
from orch.api.v1alpha1.markers import ATOMIC
from orch.api.v1alpha1.types import Count, Sha, Time, Username, text


class AdoptRequest(Model):
    """A person has orch go on with commits that are not its own."""

    username: Username
    """Who."""
    head_sha: Sha
    """The head of the branch that they have looked at. Whatever was pushed since is not meant."""
    time: Time | None = None
    """When. A request is good for one time; with another time the same commit can be adopted once more."""


class TheirCommit(StatusModel):
    """A commit of somebody else. Author and subject are what it says of itself."""

    sha: Sha
    """The commit."""
    author: Annotated[str, text(64)]
    """The name of its author."""
    subject: Annotated[str, text(120)]
    """The first line of its message."""


class TheirHead(StatusModel):
    """What is on the branch since somebody else has pushed to it, against what orch had put there."""

    head_sha: Sha
    """The head of the branch."""
    commits: Annotated[list[TheirCommit], Field(max_length=5), ATOMIC] = Field(default_factory=list)
    """The newest commits that orch did not put there, newest first."""
    commits_omitted: Count = 0
    """How many more there are than are listed."""
    files: Count | None = None
    """Files that they add, change or delete. Absent while that is not known."""
    additions: Count | None = None
    """Lines that they add."""
    deletions: Count | None = None
    """Lines that they delete."""
