"""The things that the stand-in remembers, one model each; `store` keeps them, `render` turns them into GitHub's JSON.

Who uses them: everything in this package. They hold no behaviour and no URL: those depend on where the server listens.
Times are UTC. `id` is unique over all kinds of one server; `repo_id` says to which repository a record belongs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["read", "triage", "write", "maintain", "admin"]
MergeMethod = Literal["merge", "squash", "rebase"]
ALL_METHODS: tuple[MergeMethod, ...] = ("merge", "squash", "rebase")
ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED", "PENDING"]
TokenKind = Literal["classic", "fine_grained", "app"]
Interruption = Literal["cancelled", "stale", "startup_failure", "action_required"]
Conclusion = Literal["success", "failure", "neutral", "skipped", "timed_out", Interruption]
"""Those that Apps may set, and those that only GitHub sets (`stale`, `startup_failure`)."""


class Record(BaseModel):
    """One row. `repo_id` is 0 for what belongs to no repository."""

    model_config = ConfigDict(extra="forbid", validate_assignment=False)

    id: int
    repo_id: int = 0


class Account(Record):
    """A user, an organisation, or the bot of an App."""

    login: str
    name: str | None = None
    email: str | None = None
    type: Literal["User", "Organization", "Bot"] = "User"
    site_admin: bool = False
    ssh_signing_keys: list[str] = Field(default_factory=list)
    """Public keys that verify commits, as in an authorized_keys file."""
    created_at: datetime


class Token(Record):
    """A credential. Its value is kept because the stand-in must recognise it; it appears in no answer and no log."""

    value: str
    login: str
    kind: TokenKind = "classic"
    scopes: list[str] = Field(default_factory=lambda: ["repo", "workflow"])
    """Classic tokens only."""
    permissions: dict[str, Literal["read", "write"]] = Field(default_factory=dict)
    """Fine-grained and App tokens: contents, issues, pull_requests, statuses, checks, workflows, administration, …"""
    repos: list[str] | None = None
    """Full names that a fine-grained or App token reaches; None for all of its owner's access."""


class CheckSpec(BaseModel):
    """A command that proves a commit, run by the stand-in on each push."""

    model_config = ConfigDict(extra="forbid")

    name: str
    command: str
    """Run by `sh -c` in the root of the checked-out commit; exit 0 is success."""
    env: dict[str, str] = Field(default_factory=dict)
    timeout: float = Field(default=600.0, gt=0)
    """Seconds; after it the check ends `timed_out`."""
    interruptions: list[Interruption] = Field(default_factory=list)
    """How the first runs on each commit end, one after the other, in place of the command; later ones run it."""


class BranchRule(BaseModel):
    """What a branch demands before it moves."""

    model_config = ConfigDict(extra="forbid")

    branch: str = "main"
    """Shell glob over branch names; `*` crosses `/`."""
    kind: Literal["ruleset", "protection"] = "ruleset"
    """Under which of GitHub's two APIs the rule is told."""
    pull_request: bool = True
    """Direct pushes are refused."""
    required_reviews: int = Field(default=0, ge=0, le=10)
    dismiss_stale_reviews: bool = False
    required_checks: list[str] = Field(default_factory=list)
    strict: bool = False
    """The head must contain the base's tip."""
    merge_queue: bool = False
    """Pull requests are merged by the queue alone."""
    queue_method: MergeMethod = "merge"
    """How the queue merges, whatever `merge_methods` says."""
    linear_history: bool = False
    """No merge commits."""
    signatures: bool = False
    """Commits carry a verified signature. Those that the stand-in makes itself count as signed, as GitHub's do; pushed ones do not."""
    locked: bool = False
    """Nobody moves the branch."""
    merge_methods: list[MergeMethod] = Field(default_factory=lambda: list(ALL_METHODS))
    bypass: list[str] = Field(default_factory=list)
    """Logins that the rule does not bind."""


class Repo(Record):
    """One repository; its git data is `DATA/git/OWNER/NAME.git`."""

    owner: str
    name: str
    private: bool = False
    description: str | None = None
    default_branch: str = "main"
    archived: bool = False
    has_issues: bool = True
    fork_of: int | None = None
    collaborators: dict[str, Role] = Field(default_factory=dict)
    checks: list[CheckSpec] = Field(default_factory=list)
    rules: list[BranchRule] = Field(default_factory=list)
    merge_methods: list[MergeMethod] = Field(default_factory=lambda: list(ALL_METHODS))
    delete_branch_on_merge: bool = False
    last_number: int = 0
    created_at: datetime
    updated_at: datetime
    pushed_at: datetime

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


