"""A code host in memory: `orch.ports.Forge`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from tests.builders import BEGAN, PULL, a_labelling, a_pull, an_issue, sha
from tests.fakes.acts import Acts, there

from orch.errors import HeadMoved, NotMergeable, WrongRepository
from orch.ports import (
    BranchRules,
    Check,
    Checks,
    CheckState,
    Comment,
    CommitStatus,
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
)

ORCH = "orch-bot"
"""Our own account."""


class FakeForge:
    """One repository on a code host. `branches` is shared with FakeGit: the server's."""

    def __init__(self, acts: Acts, branches: dict[str, str]) -> None:
        self._acts, self.branches = acts, branches
        self.people = {
            ORCH: Permission.WRITE,
            "alice": Permission.ADMIN,
            "carol": Permission.WRITE,
            "bob": Permission.READ,
        }
        self.issue: Issue | None = an_issue()
        self.labellings: list[LabelEvent] = [a_labelling()]
        self.edited: datetime | None = None
        self.said: list[Comment] = []
        self.pulls: list[Pull] = []
        self.checked: dict[str, tuple[Check, ...]] = {}
        """By commit; others have one check that has passed."""
        self.readable = True
        """Whether we may read check runs."""
        self.reviewed: list[Review] = []
        self.rules = BranchRules()
        self.place = QueuePlace()
        """Of the one pull request, in the merge queue."""
        self.entries = 0
        """How often it has entered it."""
        self.log = "assert 2 == 3"
        self.labels: dict[int, list[str]] = {}
        self.statuses: list[tuple[str, str, CommitStatus]] = []
        """Commit, context and what was said, oldest first."""
        self.pinned = 1
        self.hurries = 0
        """How many looks were in a hurry."""
        self.facts: RepositoryFacts | None = RepositoryFacts(
            id=1,
            node_id="R_1",
            full_name="acme/web",
            default_branch="main",
            visibility="Private",
            archived=False,
            url="https://git.test/acme/web",
            clone_url="https://git.test/acme/web.git",
            empty=False,
            can_push=True,
        )

    @property
    def rate_limit(self) -> RateLimit | None:
        return None

    def remote(self, repository_id: int) -> Remote:
        return Remote(key=f"git.test-{repository_id}", url="https://git.test/acme/web.git")

    def hurry(self) -> None:
        self.hurries += 1

    async def confirm(self) -> None:
        found = there(self.facts, "the repository").id
        if found != self.pinned:
            raise WrongRepository("RepositoryChanged", f"acme/web has id {found} now, it was {self.pinned}")

    async def viewer(self) -> str:
        return ORCH

    async def repository(self) -> RepositoryFacts:
        return there(self.facts, "the repository")

    async def permission(self, login: str) -> Permission:
        return self.people.get(login, Permission.NONE)

    async def labelled_issues(self, labels: Sequence[str]) -> list[Issue]:
        return [self.issue] if self.issue is not None and self.issue.labels & set(labels) else []

    async def get_issue(self, number: int) -> Issue:
        return there(self.issue, f"issue {number}")

    async def label_events(self, number: int) -> list[LabelEvent]:
        return list(self.labellings)

    async def last_edited(self, number: int) -> datetime | None:
        return self.edited

    async def comments(self, number: int) -> list[Comment]:
        return list(self.said)

    async def create_comment(self, number: int, body: str) -> Comment:
        def act() -> Comment:
            identity = 100 + len(self.said)
            comment = Comment(id=identity, author=ORCH, body=body, time=BEGAN, url=f"https://git.test/c/{identity}")
            self.said.append(comment)
            return comment

        return self._acts.do("create_comment", act)

    async def edit_comment(self, comment_id: int, body: str) -> None:
        def act() -> None:
            old = there(next((entry for entry in self.said if entry.id == comment_id), None), "the comment")
            self.said[self.said.index(old)] = replace(old, body=body)

        self._acts.do("edit_comment", act)

    async def add_labels(self, number: int, labels: Sequence[str]) -> None:
        def act() -> None:
            self.labels.setdefault(number, []).extend(labels)
            self._tell_labels(number)

        self._acts.do("add_labels", act)

    def _tell_labels(self, number: int) -> None:
        if self.issue is not None and number == self.issue.number:
            own = frozenset(label for label in self.issue.labels if not label.startswith("orch/"))
            self.issue = replace(self.issue, labels=own | set(self.labels.get(number, [])))

    async def remove_label(self, number: int, label: str) -> None:
        def act() -> None:
            self.labels[number] = [other for other in self.labels.get(number, []) if other != label]
            self._tell_labels(number)

        self._acts.do("remove_label", act)

    async def find_status(self, sha: str, context: str) -> CommitStatus | None:
        return next((said for head, name, said in reversed(self.statuses) if (head, name) == (sha, context)), None)

    async def set_status(self, sha: str, context: str, status: CommitStatus, *, url: str) -> None:
        assert len(status.description) <= 140
        self._acts.do("set_status", lambda: self.statuses.append((sha, context, status)))

    async def find_pull(self, *, head: str) -> Pull | None:
        return next((pull for pull in reversed(self.pulls) if pull.head_branch == head), None)

    async def get_pull(self, number: int) -> Pull:
        pull = there(next((pull for pull in self.pulls if pull.number == number), None), f"pull {number}")
        head = self.branches.get(pull.head_branch, pull.head_sha) if pull.state == "open" else pull.head_sha
        return replace(pull, head_sha=head)

    async def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull:
        def act() -> Pull:
            number = PULL + len(self.pulls)
            pull = a_pull(number=number, head_sha=self.branches[head], head_branch=head, base_branch=base)
            self.pulls.append(pull)
            return pull

        return self._acts.do("open_pull", act)

    async def checks(self, sha: str) -> Checks:
        passed = (Check(name="build", state=CheckState.PASSED, id=1),)
        return Checks(sha=sha, items=self.checked.get(sha, passed), readable=self.readable)

    async def checks_readable(self, branch: str, *, again: bool) -> bool:
        return True

    async def check_log(self, check: Check) -> str:
        return self.log

    async def rerun_check(self, check: Check) -> None:
        """A run with another id begins in its place."""

        def act() -> None:
            for commit, items in self.checked.items():
                fresh = Check(name=check.name, state=CheckState.PENDING, id=(check.id or 0) + 1000)
                self.checked[commit] = tuple(fresh if item.id == check.id else item for item in items)

        self._acts.do("rerun_check", act)

    async def reviews(self, number: int) -> list[Review]:
        return list(self.reviewed)

    async def branch_rules(self, branch: str, *, again: bool = False) -> BranchRules:
        return self.rules

    async def rules_by_name(self, branch: str) -> BranchRules:
        return BranchRules()

    async def merge(self, number: int, *, sha: str, method: str, title: str, message: str) -> str:
        def act() -> str:
            pull = next(pull for pull in self.pulls if pull.number == number)
            if self.branches.get(pull.head_branch) != sha:
                raise HeadMoved("HeadMoved", "Head branch was modified.")
            return self.set_pull(number, state="merged", merge_sha=merged_as(sha), head_sha=sha).merge_sha or ""

        return self._acts.do("merge", act)

    async def queue_place(self, number: int) -> QueuePlace:
        return self.place

    async def enqueue(self, number: int, *, sha: str) -> QueueEntry:
        def act() -> QueueEntry:
            pull = next(pull for pull in self.pulls if pull.number == number)
            if self.place.entry is not None or self.branches.get(pull.head_branch) != sha:
                raise NotMergeable("NotMergeable", "Pull request is already in the merge queue, or has another head")
            return self.stand()

        return self._acts.do("enqueue", act)

    async def dequeue(self, number: int) -> None:
        def act() -> None:
            if self.place.entry is None:
                raise NotMergeable("NotMergeable", "Pull request is not in the merge queue")
            self.give_back("manual")

        self._acts.do("dequeue", act)

    def stand(self, position: int = 1, group: str | None = None) -> QueueEntry:
        """Somebody puts the pull request into the queue, or it moves on there."""
        known = self.place.entry
        self.entries += known is None
        entry = QueueEntry(known.id if known else f"MQE_{self.entries}", position, group)
        self.place = replace(self.place, entry=entry)
        return entry

    def give_back(self, reason: str, group: str | None = None) -> None:
        """The queue lets the pull request go."""
        self.place = QueuePlace(None, QueueRemoval(f"RFMQE_{self.entries}", reason, group))

    async def delete_branch(self, branch: str) -> None:
        self._acts.do("delete_branch", lambda: self.branches.pop(branch, None))

    def edit_issue(self, when: datetime, **facts: object) -> None:
        """Somebody changes the issue's title or text."""
        self.issue, self.edited = replace(there(self.issue, "the issue"), **facts), when  # type: ignore[arg-type]

    def label(self, actor: str, when: datetime, *, added: bool = True) -> None:
        """Somebody puts the label on, or takes it off."""
        labels = frozenset({"orch"}) if added else frozenset()
        self.issue = replace(there(self.issue, "the issue"), labels=labels)
        event = a_labelling(actor, added=added, time=when, id=str(len(self.labellings) + 1))
        self.labellings.append(event)

    def set_pull(self, number: int = PULL, **facts: object) -> Pull:
        """Change facts of a pull request, as people and the world do."""
        place = next(place for place, pull in enumerate(self.pulls) if pull.number == number)
        self.pulls[place] = replace(self.pulls[place], **facts)  # type: ignore[arg-type]
        return self.pulls[place]

    def fail_checks(self, commit: str) -> None:
        """The commit's build is red."""
        self.checked[commit] = (Check(name="build", state=CheckState.FAILED, id=1),)


class FakeForges:
    """Opens forges in memory. `forge(repository)`: that of `owner/name`."""

    def __init__(self, forge: Callable[[str], FakeForge]) -> None:
        self._forge = forge

    def open(
        self,
        *,
        host: str,
        repository: str,
        secret: Mapping[str, bytes],
        tenant: str,
        pinned: int | None,
        polling: bool,
    ) -> FakeForge:
        return self._forge(repository)


def merged_as(head: str) -> str:
    """The commit that a merge of this head makes."""
    return sha(f"merge of {head}")
