"""Pull requests: opening, following their branches, and whether they can be merged.

Who calls it: routes, `pushes`, `merging`. Mergeability is true (git merges the trees) and lazy: not known until
somebody has asked and the background work is done, as on GitHub.
"""

from __future__ import annotations

from .errors import ApiError, invalid
from .gitrepo import Commit, FileDiff, GitRepo, Person
from .issues import add_event, is_open_pull, notify_issue, open_issue, touch
from .records import Issue, Pull, Repo, Review
from .render.commits import noreply
from .render.pulls import PullFacts
from .rules import mergeable_state, rules_for
from .state import State

GITHUB = ("GitHub", "noreply@github.com")


def person(state: State, login: str) -> Person:
    account = state.account(login)
    return Person(account.name or account.login, noreply(account), state.clock())


def committer(state: State) -> Person:
    """Who commits what GitHub itself makes."""
    return Person(*GITHUB, state.clock())


async def open_pull(
    state: State,
    repo: Repo,
    user: str,
    *,
    title: str,
    body: str | None,
    head: tuple[Repo, str],
    base: str,
    draft: bool = False,
    maintainer_can_modify: bool = False,
) -> tuple[Issue, Pull]:
    """Open a pull request. Raises GitHub's 422: no such head or base, no commits between, one exists already."""
    head_repo, head_ref = head
    git = state.git(repo)
    base_sha = await git.find_ref(f"refs/heads/{base}")
    if base_sha is None:
        raise invalid("PullRequest", "base", "invalid")
    head_sha = await state.git(head_repo).find_ref(f"refs/heads/{head_ref}")
    if head_sha is None:
        raise invalid("PullRequest", "head", "invalid")
    if find_open(state, repo, head_repo, head_ref, base) is not None:
        text = f"A pull request already exists for {head_repo.owner}:{head_ref}."
        raise invalid("PullRequest", None, "custom", text)
    await _bring_head(state, repo, head_repo, head_sha)
    ahead, _ = await git.ahead_behind(base_sha, head_sha)
    if ahead == 0:
        names = (
            (base, head_ref) if head_repo.id == repo.id else (f"{repo.owner}:{base}", f"{head_repo.owner}:{head_ref}")
        )
        raise invalid("PullRequest", None, "custom", f"No commits between {names[0]} and {names[1]}")
    if find_open(state, repo, head_repo, head_ref, base) is not None:  # another request was faster
        text = f"A pull request already exists for {head_repo.owner}:{head_ref}."
        raise invalid("PullRequest", None, "custom", text)
    issue = open_issue(state, repo, user, title, body, is_pull=True)
    pull = Pull(
        id=state.store.new_id(),
        repo_id=repo.id,
        number=issue.number,
        base_ref=base,
        base_sha=base_sha,
        head_repo_id=head_repo.id,
        head_label=f"{head_repo.owner}:{head_ref}",
        head_ref=head_ref,
        head_sha=head_sha,
        draft=draft,
        maintainer_can_modify=maintainer_can_modify and head_repo.id != repo.id,
    )
    state.store.save(pull)
    await git.update_ref(f"refs/pull/{issue.number}/head", head_sha)
    notify_issue(state, "opened", repo, issue, user)
    return issue, pull


async def _bring_head(state: State, repo: Repo, head_repo: Repo, sha: str) -> None:
    """Bring a fork's commit into the base repository, under a ref that clients do not see."""
    if head_repo.id != repo.id:
        await state.git(repo).fetch_from(state.git(head_repo), sha, f"refs/standin/{head_repo.id}")


def find_open(state: State, repo: Repo, head_repo: Repo, head_ref: str, base: str) -> Pull | None:
    """GitHub keeps one open pull request per head and base."""
    wanted = (head_repo.id, head_ref, base)
    for pull in state.store.of(Pull, repo.id):
        if (pull.head_repo_id, pull.head_ref, pull.base_ref) == wanted and is_open_pull(state, repo, pull):
            return pull
    return None


async def head_moved(state: State, repo: Repo, pull: Pull, sha: str, actor: str, *, forced: bool) -> None:
    """The head branch was pushed to: the pull request follows."""
    issue = state.store.find_issue(repo.id, pull.number)
    if issue is None or pull.head_sha == sha:
        return
    git, before = state.git(repo), pull.head_sha
    head_repo = state.store.find(Repo, pull.head_repo_id) or repo
    await _bring_head(state, repo, head_repo, sha)
    await git.update_ref(f"refs/pull/{pull.number}/head", sha)
    pull.head_sha = sha
    pull.base_sha = await git.find_ref(f"refs/heads/{pull.base_ref}") or pull.base_sha
    state.store.save(pull)
    touch(state, issue)
    if forced:
        add_event(state, repo, pull.number, "head_ref_force_pushed", actor, commit_id=sha)
    if any(rule.dismiss_stale_reviews for rule in rules_for(repo, pull.base_ref)):
        for review in state.store.on(Review, repo.id, pull.number):
            if review.state == "APPROVED":
                dismiss(state, repo, review, actor, None)
    notify_issue(state, "synchronize", repo, issue, actor, before=before, after=sha)