class Label(Record):
    name: str
    color: str = "ededed"
    description: str | None = None
    default: bool = False


class Issue(Record):
    """An issue, or the issue side of a pull request (then `is_pull`)."""

    number: int
    title: str
    body: str | None = None
    user: str
    state: Literal["open", "closed"] = "open"
    state_reason: Literal["completed", "reopened", "not_planned", "duplicate"] | None = None
    labels: list[str] = Field(default_factory=list)
    assignees: list[str] = Field(default_factory=list)
    locked: bool = False
    lock_reason: str | None = None
    created_at: datetime
    updated_at: datetime
    last_edited_at: datetime | None = None
    """When the text was last changed; a change of the title does not count."""
    closed_at: datetime | None = None
    closed_by: str | None = None
    is_pull: bool = False
    gone: Literal["deleted", "transferred"] | None = None
    moved_to: int | None = None
    """After a transfer: id of the issue in its new repository."""


class Pull(Record):
    """The pull request side of an issue with the same number."""

    number: int
    base_ref: str
    base_sha: str
    head_repo_id: int
    head_label: str
    """`owner:branch`, kept for when the fork is gone."""
    head_ref: str
    head_sha: str
    draft: bool = False
    maintainer_can_modify: bool = False
    requested_reviewers: list[str] = Field(default_factory=list)
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_commit_sha: str | None = None
    tested_base: str | None = None
    """Tips for which `mergeable` was computed; other tips mean "not known yet"."""
    tested_head: str | None = None
    mergeable: bool | None = None


class QueueEntry(Record):
    """A pull request's place in the merge queue of its base branch. What is older is in front."""

    number: int
    base_ref: str
    enqueuer: str
    enqueued_at: datetime
    group_base: str | None = None
    """The base branch's tip that its group was built on; None: it has none yet."""
    group_sha: str | None = None


class Comment(Record):
    number: int
    user: str
    body: str
    created_at: datetime
    updated_at: datetime
    app: str | None = None


class Event(Record):
    """An entry of an issue's timeline that is neither a comment nor a review."""

    number: int
    event: str
    actor: str
    created_at: datetime
    commit_id: str | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class Review(Record):
    number: int
    user: str
    body: str = ""
    state: ReviewState
    commit_id: str
    submitted_at: datetime | None = None


class ReviewComment(Record):
    number: int
    review_id: int | None
    user: str
    body: str
    path: str
    commit_id: str
    original_commit_id: str
    diff_hunk: str = ""
    line: int | None = None
    start_line: int | None = None
    side: Literal["LEFT", "RIGHT"] = "RIGHT"
    subject_type: Literal["line", "file"] = "line"
    in_reply_to_id: int | None = None
    created_at: datetime
    updated_at: datetime


class CheckSuite(Record):
    head_sha: str
    head_branch: str | None = None
    app: str
    created_at: datetime
    updated_at: datetime


class CheckRun(Record):
    suite_id: int
    name: str
    head_sha: str
    app: str
    status: Literal["queued", "in_progress", "completed"] = "queued"
    conclusion: Conclusion | None = None
    external_id: str = ""
    details_url: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = Field(default_factory=list)
    spec: CheckSpec | None = None
    """Set when the stand-in itself runs the command."""


class CommitStatus(Record):
    sha: str
    state: Literal["error", "failure", "pending", "success"]
    context: str = "default"
    description: str | None = None
    target_url: str | None = None
    creator: str
    created_at: datetime
    updated_at: datetime


class Hook(Record):
    url: str
    content_type: Literal["json", "form"] = "form"
    secret: str | None = None
    insecure_ssl: str = "0"
    events: list[str] = Field(default_factory=lambda: ["push"])
    active: bool = True
    created_at: datetime
    updated_at: datetime
    last_code: int | None = None
    last_status: str = "unused"
    last_message: str | None = None


KINDS: tuple[type[Record], ...] = (
    Account, Token, Repo, Label, Issue, Pull, Comment, Event, Review, ReviewComment,
    CheckSuite, CheckRun, CommitStatus, Hook, QueueEntry,
)  # fmt: skip
