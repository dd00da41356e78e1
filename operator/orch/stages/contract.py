"""What a stage is, what it is given and what it answers. Called by the IssueRun reconciler; holds no way of its own.

A stage makes one fact of the run's status true, or says what it waits for. It may run twice, at any time, or after a
crash anywhere: it looks before it acts, and all that it learns goes into `run.status`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, Protocol

from orch.api.audit import AuditEvent
from orch.api.v1alpha1 import Approval, IssueRun, OrchestratedRepo, RollbackPoint
from orch.api.v1alpha1.reasons import WaitingReason
from orch.policy.approvals import Count
from orch.ports import Artifacts, Clock, Credential, Forge, Git, Issue, Meter, Pull, Remote, WorkRunner


@dataclass(frozen=True)
class Done:
    """The stage's fact is true: the next stage may run."""


@dataclass(frozen=True)
class Again:
    """An earlier stage is unfinished again, because a fact that it rests on has moved (a fix made a new head)."""


@dataclass(frozen=True)
class Waiting:
    """Not yet. `reason` None means that orch itself is at work; a reason becomes the condition `Waiting`."""

    reason: WaitingReason | None
    message: str
    retry_after: timedelta | None = None
    """Look again after this long; None: an event will wake the run, and nothing else does."""


Outcome = Done | Again | Waiting

NOW: Final = timedelta(0)
"""`retry_after` of a stage that has recorded something and can go on at once."""


class Records(Protocol):
    """What stages keep in the cluster beside the run itself. Every create adopts what is there under its name."""

    async def find_approval(self, name: str) -> Approval | None: ...
    async def approvals(self, run: IssueRun, gate: str) -> list[Approval]: ...
    async def ask(self, approval: Approval, run: IssueRun) -> Approval: ...
    async def count(self, approval: Approval) -> Count:
        """What its answers amount to at this moment: with the rule, the people's rights and the enforcement as they are now."""
        ...

    async def write_outcome(self, approval: Approval, previous: Approval) -> None:
        """Write the Approval's status (superseded, consumed) over the one that was read. Raises kube's Conflict."""
        ...

    async def keep_document(self, run: IssueRun, name: str, texts: Mapping[str, str]) -> str:
        """Keep texts for people as an immutable ConfigMap of the run; return its name."""
        ...

    async def record_rollback_point(self, point: RollbackPoint) -> None: ...


class Slots(Protocol):
    """Admission of runs, counted on an assumed state."""

    def admit(self, run: IssueRun, repo: OrchestratedRepo) -> str | None:
        """None: admitted. Else what is full, for people."""
        ...


async def _unsigned() -> Credential | None:
    return None


@dataclass
class RunContext:
    """One look at one run: the objects as just read, the ports, and what was observed on the way."""

    run: IssueRun
    repo: OrchestratedRepo
    forge: Forge
    remote: Remote
    git: Git
    runner: WorkRunner
    artifacts: Artifacts
    meter: Meter
    records: Records
    slots: Slots
    clock: Clock
    default_model: str
    installation: str
    settle: timedelta
    """How long an act with a lost answer may still arrive: so long it is looked for before it is repeated."""
    save: Callable[[], Awaitable[None]]
    """Write the status now, guarded by the resourceVersion; raises kube's Conflict. Called before each effect."""
    fence: Callable[[], None]
    """Raises Transient when the lease may run out before an answer: called in the same breath as an irreversible act."""
    since_step: Callable[[], timedelta] = field(default=lambda: timedelta.max)
    """How long nobody has set the clock: a wait that is measured by written times is at least as long."""
    signing_key: Callable[[], Awaitable[Credential | None]] = field(default=_unsigned)
    """What the repository's commits are signed with, read anew; raises CredentialsRefused when it is named and not there."""
    previous: IssueRun | None = None
    """The attempt that this one retries."""
    issue: Issue | None = None
    pull: Pull | None = None
    open_head: str | None = None
    """The head for which every gate but the host's own was found open in this look."""
    keeps_place: bool = False
    """Whether this look found that the pull request may stay in the merge queue that orch has put it into."""
    lines: Callable[[AuditEvent, Mapping[str, object]], None] = field(default=lambda _event, _fields: None)
    """Lines of the audit log about what the status does not keep; they are written once the status is. What it keeps is told
    by whoever writes it."""


class Stage(Protocol):
    """A step of the way. `__name__` is its name; PIPELINE in `__init__` is the order."""

    __name__: str

    async def __call__(self, ctx: RunContext, /) -> Outcome: ...
