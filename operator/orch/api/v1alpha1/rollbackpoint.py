"""RollbackPoint: one merge that can be undone. Created by the operator after a merge; all of it is immutable."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import KubeObject, Model, RepositoryRef
from orch.api.v1alpha1.markers import ATOMIC, Rule, immutable
from orch.api.v1alpha1.types import Number, Sha, Time, line, text
from orch.api.v1alpha1.vocabulary import MergeMethod


class RunRef(Model):
    """The run that made the change."""

    name: Annotated[str, text(253, 1)]
    """Name of the IssueRun."""
    uid: Annotated[str, text(36)] | None = None
    """Its uid."""


class MergeRecord(Model):
    """The merge, as the host told it."""

    method: MergeMethod
    """How it was made; `Unknown` when a person merged."""
    sha: Sha
    """The commit that it made."""
    parent_sha: Sha | None = None
    """The commit of the base branch before it."""
    commits: Annotated[list[Sha], Field(max_length=100), ATOMIC] = Field(default=[])
    """The commits that it brought, oldest first."""
    time: Time | None = None
    """When it was made."""


class RollbackPointSpec(Model):
    """The recorded merge."""

    RULES = (
        Rule(
            "has(self.runRef) == has(oldSelf.runRef) && has(self.pullRequestNumber) == has(oldSelf.pullRequestNumber)"
            " && has(self.description) == has(oldSelf.description)",
            "the recorded merge is immutable",
        ),
    )

    repository_ref: RepositoryRef
    """The OrchestratedRepo in the same namespace."""
    run_ref: Annotated[RunRef, immutable("runRef")] | None = None
    """The run that made the change."""
    base_branch: Annotated[str, text(255, 1), immutable("baseBranch")]
    """The branch that was merged into."""
    pull_request_number: Annotated[Number, immutable("pullRequestNumber")] | None = None
    """The pull request."""
    description: Annotated[str, line(256, least=0), immutable("description")] | None = None
    """What the change was, on one line."""
    merge: Annotated[MergeRecord, immutable("merge")]
    """The merge, as the host told it."""


class RollbackPoint(KubeObject):
    """One merge that can be undone: what was merged, and what it stood on. It has no owner, so it outlives its run."""

    KIND = "RollbackPoint"
    PLURAL = "rollbackpoints"
    SHORT = "rbp"

    spec: RollbackPointSpec
    """The recorded merge."""
