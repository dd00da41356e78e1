"""Repositories, issues and pull requests as GraphQL nodes: the fields that `gh` asks for.

Who calls it: `endpoint`, `mutations`. Names and values are those of GitHub's public schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .. import pulls, rules
from ..access import Caller, role_of_caller
from ..issues import find_label
from ..pushes import HEADS
from ..records import CheckRun, Comment, CommitStatus, Issue, Label, Pull, Repo, Review
from ..render.issues import association
from ..render.view import View, node_id, record_id, stamp
from ..state import State
from . import queues
from .execute import GraphError, Node, connection

Args = dict[str, Any]


@dataclass(frozen=True)
class Graph:
    """Makes nodes for one caller."""

    state: State
    caller: Caller | None

    @property
    def view(self) -> View:
        return View(self.state, self.state.url, self.caller)

    def node(self, args: Args) -> Node:
        """Any issue, pull request or repository by its node id, for who may read it."""
        number = record_id(str(args.get("id"))) or 0
        issue = self.state.store.find(Issue, number)
        repo = self.state.store.find(Repo, issue.repo_id if issue else number)
        if repo is None or role_of_caller(repo, self.caller) is None:
            raise GraphError("NOT_FOUND", f"Could not resolve to a node with the global id of '{args.get('id')}'")
        return self._either(repo, issue) if issue is not None else self.repository(repo)

    # -- people and repositories

    def user(self, login: str) -> Node:
        account = self.state.account(login)
        fields = {
            "id": node_id("User", account.id),
            "databaseId": account.id,
            "login": account.login,
            "name": account.name or "",
            "url": self.view.html(f"/{account.login}"),
        }
        return Node({"Bot": "Bot", "Organization": "Organization"}.get(account.type, "User"), fields)

    def viewer(self) -> Node:
        if self.caller is None:
            raise GraphError("FORBIDDEN", "This endpoint requires you to be authenticated.")
        return self.user(self.caller.account.login)

    def find_repository(self, args: Args) -> Node:
        owner, name = str(args.get("owner", "")), str(args.get("name", ""))
        repo = self.state.store.find_repo(owner, name)
        if repo is None or role_of_caller(repo, self.caller) is None:
            raise GraphError("NOT_FOUND", f"Could not resolve to a Repository with the name '{owner}/{name}'.")
        return self.repository(repo)

    def repository(self, repo: Repo) -> Node:
        role = role_of_caller(repo, self.caller) or "read"
        people = [repo.owner, *repo.collaborators]
        parent = self.state.store.find(Repo, repo.fork_of) if repo.fork_of else None
        fields = {
            "id": node_id("Repository", repo.id),
            "name": repo.name,
            "nameWithOwner": repo.full_name,
            "owner": self.user(repo.owner),
            "url": self.view.html(f"/{repo.full_name}"),
            "description": repo.description,
            "isPrivate": repo.private,
            "isArchived": repo.archived,
            "isFork": repo.fork_of is not None,
            "parent": self.repository(parent) if parent else None,
            "hasIssuesEnabled": repo.has_issues,
            "hasWikiEnabled": False,
            "hasProjectsEnabled": False,
            "viewerPermission": role.upper(),
            "mergeCommitAllowed": "merge" in repo.merge_methods,
            "squashMergeAllowed": "squash" in repo.merge_methods,
            "rebaseMergeAllowed": "rebase" in repo.merge_methods,
            "deleteBranchOnMerge": repo.delete_branch_on_merge,
            "viewerDefaultMergeMethod": repo.merge_methods[0].upper() if repo.merge_methods else "MERGE",
            "defaultBranchRef": Node("Ref", {"name": repo.default_branch, "prefix": HEADS}),
            "issues": lambda args: self._issues(repo, args),
            "issue": lambda args: self.issue(repo, self._numbered(repo, args, "Issue")),
            "pullRequests": lambda args: self._pulls(repo, args),
            "pullRequest": lambda args: self.pull(repo, self._numbered(repo, args, "PullRequest")),
            "issueOrPullRequest": lambda args: self._either(repo, self._numbered(repo, args, "issue or pull request")),
            "label": lambda args: self._find_label(repo, str(args.get("name"))),
            "labels": lambda args: connection(self.state.store.of(Label, repo.id), self.label, args),
            "assignableUsers": lambda args: connection(people, self.user, args),
            "milestones": lambda args: connection([], self.user, args),
            "projects": lambda args: connection([], self.user, args),
            "pullRequestTemplates": [],
            "issueTemplates": [],
        }
        return Node("Repository", fields)

    def label(self, row: Label) -> Node:
        names = {"id": node_id("Label", row.id), "name": row.name, "color": row.color}
        return Node("Label", {**names, "description": row.description})

    def _find_label(self, repo: Repo, name: str) -> Node | None:
        found = find_label(self.state, repo, name)
        return self.label(found) if found else None

    def _numbered(self, repo: Repo, args: Args, kind: str) -> Issue:
        found = self.state.store.find_issue(repo.id, int(args.get("number") or 0))
        wrong = found is not None and kind in ("Issue", "PullRequest") and found.is_pull != (kind == "PullRequest")
        if found is None or wrong or found.gone is not None:
            text = f"Could not resolve to a{'n' if kind[0] in 'Ii' else ''} {kind} with the number of {args.get('number')}."
            raise GraphError("NOT_FOUND", text)
        return found

    def _either(self, repo: Repo, row: Issue) -> Node:
        return self.pull(repo, row) if row.is_pull else self.issue(repo, row)

    def _issues(self, repo: Repo, args: Args) -> Node:
        wanted = {**args, **{k: v for k, v in (args.get("filterBy") or {}).items() if v}}
        rows = [row for row in self.state.store.of(Issue, repo.id) if not row.is_pull and _matches(row, wanted)]
        return connection(_ordered(rows, args), lambda row: self.issue(repo, row), args)

    def _pulls(self, repo: Repo, args: Args) -> Node:
        store, found = self.state.store, []
        for pull in store.of(Pull, repo.id):
            row = store.find_issue(repo.id, pull.number)
            ends = (args.get("headRefName") or pull.head_ref, args.get("baseRefName") or pull.base_ref)
            state = _pull_state(row, pull) if row else ""
            if row is not None and ends == (pull.head_ref, pull.base_ref) and _matches(row, args, state):
                found.append(row)
        return connection(_ordered(found, args), lambda row: self.pull(repo, row), args)

    # -- issues

    def _shared(self, repo: Repo, row: Issue) -> dict[str, Any]:
        """What issues and pull requests have in common."""
        store, kind = self.state.store, "pull" if row.is_pull else "issues"
        labels = [label for label in store.of(Label, repo.id) if label.name in row.labels]
        return {
            "id": node_id("PullRequest" if row.is_pull else "Issue", row.id),
            "databaseId": row.id,
            "number": row.number,
            "title": row.title,
            "body": row.body or "",
            "url": self.view.html(f"/{repo.full_name}/{kind}/{row.number}"),
            "author": self.user(row.user),
            "authorAssociation": association(self.view, repo, row.user),
            "closed": row.state == "closed",
            "locked": row.locked,
            "activeLockReason": row.lock_reason,
            "createdAt": stamp(row.created_at),
            "updatedAt": stamp(row.updated_at),
            "lastEditedAt": stamp(row.last_edited_at),
            "closedAt": stamp(row.closed_at),
            "repository": lambda _: self.repository(repo),
            "labels": lambda args: connection(labels, self.label, args),
            "assignees": lambda args: connection(row.assignees, self.user, args),
            "comments": lambda args: connection(store.on(Comment, repo.id, row.number), self._commenter(repo), args),
            "projectCards": lambda args: connection([], self.user, args),
            "projectItems": lambda args: connection([], self.user, args),
            "milestone": None,
            "reactionGroups": [],
            "timelineItems": lambda args: connection(queues.events(store, repo, row, args), queues.event, args),
        }

    def _commenter(self, repo: Repo) -> Any:
        def make(row: Comment) -> Node:
            fields = {
                "id": node_id("IssueComment", row.id),
                "author": self.user(row.user),
                "authorAssociation": association(self.view, repo, row.user),
                "body": row.body,
                "createdAt": stamp(row.created_at),
                "includesCreatedEdit": row.updated_at != row.created_at,
                "isMinimized": False,
                "minimizedReason": None,
                "reactionGroups": [],
                "url": self.view.html(f"/{repo.full_name}/issues/{row.number}#issuecomment-{row.id}"),
                "viewerDidAuthor": self.caller is not None and self.caller.account.login == row.user,
            }
            return Node("IssueComment", fields)

        return make

    def issue(self, repo: Repo, row: Issue) -> Node:
        reason = row.state_reason.upper() if row.state_reason else None
        return Node("Issue", {**self._shared(repo, row), "state": row.state.upper(), "stateReason": reason})

    # -- pull requests

    def pull(self, repo: Repo, row: Issue) -> Node:
        pull = self.state.store.find_pull(repo.id, row.number)
        if pull is None:
            raise GraphError("NOT_FOUND", f"Could not resolve to a PullRequest with the number of {row.number}.")
        head = self.state.store.find(Repo, pull.head_repo_id)
        return Node("PullRequest", {**self._shared(repo, row), **self._pull_fields(repo, row, pull, head)})

    def _pull_fields(self, repo: Repo, row: Issue, pull: Pull, head: Repo | None) -> dict[str, Any]:
        merged = pull.merged_at is not None
        return {
            "fullDatabaseId": str(pull.id),
            "state": _pull_state(row, pull),
            "isDraft": pull.draft,
            "isCrossRepository": pull.head_repo_id != repo.id,
            "maintainerCanModify": pull.maintainer_can_modify,
            "headRefName": pull.head_ref,
            "headRefOid": pull.head_sha,
            "baseRefName": pull.base_ref,
            "baseRefOid": pull.base_sha,
            "headRepository": self.repository(head) if head else None,
            "headRepositoryOwner": self.user(head.owner) if head else None,
            "merged": merged,
            "mergedAt": stamp(pull.merged_at),
            "mergedBy": self.user(pull.merged_by) if pull.merged_by else None,
            "mergeCommit": Node("Commit", {"oid": pull.merge_commit_sha}) if merged else None,
            "potentialMergeCommit": Node("Commit", {"oid": pull.merge_commit_sha}) if pull.merge_commit_sha else None,
            "autoMergeRequest": None,
            "isMergeQueueEnabled": any(rule.merge_queue for rule in rules.rules_for(repo, pull.base_ref)),
            **queues.fields(self, repo, row),
            "mergeable": lambda _: self._fact(repo, row, pull, "mergeable"),
            "mergeStateStatus": lambda _: self._fact(repo, row, pull, "mergeable_state"),
            "additions": lambda _: self._fact(repo, row, pull, "additions"),
            "deletions": lambda _: self._fact(repo, row, pull, "deletions"),
            "changedFiles": lambda _: self._fact(repo, row, pull, "changed_files"),
            "reviewDecision": self._decision(repo, pull),
            "reviews": lambda args: connection(self._reviews(repo, pull), self._review, args),
            "latestReviews": lambda args: connection(self._latest(repo, pull), self._review, args),
            "reviewRequests": lambda args: connection(pull.requested_reviewers, self._request, args),
            "files": lambda args: self._files(repo, pull, args),
            "commits": lambda args: self._commits(repo, pull, args),
            "statusCheckRollup": lambda _: self._rollup(repo, pull.head_sha),
            "closingIssuesReferences": lambda args: connection([], self.user, args),
            "baseRef": Node("Ref", {"name": pull.base_ref, "branchProtectionRule": self._protection(repo, pull)}),
        }

    def _protection(self, repo: Repo, pull: Pull) -> Node | None:
        found = rules.rules_for(repo, pull.base_ref)
        strict = any(rule.strict for rule in found)
        return Node("BranchProtectionRule", {"requiresStrictStatusChecks": strict}) if found else None

    async def _fact(self, repo: Repo, row: Issue, pull: Pull, name: str) -> Any:
        facts = await pulls.facts(self.state, repo, row, pull)
        if name == "mergeable":
            return {True: "MERGEABLE", False: "CONFLICTING", None: "UNKNOWN"}[facts.mergeable]
        value = getattr(facts, name)
        return value.upper() if isinstance(value, str) else value

    def _reviews(self, repo: Repo, pull: Pull) -> list[Review]:
        return [row for row in self.state.store.on(Review, repo.id, pull.number) if row.state != "PENDING"]

    def _latest(self, repo: Repo, pull: Pull) -> list[Review]:
        return list({row.user: row for row in self._reviews(repo, pull)}.values())

    def _review(self, row: Review) -> Node:
        fields = {
            "id": node_id("PullRequestReview", row.id),
            "author": self.user(row.user),
            "authorAssociation": association(self.view, self.state.repo(row.repo_id), row.user),
            "body": row.body,
            "state": row.state,
            "submittedAt": stamp(row.submitted_at),
            "includesCreatedEdit": False,
            "reactionGroups": [],
            "commit": Node("Commit", {"oid": row.commit_id}),
            "url": self.view.html(
                f"/{self.state.repo(row.repo_id).full_name}/pull/{row.number}#pullrequestreview-{row.id}"
            ),
        }
        return Node("PullRequestReview", fields)

    def _request(self, login: str) -> Node:
        return Node("ReviewRequest", {"requestedReviewer": self.user(login)})

    def _decision(self, repo: Repo, pull: Pull) -> str | None:
        found = rules.rules_for(repo, pull.base_ref)
        if not any(rule.required_reviews for rule in found):
            return None
        blockers = rules.review_blockers(self.state, repo, pull, found)
        if not blockers:
            return "APPROVED"
        return "CHANGES_REQUESTED" if blockers[0].startswith("Changes") else "REVIEW_REQUIRED"

    async def _files(self, repo: Repo, pull: Pull, args: Args) -> Node:
        rows = await pulls.files_of(self.state, repo, pull)

        def make(row: Any) -> Node:
            counts = {"additions": row.additions, "deletions": row.deletions}
            return Node("PullRequestChangedFile", {"path": row.path, "changeType": row.status.upper(), **counts})

        return connection(rows, make, args)

    async def _commits(self, repo: Repo, pull: Pull, args: Args) -> Node:
        rows = await pulls.commits_of(self.state, repo, pull)

        def make(row: Any) -> Node:
            headline, _, body = row.message.partition("\n")
            author = Node("GitActor", {"name": row.author.name, "email": row.author.email, "user": None})
            fields = {
                "oid": row.sha,
                "messageHeadline": headline,
                "messageBody": body.strip(),
                "committedDate": stamp(row.committer.date),
                "authoredDate": stamp(row.author.date),
                "authors": lambda args: connection([author], lambda node: node, args),
                "statusCheckRollup": lambda _: self._rollup(repo, row.sha),
            }
            return Node("PullRequestCommit", {"commit": Node("Commit", fields)})

        return connection(rows, make, args)

    def _rollup(self, repo: Repo, sha: str) -> Node | None:
        """Check runs and statuses of a commit together; None when it has neither."""
        found: list[CheckRun | CommitStatus] = [
            *rules.latest_runs(self.state, repo, sha),
            *rules.latest_statuses(self.state, repo, sha),
        ]
        if not found:
            return None
        states = rules.check_states(self.state, repo, sha).values()
        state = "FAILURE" if "failed" in states else "PENDING" if "pending" in states else "SUCCESS"
        contexts = lambda args: connection(found, lambda row: self._context(repo, row), args)  # noqa: E731 - a field
        return Node("StatusCheckRollup", {"state": state, "contexts": contexts})

    def _context(self, repo: Repo, row: CheckRun | CommitStatus) -> Node:
        if isinstance(row, CommitStatus):
            times: dict[str, datetime] = {"createdAt": row.created_at}
            fields: Args = {
                "isRequired": self._required(row.context),
                "context": row.context,
                "state": row.state.upper(),
                "targetUrl": row.target_url or "",
            }
            more = {"description": row.description, **{k: stamp(v) for k, v in times.items()}}
            return Node("StatusContext", {**fields, **more})
        workflow = Node("WorkflowRun", {"workflow": Node("Workflow", {"name": row.app})})
        fields = {
            "isRequired": self._required(row.name),
            "name": row.name,
            "status": row.status.upper(),
            "conclusion": (row.conclusion or "").upper(),
            "startedAt": stamp(row.started_at),
            "completedAt": stamp(row.completed_at),
            "detailsUrl": row.details_url or self.view.html(f"/{repo.full_name}/runs/{row.id}"),
            "checkSuite": Node("CheckSuite", {"workflowRun": workflow}),
        }
        return Node("CheckRun", fields)

    def _required(self, name: str) -> Any:
        """Whether the rules of the pull request named by the arguments demand this check."""

        def answer(args: Args) -> bool:
            issue = self.state.store.find(Issue, record_id(str(args.get("pullRequestId"))) or 0)
            pull = self.state.store.find_pull(issue.repo_id, issue.number) if issue else None
            if pull is None:
                return False
            found = rules.rules_for(self.state.repo(pull.repo_id), pull.base_ref)
            return any(name in rule.required_checks for rule in found)

        return answer


def _pull_state(row: Issue, pull: Pull) -> str:
    return "MERGED" if pull.merged_at else row.state.upper()


def _matches(row: Issue, args: Args, state: str | None = None) -> bool:
    states, labels = args.get("states"), args.get("labels")
    states = [states] if isinstance(states, str) else states
    return (
        row.gone is None
        and (not states or (state or row.state.upper()) in states)
        and (not labels or bool(set(labels) & set(row.labels)))
        and args.get("assignee") in (None, *row.assignees)
        and args.get("createdBy") in (None, row.user)
    )


def _ordered(rows: list[Issue], args: Args) -> list[Issue]:
    order = args.get("orderBy") or {}
    is_updated = order.get("field") == "UPDATED_AT"
    key = (lambda row: (row.updated_at, row.number)) if is_updated else (lambda row: (row.created_at, row.number))
    return sorted(rows, key=key, reverse=order.get("direction") == "DESC")
