"""What orch asks of a code host, and the facts that it answers with. No SDK type crosses this line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Protocol


class Permission(IntEnum):
    """Repository roles in GitHub's order; custom roles count as the base role that GitHub reports."""

    NONE = 0
    READ = 1
    TRIAGE = 2
    WRITE = 3
    MAINTAIN = 4
    ADMIN = 5


@dataclass(frozen=True)
class RepositoryFacts:
    """Who the repository is. `id` never changes, the name may."""

    id: int
    node_id: str
    full_name: str
    default_branch: str
    visibility: str
    """Public, Private or Internal."""
    archived: bool
    url: str
    clone_url: str
    empty: bool
    can_push: bool
    """Whether the credential may write contents."""
    merge_methods: frozenset[str] | None = None
    """Squash, Merge, Rebase: what the settings allow; None where the credential is not told."""


@dataclass(frozen=True)
class Issue:
    """An issue as it is now. `state`: open or closed; a pull request is none."""

    number: int
    title: str
    body: str
    author: str
    state: str
    labels: frozenset[str]
    url: str
    locked: bool = False


@dataclass(frozen=True)
class LabelEvent:
    """A label was put on or taken off: who, when. `id` is GitHub's, stable, used as the trigger's eventID."""

    id: str
    actor: str
    label: str
    added: bool
    time: datetime


@dataclass(frozen=True)
class Comment:
    """A comment on an issue or pull request."""

    id: int
    author: str
    body: str
    time: datetime
    url: str = ""


@dataclass(frozen=True)
class Pull:
    """A pull request as it is now."""

    number: int
    url: str
    state: str
    """open, closed or merged."""
    draft: bool
    head_sha: str
    head_branch: str
    base_branch: str
    labels: frozenset[str]
    mergeable: bool | None
    """None while GitHub still computes it."""
    mergeable_state: str
    """GitHub's word: clean, blocked, behind, dirty, unstable, draft, unknown."""
    merge_sha: str | None = None
    """Set when merged."""


class CheckState(StrEnum):
    """Neutral and skipped count as passed (GitHub's rule for required checks)."""

    PENDING = "Pending"
    PASSED = "Passed"
    FAILED = "Failed"
    INTERRUPTED = "Interrupted"
    """It ended and says nothing about the commit: it was cancelled, given up or could not start, or asks a person to act."""


@dataclass(frozen=True)
class Check:
    """A check run or a commit status on one commit."""

    name: str
    state: CheckState
    url: str = ""
    summary: str = ""
    id: int | None = None
    """Of the check run; None for a commit status."""
    ending: str = ""
    """The host's own word for how an interrupted check ended."""
    can_rerun: bool = False
    """Whether `rerun_check` is for it."""


@dataclass(frozen=True)
class Checks:
    """All checks of one commit. `readable`: False if the credential may not read check runs and only statuses are in."""

    sha: str
    items: tuple[Check, ...]
    readable: bool = True


class StatusState(StrEnum):
    """What a commit status says. GitHub's `error` is read as a failure, and never written."""

    PENDING = "Pending"
    SUCCESS = "Success"
    FAILURE = "Failure"


@dataclass(frozen=True)
class CommitStatus:
    """What is said of a commit under one context. `description`: at most 140 characters, GitHub's limit."""

    state: StatusState
    description: str


@dataclass(frozen=True)
class Review:
    """A person's review. `state`: APPROVED, CHANGES_REQUESTED, COMMENTED or DISMISSED."""

    id: int
    author: str
    state: str
    body: str
    sha: str
    time: datetime
    comments: tuple[str, ...] = ()
    """Line comments as `path:line: text`."""


@dataclass(frozen=True)
class BranchRules:
    """What the repository demands of a merge into one branch (classic protection and rulesets together)."""

    required_checks: frozenset[str] = frozenset()
    required_approvals: int = 0
    up_to_date: bool = False
    merge_queue: bool = False
    queue_method: str | None = None
    """Squash, Merge or Rebase: how the merge queue merges, whatever else the rules allow; None: there is none."""
    pull_request: bool = False
    """Commits arrive by pull requests only."""
    merge_methods: frozenset[str] | None = None
    """Squash, Merge, Rebase: what the rules allow; None: all."""
    linear_history: bool = False
    signatures: bool = False
    locked: bool = False
    """The branch may not be created, or not be moved."""
    others: frozenset[str] = frozenset()
    """What else is demanded of a merge, in GitHub's words."""
    hidden: bool = False
    """There is classic protection, of which the credential is told the checks alone."""


@dataclass(frozen=True)
class QueueEntry:
    """A place in a merge queue, as it is now. `id` is the entry's own: who leaves and enters again has another one."""

    id: str
    position: int
    """1 is the next."""
    group_sha: str | None = None
    """The merge whose checks are waited for; None: it is not made yet."""


@dataclass(frozen=True)
class QueueRemoval:
    """A pull request left a merge queue. `reason`: the host's own word, such as merged, failed_checks, merge_conflict, manual."""

    id: str
    reason: str
    group_sha: str | None = None


@dataclass(frozen=True)
class QueuePlace:
    """How a pull request stands to the merge queue of its base branch. `removal`: the last time that it left it."""

    entry: QueueEntry | None = None
    removal: QueueRemoval | None = None


@dataclass(frozen=True)
class RateLimit:
    """The core quota after the last answer."""

    limit: int
    remaining: int
    reset_time: datetime


@dataclass(frozen=True)
class Credential:
    """What a Secret holds. Never printed: the value is behind a method of its own."""

    _token: str = field(repr=False)

    def reveal(self) -> str:
        """The token, for the adapter that sends it."""
        return self._token


