"""The merge queue: what enters is merged with its base on a branch of its own, and the required checks run on that commit.
Where they pass, the base branch moves to it; else the pull request is given back, with the reason.

Who calls it: GraphQL's mutations, routes, the web page; and it follows the server's own events, as an App does. The first entry
of a queue is built and merged, then the next: groups of several are GitHub's way to be faster, and so is its time-out for checks
that never report. Sources: GitHub Docs "Managing a merge queue"; GraphQL `EnqueuePullRequestInput`, `MergeQueueEntry`,
`RemovedFromMergeQueueEvent`, whose reasons are not listed there: those here are what timelines on GitHub show.
"""

from __future__ import annotations

from typing import Any

from . import issues, merging
from .checks import QUEUE_BRANCHES
from .errors import ApiError
from .gitrepo import ZERO, GitError
from .pulls import check_mergeable, commits_of
from .pushes import HEADS, ref_changed
from .records import Issue, Pull, QueueEntry, Repo
from .rules import check_blockers, check_states, review_blockers, rules_for
from .state import State

BOT = "github-merge-queue[bot]"
"""Who merges what went through a queue."""
_ENDINGS = ("synchronize", "closed", "converted_to_draft")
"""What takes a pull request out."""


def find_entry(state: State, repo: Repo, number: int) -> QueueEntry | None:
    """The place of a pull request; None when it is in no queue."""
    return next((entry for entry in state.store.of(QueueEntry, repo.id) if entry.number == number), None)


def position_of(state: State, repo: Repo, entry: QueueEntry) -> int:
    """1 is the first."""
    return sum(row.base_ref == entry.base_ref and row.id <= entry.id for row in state.store.of(QueueEntry, repo.id))


def state_of(entry: QueueEntry) -> str:
    """GraphQL's `MergeQueueEntryState`."""
    return "AWAITING_CHECKS" if entry.group_sha else "QUEUED"


def open_queues(state: State) -> None:
    """At the start: follow events, and go on with what the data holds."""

    def follow(event: str, action: str | None, repo: Repo, payload: dict[str, Any]) -> None:
        if not state.store.of(QueueEntry, repo.id):
            return
        if event == "pull_request" and action in _ENDINGS:
            state.spawn(_drop_ended(state, repo, payload["number"]))
        elif event in ("check_run", "status", "push"):
            state.spawn(_advance(state, repo))

    state.subscribers.append(follow)
    for repo in tuple(state.store.repos()):
        if state.store.of(QueueEntry, repo.id):
            state.spawn(_advance(state, repo))


async def enqueue(
    state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, *, expected: str | None
) -> QueueEntry:
    """Let a pull request in. Raises 422 with what is in the way, which GitHub puts behind "Pull request"."""
    async with state.queue_lock:
        await _check(state, repo, issue, pull, expected)
        entry = QueueEntry(
            id=state.store.new_id(),
            repo_id=repo.id,
            number=pull.number,
            base_ref=pull.base_ref,
            enqueuer=actor,
            enqueued_at=state.clock(),
        )
        state.store.save(entry)
    issues.add_event(state, repo, pull.number, "added_to_merge_queue", actor)
    issues.notify_issue(state, "enqueued", repo, issue, actor)
    state.spawn(_advance(state, repo))
    return entry


async def _check(state: State, repo: Repo, issue: Issue, pull: Pull, expected: str | None) -> None:
    rules = rules_for(repo, pull.base_ref)
    if not any(rule.merge_queue for rule in rules):
        raise ApiError(422, "Pull request merge queue is not enabled for its base branch")
    if issue.state == "closed":
        raise ApiError(422, "Pull request is closed")
    if find_entry(state, repo, pull.number) is not None:
        raise ApiError(422, "Pull request is already in the merge queue")
    if expected is not None and expected != pull.head_sha:
        raise ApiError(422, "Head branch was modified. Review and try the merge again.")
    blockers = review_blockers(state, repo, pull, rules) + check_blockers(state, repo, pull, rules)
    if pull.draft:
        blockers.append("is still a draft")
    if any(rule.locked for rule in rules):
        blockers.append("Cannot change this locked branch")
    tip = await state.git(repo).find_ref(HEADS + pull.base_ref)
    if tip is None or not await check_mergeable(state, repo, pull, tip):
        blockers.append("is not mergeable")
    if blockers:
        raise ApiError(422, f"Pull request {' '.join(blockers)}")


async def dequeue(state: State, repo: Repo, pull: Pull, actor: str) -> QueueEntry:
    """Take a pull request out, as whoever may merge it can. Raises 422."""
    async with state.queue_lock:
        entry = find_entry(state, repo, pull.number)
        if entry is None:
            raise ApiError(422, "Pull request is not in the merge queue")
        await _remove(state, repo, entry, actor, "manual")
    return entry


