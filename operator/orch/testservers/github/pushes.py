"""What follows when a ref has moved: events, pull requests that track the branch, closing keywords, checks.

Who calls it: smart HTTP after a push, the refs API, merges and branch updates. The ref is already where it should be.
"""

from __future__ import annotations

import asyncio

from . import checks, issues, pulls
from .gitrepo import ZERO
from .records import Pull, Repo
from .render.checks import simple_commit
from .state import State

HEADS = "refs/heads/"
_LISTED = 20
"""Commits told in a push event. GitHub lists at most 2048; ours are small."""


async def refs_changed(state: State, repo: Repo, before: dict[str, str], after: dict[str, str], actor: str) -> None:
    """Compare two states of a repository's refs and deal with each difference."""
    for ref in sorted(before.keys() | after.keys()):
        old, new = before.get(ref, ZERO), after.get(ref, ZERO)
        if old != new:
            await ref_changed(state, repo, ref, old, new, actor)


async def ref_changed(state: State, repo: Repo, ref: str, old: str, new: str, actor: str) -> None:
    """Deal with one moved ref; what others see later than the push waits for `visibility_delay`."""
    repo.pushed_at = repo.updated_at = state.clock()
    state.store.save(repo)
    if not ref.startswith(HEADS):
        return
    branch = ref.removeprefix(HEADS)
    git = state.git(repo)
    forced = ZERO not in (old, new) and not await git.is_ancestor(old, new)
    if state.subscribers:
        await _tell(state, repo, ref, old, new, actor, forced=forced)
    if old == ZERO and await git.find_ref(HEADS + repo.default_branch) is None:
        repo.default_branch = branch
        state.store.save(repo)
        await git.git("symbolic-ref", "HEAD", ref)
    delay = state.settings.visibility_delay
    if delay > 0:
        state.spawn(_later(delay, state, repo, branch, new, actor, forced=forced, old=old))
    else:
        await _follow(state, repo, branch, new, actor, forced=forced, old=old)


async def _later(
    delay: float, state: State, repo: Repo, branch: str, new: str, actor: str, *, forced: bool, old: str
) -> None:
    await asyncio.sleep(delay)
    await _follow(state, repo, branch, new, actor, forced=forced, old=old)


async def _follow(state: State, repo: Repo, branch: str, new: str, actor: str, *, forced: bool, old: str) -> None:
    tracking = [
        (state.repo(pull.repo_id), pull)
        for target in tuple(state.store.repos())
        for pull in state.store.of(Pull, target.id)
        if (pull.head_repo_id, pull.head_ref) == (repo.id, branch) and issues.is_open_pull(state, target, pull)
    ]
    for target, pull in tracking:
        if new == ZERO:
            _head_deleted(state, target, pull, actor)
        else:
            await pulls.head_moved(state, target, pull, new, actor, forced=forced)
            if target.id != repo.id:
                checks.start(state, target, new, None)
    if new == ZERO:
        return
    await _merged_by_push(state, repo, branch, new, actor)
    if branch == repo.default_branch and old != ZERO:
        for commit in await state.git(repo).log(new, f"^{old}", limit=100):
            issues.close_by_keywords(state, repo, commit.message, actor, commit.sha)
    checks.start(state, repo, new, branch)


def _head_deleted(state: State, repo: Repo, pull: Pull, actor: str) -> None:
    """GitHub closes a pull request whose head branch is deleted."""
    issue = state.store.find_issue(repo.id, pull.number)
    issues.add_event(state, repo, pull.number, "head_ref_deleted", actor)
    if issue is not None:
        issues.close(state, repo, issue, actor)


async def _merged_by_push(state: State, repo: Repo, branch: str, new: str, actor: str) -> None:
    """A pull request whose head arrived on its base by other ways counts as merged."""
    for pull in state.store.of(Pull, repo.id):
        if pull.base_ref != branch or not issues.is_open_pull(state, repo, pull):
            continue
        issue = state.store.find_issue(repo.id, pull.number)
        if issue is not None and await state.git(repo).is_ancestor(pull.head_sha, new):
            pull.merged_at, pull.merged_by, pull.merge_commit_sha = state.clock(), actor, new
            state.store.save(pull)
            issues.add_event(state, repo, pull.number, "merged", actor, commit_id=new)
            issues.close(state, repo, issue, actor)


async def _tell(state: State, repo: Repo, ref: str, old: str, new: str, actor: str, *, forced: bool) -> None:
    git = state.git(repo)
    exclude = [f"^{old}"] if old != ZERO else []
    commits = [] if new == ZERO else await git.log(new, *exclude, limit=_LISTED)
    listed = [simple_commit(commit) | {"distinct": True} for commit in reversed(commits)]
    issues.notify(
        state, "push", None, repo, actor,
        ref=ref, before=old, after=new, created=old == ZERO, deleted=new == ZERO, forced=forced, base_ref=None,
        compare=f"{state.url}/{repo.full_name}/compare/{old[:12]}...{new[:12]}",
        commits=listed, head_commit=listed[-1] if listed else None, pusher={"name": actor, "email": None},
    )  # fmt: skip
    if ZERO in (old, new):
        name = "create" if old == ZERO else "delete"
        branch = ref.removeprefix(HEADS)
        issues.notify(state, name, None, repo, actor, ref=branch, ref_type="branch", pusher_type="user")
