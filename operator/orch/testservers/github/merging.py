"""Merging a pull request: every precondition in GitHub's words, then real commits by plumbing.

Who calls it: `routes.merges`, GraphQL's mutations, `merge_queue`.
Source: GitHub REST "Merge a pull request" (405 not mergeable, 409 head moved).
"""

from __future__ import annotations

from . import issues
from .errors import ApiError, invalid
from .gitrepo import ZERO, Commit, GitError, GitRepo
from .pulls import check_mergeable, commits_of, committer, person
from .pushes import HEADS, ref_changed
from .records import Issue, Pull, QueueEntry, Repo
from .rules import check_blockers, review_blockers, rules_for
from .state import State

METHODS = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}


async def merge(
    state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, *,
    method: str, sha: str | None, title: str | None, message: str | None,
) -> str:  # fmt: skip
    """Merge and return the sha of the commit on the base branch.

    Raises 405, 409 or 422 and then has changed nothing.
    """
    git = state.git(repo)
    async with git.lock:
        tip = await _check(state, repo, issue, pull, actor, method, sha)
        if not await check_mergeable(state, repo, pull, tip):
            raise ApiError(405, "Pull Request is not mergeable")
        commits = await commits_of(state, repo, pull)
        new = await build(state, repo, issue, pull, actor, tip, commits, method, (title, message))
        try:
            await git.update_ref(f"refs/heads/{pull.base_ref}", new, tip)
        except GitError:
            raise ApiError(405, "Base branch was modified. Review and try the merge again.") from None
    await landed(state, repo, issue, pull, actor, tip=tip, new=new)
    return new


async def landed(state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, *, tip: str, new: str) -> None:
    """What follows when the base branch has moved from `tip` to the merge `new`."""
    now = state.clock()
    pull.merged_at, pull.merged_by, pull.merge_commit_sha, pull.base_sha = now, actor, new, tip
    state.store.save(pull)
    issues.add_event(state, repo, pull.number, "merged", actor, commit_id=new)
    issues.close(state, repo, issue, actor, commit_id=None)
    if pull.base_ref == repo.default_branch:
        issues.close_by_keywords(state, repo, issue.body or "", actor, new)
    await ref_changed(state, repo, HEADS + pull.base_ref, tip, new, actor)
    head = state.store.find(Repo, pull.head_repo_id)
    if repo.delete_branch_on_merge and head is not None and pull.head_ref != head.default_branch:
        await state.git(head).delete_ref(HEADS + pull.head_ref)
        await ref_changed(state, head, HEADS + pull.head_ref, pull.head_sha, ZERO, actor)


async def _check(state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, method: str, sha: str | None) -> str:
    """Raise what stands in the way; return the base's tip."""
    if method not in METHODS:
        raise invalid("PullRequest", "merge_method", "invalid")
    if issue.state == "closed":
        raise ApiError(405, "Pull Request is not mergeable")
    if sha is not None and sha != pull.head_sha:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    if pull.draft:
        raise ApiError(405, "Pull Request is still a draft")
    if any(entry.number == pull.number for entry in state.store.of(QueueEntry, repo.id)):
        raise ApiError(405, "Pull Request is in the merge queue")
    tip = await state.git(repo).find_ref(f"refs/heads/{pull.base_ref}")
    if tip is None:
        raise ApiError(405, "Pull Request is not mergeable")
    if method not in repo.merge_methods:
        raise ApiError(405, f"{METHODS[method]} are not allowed on this repository.")
    blockers = await _rule_blockers(state, repo, issue, pull, actor, method, tip)
    if blockers:
        raise ApiError(405, "Repository rule violations found\n\n" + "\n\n".join(blockers) + "\n\n")
    return tip


