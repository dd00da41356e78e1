"""What orch asks of the world. Stages and reconcilers see only these Protocols; adapters implement them, `main` joins them.

No SDK type crosses this line. Every method may raise the errors of `orch.errors`; a method that writes raises
`Ambiguous` when the request may have been carried out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Protocol

from orch.api.work import StepInput


class Clock(Protocol):
    """Now, in UTC and aware."""

    def __call__(self) -> datetime: ...


# --- the code host -----------------------------------------------------------------------------------------------


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


@dataclass(frozen=True)
class Check:
    """A check run or a commit status on one commit."""

    name: str
    state: CheckState
    url: str = ""
    summary: str = ""
    id: int | None = None
    """Of the check run; None for a commit status."""


@dataclass(frozen=True)
class Checks:
    """All checks of one commit. `readable`: False if the credential may not read check runs and only statuses are in."""

    sha: str
    items: tuple[Check, ...]
    readable: bool = True


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


@dataclass(frozen=True)
class RateLimit:
    """The core quota after the last answer."""

    limit: int
    remaining: int
    reset_time: datetime


@dataclass(frozen=True)
class Credential:
    """What a Secret holds. Never printed: the value is behind a method of its own."""

    login_hint: str
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

    async def comments(self, number: int) -> list[Comment]:
        """All comments, oldest first."""
        ...

    async def create_comment(self, number: int, body: str) -> Comment: ...
    async def edit_comment(self, comment_id: int, body: str) -> None: ...
    async def add_labels(self, number: int, labels: Sequence[str]) -> None: ...
    async def find_pull(self, *, head: str) -> Pull | None:
        """The newest pull request from branch `head` of this repository, whatever its state."""
        ...

    async def get_pull(self, number: int) -> Pull: ...
    async def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull: ...
    async def checks(self, sha: str) -> Checks: ...
    async def check_log(self, check: Check) -> str:
        """The last 64 kB of what a check printed, or its summary where no log can be had. Untrusted text."""
        ...

    async def reviews(self, number: int) -> list[Review]:
        """The latest deciding review of each author, and later comments; oldest first."""
        ...

    async def branch_rules(self, branch: str) -> BranchRules: ...
    async def update_branch(self, number: int, *, expected_head: str) -> None:
        """Merge base into the head on the server. Raises HeadMoved, NotMergeable (conflict)."""
        ...

    async def merge(self, number: int, *, sha: str, method: str, title: str, message: str) -> str:
        """Merge if the head still is `sha`; return the merge commit. `method`: Squash, Merge or Rebase.
        Raises HeadMoved (409), NotMergeable (405; the text names the rule), RateLimited, Ambiguous."""
        ...

    async def close_pull(self, number: int) -> None: ...
    async def delete_branch(self, branch: str) -> None:
        """Delete a branch; one that is gone already is no error."""
        ...


class Forges(Protocol):
    """Opens a Forge for a repository. `host` names an entry of the operator's list of hosts. Raises PolicyDenied for an
    unknown host, CredentialsRefused for a Secret without a usable key."""

    def open(self, *, host: str, repository: str, secret: Mapping[str, bytes], tenant: str) -> Forge: ...


# --- git ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FileChange:
    """One path of a tree diff with renames off. Modes are git's, `000000` where the side does not exist."""

    path: str
    status: str
    """A, M, D or T."""
    old_mode: str
    new_mode: str
    size: int
    """Bytes of the new blob; 0 when deleted."""
    binary: bool
    additions: int
    deletions: int


@dataclass(frozen=True)
class TreeDiff:
    """What a commit changes against its merge base, as facts for the guards."""

    digest: str
    """sha256 over the raw tree diff (paths, modes, blob ids): equal content, equal digest, whatever the commits are."""
    tree: str
    changes: tuple[FileChange, ...]
    added_text: Mapping[str, str]
    """Path → the added lines of text files, capped; for the secret guard."""
    all_paths: frozenset[str] = frozenset()
    """Paths of the new tree that collide with another one when case-folded and NFC-normalised, and did not before."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Path → `lfs` for changed paths that a filter would rewrite, `orch.dev` for files that mention our own manifests."""


@dataclass(frozen=True)
class Author:
    """Who a commit says it is by."""

    name: str
    email: str


