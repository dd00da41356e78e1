"""What orch asks of the world. Stages and reconcilers see only these Protocols; adapters implement them, `main` joins them.

Every method may raise the errors of `orch.errors`; a method that writes raises `Ambiguous` when the request may have been
carried out. An implementation, or an SDK's type, does not belong here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from orch.ports.forge import (
    BranchRules,
    Check,
    Checks,
    CheckState,
    Comment,
    CommitStatus,
    Credential,
    Forge,
    Forges,
    Issue,
    LabelEvent,
    Permission,
    Pull,
    QueueEntry,
    QueuePlace,
    QueueRemoval,
    RateLimit,
    Remote,
    RepositoryFacts,
    Review,
    StatusState,
)
from orch.ports.git import AddedCommits, Author, CommitFacts, FileChange, Git, MergedFacts, TreeDiff
from orch.ports.work import Artifacts, Meter, StepState, StepStatus, Usage, WorkRunner

__all__ = [
    "AddedCommits",
    "Artifacts",
    "Author",
    "BranchRules",
    "Check",
    "CheckState",
    "Checks",
    "Clock",
    "Comment",
    "CommitFacts",
    "CommitStatus",
    "Credential",
    "FileChange",
    "Forge",
    "Forges",
    "Git",
    "Issue",
    "LabelEvent",
    "MergedFacts",
    "Meter",
    "Permission",
    "Pull",
    "QueueEntry",
    "QueuePlace",
    "QueueRemoval",
    "RateLimit",
    "Remote",
    "RepositoryFacts",
    "Review",
    "StatusState",
    "StepState",
    "StepStatus",
    "TreeDiff",
    "Usage",
    "WorkRunner",
]


class Clock(Protocol):
    """Now, in UTC and aware."""

    def __call__(self) -> datetime: ...