async def _rule_blockers(
    state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, method: str, tip: str
) -> list[str]:
    rules = rules_for(repo, pull.base_ref, actor)
    blockers = review_blockers(state, repo, pull, rules) + check_blockers(state, repo, pull, rules)
    if any(rule.merge_queue for rule in rules):
        blockers.append("Changes must be made through the merge queue")
    if any(method not in rule.merge_methods for rule in rules):
        blockers.append(f"{METHODS[method]} are not allowed on this branch.")
    if method == "merge" and any(rule.linear_history for rule in rules):
        blockers.append("This branch must not contain merge commits.")
    if any(rule.signatures for rule in rules) and not await _is_verified(state, repo, issue, pull, actor, method):
        blockers.append("Commits must have verified signatures.")
    if any(rule.locked for rule in rules):
        blockers.append("Cannot change this locked branch")
    if any(rule.strict for rule in rules) and not await state.git(repo).is_ancestor(tip, pull.head_sha):
        blockers.append("Head branch is out of date. Review and try the merge again.")
    return blockers


async def _is_verified(state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, method: str) -> bool:
    """Whether all that would reach the base branch is signed. GitHub signs what it makes itself: the merge commit, and a squash
    for the author of the pull request. Source: GitHub Docs, "About protected branches", "Require signed commits"."""
    if method != "merge":
        return method == "squash" and issue.user == actor
    keys = [key for account in state.store.accounts() for key in account.ssh_signing_keys]
    git = state.git(repo)
    return all([await git.is_signed(commit.sha, keys) for commit in await commits_of(state, repo, pull)])


async def build(
    state: State, repo: Repo, issue: Issue, pull: Pull, actor: str, tip: str, commits: list[Commit], method: str,
    texts: tuple[str | None, str | None] = (None, None),
) -> str:  # fmt: skip
    """Write the commit, or commits, that the merge is. No branch moves. The caller has seen that it merges cleanly."""
    git = state.git(repo)
    if method == "rebase":
        return await _rebase(state, git, tip, commits)
    tree = await git.merge_tree(tip, pull.head_sha)
    assert tree is not None, "the caller has tested the merge"
    title, body = _squash_texts(issue, commits) if method == "squash" else _merge_texts(issue, pull)
    title = texts[0] if texts[0] is not None else title
    body = texts[1] if texts[1] is not None else body
    message = f"{title}\n\n{body}" if body else title
    if method == "squash":
        return await git.commit_tree(tree, [tip], message, person(state, issue.user), committer(state))
    return await git.commit_tree(tree, [tip, pull.head_sha], message, person(state, actor), committer(state))


def _merge_texts(issue: Issue, pull: Pull) -> tuple[str, str]:
    """GitHub's defaults: MERGE_MESSAGE and PR_TITLE."""
    return f"Merge pull request #{issue.number} from {pull.head_label.replace(':', '/', 1)}", issue.title


def _squash_texts(issue: Issue, commits: list[Commit]) -> tuple[str, str]:
    """GitHub's defaults: COMMIT_OR_PR_TITLE and COMMIT_MESSAGES."""
    if len(commits) == 1:
        title, _, body = commits[0].message.partition("\n")
        return f"{title} (#{issue.number})", body.strip()
    return f"{issue.title} (#{issue.number})", "\n\n".join(f"* {commit.message}" for commit in commits)


async def _rebase(state: State, git: GitRepo, tip: str, commits: list[Commit]) -> str:
    """Replay the commits on `tip`. git 2.39 knows no `merge-tree --merge-base`, so a helper commit gives the same base:

    the new tip's tree with the picked commit's parent, merged with the picked commit, is a cherry-pick.
    """
    who = committer(state)
    for commit in commits:
        if len(commit.parents) != 1:
            raise ApiError(405, "This branch can't be rebased")
        tree = (await git.commit(tip)).tree
        helper = await git.commit_tree(tree, commit.parents, "helper", who, who)
        picked = await git.merge_tree(helper, commit.sha)
        if picked is None:
            raise ApiError(405, "This branch can't be rebased")
        tip = await git.commit_tree(picked, [tip], commit.message, commit.author, who)
    return tip