async def _remove(state: State, repo: Repo, entry: QueueEntry, actor: str, reason: str) -> None:
    """Take an entry out, tell why, and go on with the next."""
    state.store.delete(entry)
    issues.add_event(
        state, repo, entry.number, "removed_from_merge_queue", actor, commit_id=entry.group_sha, reason=reason
    )
    issue = state.store.find_issue(repo.id, entry.number)
    if issue is not None:
        issues.notify_issue(state, "dequeued", repo, issue, actor, reason=reason.upper())
    await _drop_group(state, repo, entry)
    state.spawn(_advance(state, repo))


async def _drop_ended(state: State, repo: Repo, number: int) -> None:
    """A push to the head, a close and a draft end a place in the queue."""
    async with state.queue_lock:
        entry = find_entry(state, repo, number)
        if entry is not None:
            await _remove(state, repo, entry, BOT, "manual")


async def _drop_group(state: State, repo: Repo, entry: QueueEntry) -> None:
    if entry.group_sha is None:
        return
    ref = _group_ref(entry)
    await state.git(repo).delete_ref(ref)
    await ref_changed(state, repo, ref, entry.group_sha, ZERO, BOT)


def _group_ref(entry: QueueEntry) -> str:
    return f"{HEADS}{QUEUE_BRANCHES}{entry.base_ref}/pr-{entry.number}-{entry.group_base}"


async def _advance(state: State, repo: Repo) -> None:
    """Do what can be done now in all queues of a repository."""
    async with state.queue_lock:
        while any([await _step(state, repo, entry) for entry in _firsts(state, repo)]):
            pass


def _firsts(state: State, repo: Repo) -> list[QueueEntry]:
    """The entry of each queue whose turn it is."""
    first: dict[str, QueueEntry] = {}
    for entry in state.store.of(QueueEntry, repo.id):
        first.setdefault(entry.base_ref, entry)
    return list(first.values())


async def _step(state: State, repo: Repo, entry: QueueEntry) -> bool:
    """Build the group, or look at its checks; whether that moved the queue on."""
    issue, pull = state.store.find_issue(repo.id, entry.number), state.store.find_pull(repo.id, entry.number)
    tip = await state.git(repo).find_ref(HEADS + entry.base_ref)
    if issue is None or pull is None or tip is None:
        await _remove(state, repo, entry, BOT, "manual")
        return True
    if entry.group_sha is None or entry.group_base != tip:
        await _drop_group(state, repo, entry)
        return await _build(state, repo, issue, pull, entry, tip)
    states = check_states(state, repo, entry.group_sha)
    names = {name for rule in rules_for(repo, entry.base_ref) for name in rule.required_checks}
    if any(states.get(name) == "failed" for name in names):
        await _remove(state, repo, entry, BOT, "failed_checks")
        return True
    if all(states.get(name) == "passed" for name in names):
        return await _land(state, repo, issue, pull, entry)
    return False


async def _build(state: State, repo: Repo, issue: Issue, pull: Pull, entry: QueueEntry, tip: str) -> bool:
    """The group: the merge of base and head, on its branch, where its checks run."""
    git = state.git(repo)
    method = next(rule.queue_method for rule in rules_for(repo, entry.base_ref) if rule.merge_queue)
    async with git.lock:
        sha = None
        if await check_mergeable(state, repo, pull, tip):
            commits = await commits_of(state, repo, pull)
            sha = await merging.build(state, repo, issue, pull, entry.enqueuer, tip, commits, method)
        entry.group_sha, entry.group_base = sha, tip if sha else None
        if sha is not None:
            await git.update_ref(_group_ref(entry), sha)
    if sha is None:
        await _remove(state, repo, entry, BOT, "merge_conflict")
        return True
    state.store.save(entry)
    await ref_changed(state, repo, _group_ref(entry), ZERO, sha, BOT)
    commit = await git.commit(sha)
    group = {"head_sha": sha, "head_ref": _group_ref(entry), "base_sha": tip, "base_ref": HEADS + entry.base_ref}
    told = {"id": sha, "tree_id": commit.tree, "message": commit.message}
    issues.notify(state, "merge_group", "checks_requested", repo, BOT, merge_group={**group, "head_commit": told})
    return True


async def _land(state: State, repo: Repo, issue: Issue, pull: Pull, entry: QueueEntry) -> bool:
    """Move the base branch to the group."""
    assert entry.group_sha is not None, "its checks have passed"
    assert entry.group_base is not None, "a group has a base"
    git, tip, new = state.git(repo), entry.group_base, entry.group_sha
    async with git.lock:
        try:
            await git.update_ref(HEADS + entry.base_ref, new, tip)
        except GitError:  # somebody has pushed to the base meanwhile: the group is built anew
            return True
    await _remove(state, repo, entry, BOT, "merged")
    await merging.landed(state, repo, issue, pull, BOT, tip=tip, new=new)
    return True