@dataclass(frozen=True)
class Remote:
    """Where a repository is fetched from and pushed to, and as whom. `key` names our mirror of it (host and id)."""

    key: str
    url: str
    credential: Credential | None = field(repr=False, default=None)


class Forge(Protocol):
    """One repository on a code host, with one credential."""

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last answer said; None before the first."""
        ...

    def remote(self, repository_id: int) -> Remote:
        """Where git finds this repository, with this Forge's credential."""
        ...

    def hurry(self) -> None:
        """Somebody has just put a label on and waits for a sign: from now on this Forge's requests go before the tenant's
        others. Never before another tenant's."""
        ...

    async def confirm(self) -> None:
        """See that the name still belongs to the repository that was pinned. Each write of this Forge does that first, unless it
        was seen a few seconds ago; git's pushes cannot. Raises WrongRepository."""
        ...

    async def viewer(self) -> str:
        """Login of the credential's account."""
        ...

    async def repository(self) -> RepositoryFacts: ...
    async def permission(self, login: str) -> Permission:
        """Live permission; NONE for a stranger."""
        ...

    async def labelled_issues(self, labels: Sequence[str]) -> list[Issue]:
        """Open issues (no pull requests) that carry at least one of `labels`, oldest first. Conditional: free when unchanged."""
        ...

    async def get_issue(self, number: int) -> Issue:
        """Raises NotFound if it was deleted or transferred."""
        ...

    async def label_events(self, number: int) -> list[LabelEvent]:
        """All labelling of an issue or pull request, oldest first."""
        ...

    async def last_edited(self, number: int) -> datetime | None:
        """When the title or the text of an issue was last changed, by the host's clock; None: never."""
        ...

    async def comments(self, number: int) -> list[Comment]:
        """All comments, oldest first."""
        ...

    async def create_comment(self, number: int, body: str) -> Comment: ...
    async def edit_comment(self, comment_id: int, body: str) -> None: ...
    async def add_labels(self, number: int, labels: Sequence[str]) -> None: ...
    async def remove_label(self, number: int, label: str) -> None:
        """Take a label off; one that is not on is no error."""
        ...

    async def find_status(self, sha: str, context: str) -> CommitStatus | None:
        """What stands under a context of a commit; None: nothing yet."""
        ...

    async def set_status(self, sha: str, context: str, status: CommitStatus, *, url: str) -> None:
        """Say something of a commit, in place of what stood under the context. `url`: where its name leads to, may be empty.
        Raises CredentialsRefused when the credential may not."""
        ...

    async def find_pull(self, *, head: str) -> Pull | None:
        """The newest pull request from branch `head` of this repository, whatever its state."""
        ...

    async def get_pull(self, number: int) -> Pull: ...
    async def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull: ...
    async def checks(self, sha: str) -> Checks: ...
    async def checks_readable(self, branch: str, *, again: bool) -> bool:
        """Whether check runs may be read, as the last answer said. Asked about the head of `branch` when nothing is known, or
        `again` when it was refused: a permission may have been granted."""
        ...

    async def check_log(self, check: Check) -> str:
        """The last 64 kB of what a check printed, or its summary where no log can be had. Untrusted text."""
        ...

    async def rerun_check(self, check: Check) -> None:
        """Have an interrupted check run again; its next run has another id. Raises CredentialsRefused or NotFound when the
        credential may not, StillRunning while others of its jobs run."""
        ...

    async def reviews(self, number: int) -> list[Review]:
        """The latest deciding review of each author, and later comments; oldest first."""
        ...

    async def branch_rules(self, branch: str, *, again: bool = False) -> BranchRules:
        """What is demanded of a branch that is there; what was refused is asked for once a day, or `again`. Raises NotFound."""
        ...

    async def rules_by_name(self, branch: str) -> BranchRules:
        """What rulesets demand of any branch of this name, whether or not it is there."""
        ...

    async def merge(self, number: int, *, sha: str, method: str, title: str, message: str) -> str:
        """Merge if the head still is `sha`; return the merge commit. `method`: Squash, Merge or Rebase.
        Raises HeadMoved (409), NotMergeable (405; the text names the rule), RateLimited, Ambiguous."""
        ...

    async def queue_place(self, number: int) -> QueuePlace:
        """Whether a pull request is in the merge queue, and why it last left it. Never conditional: it costs quota."""
        ...

    async def enqueue(self, number: int, *, sha: str) -> QueueEntry:
        """Put a pull request into the merge queue if its head still is `sha`: from then on the host merges it by itself.
        Raises NotMergeable with the host's words, also for one that is in it already; RateLimited, Ambiguous."""
        ...

    async def dequeue(self, number: int) -> None:
        """Take a pull request out of the merge queue. Raises NotMergeable for one that is not in it, or that is being merged."""
        ...

    async def delete_branch(self, branch: str) -> None:
        """Delete a branch; one that is gone already is no error."""
        ...


class Forges(Protocol):
    """Opens a Forge for a repository. `host` names an entry of the operator's list of hosts. Raises PolicyDenied for an
    unknown host, CredentialsRefused for a Secret without a usable key. `pinned`: the repository's id as it was first seen;
    without one nothing can be written. `polling`: its reads look for new work, and leave the end of the hour's quota to those
    that a run waits for."""

    def open(
        self,
        *,
        host: str,
        repository: str,
        secret: Mapping[str, bytes],
        tenant: str,
        pinned: int | None,
        polling: bool,
    ) -> Forge: ...
