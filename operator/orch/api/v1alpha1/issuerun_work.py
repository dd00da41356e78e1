"""IssueRun, what orch has done: work steps, effects on the world, attempts, money, artifacts. Status only."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from orch.api.v1alpha1.common import StatusModel
from orch.api.v1alpha1.types import (
    Count,
    Digest,
    DnsLabel,
    LongCount,
    Money,
    Time,
    text,
)
from orch.api.v1alpha1.vocabulary import (
    ArtifactKind,
    FailureClass,
    RunStage,
)


class ArtifactRef(StatusModel):
    """Where an artifact is kept."""

    kind: ArtifactKind
    """ConfigMap: in this namespace. Object: in the artifact store. GitRef: in the repository. URL: a page."""
    name: Annotated[str, text(253, 1)]
    """Name of the ConfigMap, digest of the object, name of the ref, or the address."""
    key: Annotated[str, text(253)] | None = None
    """Key in the ConfigMap."""
    digest: Digest | None = None
    """Digest of the content."""
    size_bytes: LongCount | None = None
    """Length of the content."""


class Artifact(StatusModel):
    """Something that the run has left for people."""

    name: DnsLabel
    """What it is, e.g. `transcript-implement-1`."""
    ref: ArtifactRef
    """Where it is kept."""


class AttemptsStatus(StatusModel):
    """How many attempts are used up."""

    implement: Count = 0
    """Implementations."""
    test_fix: Count = 0
    """Rounds in which red tests or lint went back to the model."""
    checks_fix: Count = 0
    """Fixes of red checks."""
    review_fix: Count = 0
    """Fixes of a review's findings."""
    conflict_fix: Count = 0
    """Fixes of conflicts."""
    transient: Count = 0
    """Failures in a row that were worth another try."""


class StepState(StrEnum):
    """Where a work step is."""

    INTENDED = "Intended"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    LOST = "Lost"
    CANCELLED = "Cancelled"


class Runner(StrEnum):
    """What runs a work step."""

    JOB = "Job"
    SUBPROCESS = "Subprocess"


class Step(StatusModel):
    """A work step: an untrusted program that runs away from every credential."""

    name: Annotated[str, text(80, 1)]
    """`<run>-<stage>-<n>`: also the name of the Job or of the process's folder."""
    state: StepState
    """Where it is; `Lost` when it was started and cannot be found."""
    stage: RunStage
    """The stage that asked for it."""
    attempt: Annotated[int, Field(ge=1, json_schema_extra={"format": "int32"})]
    """The n-th step of its kind in this run."""
    runner: Runner | None = None
    """What runs it."""
    runner_uid: Annotated[str, text(64)] | None = None
    """The Job's uid or the process's id; set once it was started."""
    input_digest: Digest | None = None
    """The artifact that it was given."""
    output_digest: Digest | None = None
    """The report that it gave back."""
    start_time: Time | None = None
    """When it was started."""
    completion_time: Time | None = None
    """When it ended."""
    reason: Annotated[str, text(128)] | None = None
    """How it ended."""
    cost_usd: Money | None = None
    """US dollars that it has spent on models."""


class EffectState(StrEnum):
    """Where an effect on the outside world is."""

    INTENDED = "Intended"
    DONE = "Done"
    UNKNOWN = "Unknown"


class Effect(StatusModel):
    """Something orch does in the outside world, once."""

    key: Annotated[str, text(128, 1)]
    """What is done, and on what, e.g. `push/<sha>`."""
    state: EffectState
    """`Intended` before it is sent, `Unknown` when the answer was lost: it is looked up, never blindly repeated."""
    digest: Digest | None = None
    """Digest of what was sent."""
    observed: Annotated[str, text(512)] | None = None
    """What was seen of it, e.g. a number or a commit."""
    time: Time
    """When the state last changed."""


class UsageStatus(StatusModel):
    """What the run has used of models, by the gateway's book."""

    model_calls: LongCount = 0
    """Calls."""
    input_tokens: LongCount = 0
    """Tokens read at the full price."""
    output_tokens: LongCount = 0
    """Tokens written."""
    cache_read_tokens: LongCount = 0
    """Tokens read from the prompt cache."""
    cache_write_tokens: LongCount = 0
    """Tokens written to the prompt cache."""
    cost_usd: Money = Decimal(0)
    """US dollars spent."""
    reserved_usd: Money = Decimal(0)
    """US dollars that calls under way may still cost."""


class FailureStatus(StatusModel):
    """Why the run ended without a merge, or what holds it up."""

    class_: Annotated[FailureClass, Field(alias="class")]
    """What the loop does about it."""
    reason: Annotated[str, text(128)]
    """For machines."""
    message: Annotated[str, text(1024)]
    """For people: what was wrong, where, what to do."""
    stage: RunStage | None = None
    """The stage in which it happened."""
