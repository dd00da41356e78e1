"""What the rules of a branch demand of a pull request, and what still blocks it.

Who calls it: `pulls` (mergeable_state), `merging`, routes, the push hook. Decisions from records, no I/O.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from .access import is_at_least, role_of
from .records import BranchRule, CheckRun, CommitStatus, Issue, Pull, Repo, Review
from .state import State

PASSED = frozenset({"success", "neutral", "skipped"})


def rules_for(repo: Repo, branch: str, login: str | None = None) -> list[BranchRule]:
    """The rules of a branch, without those that `login` may bypass."""
    return [rule for rule in repo.rules if fnmatchcase(branch, rule.branch) and login not in rule.bypass]


def latest_statuses(state: State, repo: Repo, sha: str) -> list[CommitStatus]:
    """The newest status of each context, newest first. Contexts ignore case (REST "Create a commit status")."""
    newest: dict[str, CommitStatus] = {}
    for row in state.store.of(CommitStatus, repo.id):
        if row.sha == sha:
            newest.pop(row.context.casefold(), None)
            newest[row.context.casefold()] = row
    return list(reversed(newest.values()))


def latest_runs(state: State, repo: Repo, sha: str) -> list[CheckRun]:
    """The newest check run of each name and App, newest first."""
    newest: dict[tuple[str, str], CheckRun] = {}
    for row in state.store.of(CheckRun, repo.id):
        if row.head_sha == sha:
            newest.pop((row.app, row.name), None)
            newest[row.app, row.name] = row
    return list(reversed(newest.values()))


def check_states(state: State, repo: Repo, sha: str) -> dict[str, str]:
    """For each context or check name: `passed`, `failed` or `pending`."""
    states: dict[str, str] = {}
    for status in latest_statuses(state, repo, sha):
        states[status.context] = {"success": "passed", "pending": "pending"}.get(status.state, "failed")
    for run in latest_runs(state, repo, sha):
        done = "passed" if run.conclusion in PASSED else "failed"
        states[run.name] = done if run.status == "completed" else "pending"
    return states


def deciding_reviews(state: State, repo: Repo, pull: Pull) -> dict[str, Review]:
    """Each reviewer's last review that is more than a comment."""
    last: dict[str, Review] = {}
    for review in state.store.on(Review, repo.id, pull.number):
        if review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
            last[review.user] = review
    return {user: review for user, review in last.items() if review.state != "DISMISSED"}


def review_blockers(state: State, repo: Repo, pull: Pull, rules: list[BranchRule]) -> list[str]:
    """Texts in GitHub's words, empty when reviews are as demanded."""
    needed = max((rule.required_reviews for rule in rules), default=0)
    if needed == 0:
        return []
    writers = [
        review
        for user, review in deciding_reviews(state, repo, pull).items()
        if is_at_least(role_of(repo, state.account(user)), "write")
    ]
    if any(review.state == "CHANGES_REQUESTED" for review in writers):
        return ["Changes requested by a reviewer with write access."]
    if sum(review.state == "APPROVED" for review in writers) < needed:
        plural = "review is" if needed == 1 else "reviews are"
        return [f"At least {needed} approving {plural} required by reviewers with write access."]
    return []


def check_blockers(state: State, repo: Repo, pull: Pull, rules: list[BranchRule]) -> list[str]:
    """Required checks that have not passed on the head."""
    states = check_states(state, repo, pull.head_sha)
    texts = {"failed": "is failing", "pending": "is in progress"}
    return [
        f'Required status check "{name}" {texts.get(states.get(name, ""), "is expected")}.'
        for name in dict.fromkeys(name for rule in rules for name in rule.required_checks)
        if states.get(name) != "passed"
    ]


def mergeable_state(state: State, repo: Repo, issue: Issue, pull: Pull, *, is_behind: bool) -> str:
    """GitHub's `mergeable_state` for a head that merges cleanly into its base."""
    if pull.draft:
        return "draft"
    rules = rules_for(repo, pull.base_ref)
    if any(rule.locked for rule in rules):
        return "blocked"
    if review_blockers(state, repo, pull, rules) or check_blockers(state, repo, pull, rules):
        return "blocked"
    if is_behind and any(rule.strict for rule in rules):
        return "behind"
    states = check_states(state, repo, pull.head_sha).values()
    return "unstable" if any(value != "passed" for value in states) else "clean"