@dataclass(frozen=True)
class MergedFacts:
    """A merge as the base branch's history shows it."""

    parent: str
    """The first parent of the merge commit: where the branch was before a squash or a merge commit."""
    commits: tuple[str, ...]
    """The commits on the first-parent line after `base` that end in the merge, oldest first."""
    time: datetime
    """Committer date of the merge commit."""


class Git(Protocol):
    """Our bare mirrors. Each act runs git in a child process of its own, without system, user or repository hooks."""

    async def fetch(self, remote: Remote, branch: str) -> str:
        """Bring the branch into the mirror; return its head sha. Raises NotFound (no such branch, or empty)."""
        ...

    async def remote_sha(self, remote: Remote, branch: str) -> str | None:
        """The branch's head on the server now (ls-remote)."""
        ...

    async def bundle(self, remote: Remote, shas: Sequence[str]) -> Path:
        """A bundle file with the history of `shas`, for a work step. The caller deletes it."""
        ...

    async def import_bundle(self, remote: Remote, bundle: Path, *, sha: str) -> None:
        """Bring a work step's commit into a quarantine of the mirror: fsck, size and object limits. Raises Terminal."""
        ...

    async def diff(self, remote: Remote, *, base: str, sha: str) -> TreeDiff:
        """The tree diff from the merge base of `base` and `sha` to `sha`."""
        ...

    async def patch(self, remote: Remote, *, base: str, sha: str) -> str:
        """The same as text for people, at most 900 kB."""
        ...

    async def commit(
        self, remote: Remote, *, tree_of: str, parents: Sequence[str], message: str, author: Author, time: datetime
    ) -> str:
        """Build our own commit: the tree of `tree_of`, our parents, author and message. The same input gives the same sha."""
        ...

    async def merge(
        self, remote: Remote, *, ours: str, theirs: str, message: str, author: Author, time: datetime
    ) -> str | None:
        """A merge commit of `theirs` into `ours`, made in the mirror; None when they conflict."""
        ...

    async def merged(self, remote: Remote, *, sha: str, base: str) -> MergedFacts:
        """What the merge that ended in `sha` brought to a branch that was at or behind `base` before."""
        ...

    async def push(self, remote: Remote, *, sha: str, branch: str, expected: str | None) -> None:
        """Push with `--force-with-lease=<branch>:<expected>`; `None` means the branch must not exist. Raises HeadMoved."""
        ...

    async def is_ancestor(self, remote: Remote, *, ancestor: str, sha: str) -> bool: ...


# --- work, artifacts, money --------------------------------------------------------------------------------------


class StepState(StrEnum):
    """What a runner knows of a step. GONE: it was started and is not there any more."""

    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    GONE = "Gone"


@dataclass(frozen=True)
class StepStatus:
    """`report` is the digest of the StepReport, set when SUCCEEDED; `message` says why it FAILED."""

    state: StepState
    report: str | None = None
    message: str = ""


class WorkRunner(Protocol):
    """Runs work steps away from every credential. A step is named; starting a name again finds the running one."""

    kind: str
    """Job or Subprocess, as `status.steps[].runner` says it."""

    async def start(self, step: StepInput, *, input_digest: str, ticket: str, seconds: float) -> str:
        """Start the step, or find it started; return the runner's uid. It is killed after `seconds`."""
        ...

    async def observe(self, name: str, uid: str) -> StepStatus: ...
    async def cancel(self, name: str, uid: str) -> None:
        """End the step and all its processes; one that has ended is no error."""
        ...

    async def forget(self, name: str) -> None:
        """Remove what is left of a finished step."""
        ...


class Artifacts(Protocol):
    """Content-addressed blobs, `sha256:<hex>`. Reading checks the digest."""

    async def put(self, data: bytes) -> str: ...
    async def put_file(self, path: Path) -> str: ...
    async def get(self, digest: str, *, limit: int) -> bytes:
        """Raises NotFound, Terminal when larger than `limit` bytes or when the content is not that of the digest."""
        ...

    async def get_file(self, digest: str, path: Path, *, limit: int) -> None: ...


@dataclass(frozen=True)
class Usage:
    """What a run has used so far, and each of its steps (by step name)."""

    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    reserved_usd: Decimal = Decimal(0)
    steps: Mapping[str, Decimal] = field(default_factory=dict)


class Meter(Protocol):
    """The gateway's book, and the tickets that open it."""

    async def usage(self, identity: str) -> Usage: ...
    def ticket(self, step: StepInput, *, input_digest: str, limit_usd: Decimal, expires: datetime) -> str: ...