def dismiss(state: State, repo: Repo, review: Review, actor: str, message: str | None) -> None:
    was, review.state = review.state.lower(), "DISMISSED"
    state.store.save(review)
    dismissed = {"state": was, "review_id": review.id, "dismissal_message": message}
    add_event(state, repo, review.number, "review_dismissed", actor, dismissed_review=dismissed)


async def base_tip(state: State, repo: Repo, pull: Pull) -> str:
    """Where a merge would land; once merged or without a base, what was recorded."""
    if pull.merged_at is not None:
        return pull.base_sha
    return await state.git(repo).find_ref(f"refs/heads/{pull.base_ref}") or pull.base_sha


async def start_of_changes(state: State, repo: Repo, pull: Pull) -> str:
    """The merge base: what the pull request's diff and commits are counted from."""
    tip = await base_tip(state, repo, pull)
    return await state.git(repo).merge_base(tip, pull.head_sha) or tip


async def files_of(state: State, repo: Repo, pull: Pull) -> list[FileDiff]:
    return await state.git(repo).diff(await start_of_changes(state, repo, pull), pull.head_sha)


async def commits_of(state: State, repo: Repo, pull: Pull) -> list[Commit]:
    """Oldest first, as GitHub lists them."""
    tip = await base_tip(state, repo, pull)
    return list(reversed(await state.git(repo).log(pull.head_sha, f"^{tip}", limit=250)))


async def facts(state: State, repo: Repo, issue: Issue, pull: Pull) -> PullFacts:
    """What a full pull request shows. Starts the merge test when its result is not known for these tips."""
    tip = await base_tip(state, repo, pull)
    commits, files = await commits_of(state, repo, pull), await files_of(state, repo, pull)
    mergeable, verdict = await _verdict(state, repo, issue, pull, tip)
    return PullFacts(
        mergeable=mergeable,
        mergeable_state=verdict,
        commits=len(commits),
        additions=sum(f.additions for f in files),
        deletions=sum(f.deletions for f in files),
        changed_files=len(files),
    )


async def _verdict(state: State, repo: Repo, issue: Issue, pull: Pull, tip: str) -> tuple[bool | None, str]:
    if issue.state == "closed":
        return None, "unknown"
    if (pull.tested_base, pull.tested_head) != (tip, pull.head_sha):
        state.spawn(_test_in_turn(state, repo, pull, tip))
        return None, "unknown"
    if not pull.mergeable:
        return False, "dirty"
    is_behind = not await state.git(repo).is_ancestor(tip, pull.head_sha)
    return True, mergeable_state(state, repo, issue, pull, is_behind=is_behind)


async def _test_in_turn(state: State, repo: Repo, pull: Pull, tip: str) -> None:
    """One test at a time per repository, and none whose answer has come meanwhile."""
    async with state.git(repo).lock:
        if (pull.tested_base, pull.tested_head) != (tip, pull.head_sha):
            await check_mergeable(state, repo, pull, tip)


async def check_mergeable(state: State, repo: Repo, pull: Pull, tip: str) -> bool:
    """Merge head into `tip` as a test; the result commit is `refs/pull/N/merge` and `merge_commit_sha`, as on
    GitHub."""
    git, head = state.git(repo), pull.head_sha
    tree = await git.merge_tree(tip, head)
    if tree is not None:
        sha = await _test_merge(state, git, pull, tree, tip, head)
        if pull.merged_at is None:
            pull.merge_commit_sha = sha
    if pull.merged_at is None:
        pull.mergeable, pull.tested_base, pull.tested_head = tree is not None, tip, head
        state.store.save(pull)
    return tree is not None


async def _test_merge(state: State, git: GitRepo, pull: Pull, tree: str, tip: str, head: str) -> str:
    who = committer(state)
    sha = await git.commit_tree(tree, [tip, head], f"Merge {head} into {tip}", who, who)
    await git.update_ref(f"refs/pull/{pull.number}/merge", sha)
    return sha


async def update_branch(state: State, repo: Repo, pull: Pull, actor: str, expected: str | None) -> tuple[str, str]:
    """Merge the base into the head branch; return the head's old and new sha.

    Raises GitHub's 422: the head is not `expected`, nothing to merge, conflict.
    Source: REST "Update a pull request branch".
    """
    if expected is not None and expected != pull.head_sha:
        raise ApiError(422, "expected head sha didn’t match current head ref.")
    head_repo = state.store.find(Repo, pull.head_repo_id)
    if head_repo is None:
        raise ApiError(422, "head repository does not exist")
    git, tip = state.git(repo), await base_tip(state, repo, pull)
    if await git.is_ancestor(tip, pull.head_sha):
        raise ApiError(422, "There are no new commits on the base branch.")
    tree = await git.merge_tree(pull.head_sha, tip)
    if tree is None:
        raise ApiError(422, "merge conflict between base and head")
    message = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
    old = pull.head_sha
    new = await git.commit_tree(tree, [old, tip], message, person(state, actor), committer(state))
    await git.update_ref(f"refs/pull/{pull.number}/head", new)
    head_git, ref = state.git(head_repo), f"refs/heads/{pull.head_ref}"
    if head_repo.id == repo.id:
        await git.update_ref(ref, new, old)
    else:
        await head_git.fetch_from(git, new, ref)
    return old, new
