"""The mutations that `gh` sends: open, edit, comment, label, close, merge, each as its REST sibling; and the merge queue's.

Who calls it: `endpoint`. Permissions are checked here, because the object comes out of a node id.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from .. import issues, merge_queue, merging, pulls, reviews
from ..access import demand
from ..errors import ApiError
from ..records import Account, Comment, Issue, Label, Pull, Record, Repo
from ..render.view import node_id, record_id
from . import queues
from .execute import GraphError, Node
from .nodes import Graph

Input = dict[str, Any]


class Mutations:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._state = graph.state

    def root(self) -> Node:
        table: dict[str, Callable[[Input], Awaitable[Node]]] = {
            "createIssue": self._create_issue,
            "createPullRequest": self._create_pull,
            "mergePullRequest": self._merge,
            "enqueuePullRequest": self._enqueue,
            "dequeuePullRequest": self._dequeue,
            "addComment": self._comment,
            "addPullRequestReview": self._review,
            "closeIssue": self._close,
            "closePullRequest": self._close,
            "reopenIssue": self._reopen,
            "reopenPullRequest": self._reopen,
            "updateIssue": self._edit,
            "updatePullRequest": self._edit,
            "addLabelsToLabelable": self._label,
            "removeLabelsFromLabelable": self._unlabel,
        }
        return Node("Mutation", {name: self._guarded(act) for name, act in table.items()})

    def _guarded(self, act: Callable[[Input], Awaitable[Node]]) -> Callable[[dict[str, Any]], Awaitable[Node]]:
        async def run(args: dict[str, Any]) -> Node:
            try:
                return await act(args.get("input") or {})
            except ApiError as error:
                entries = error.body.get("errors") or [error.body]
                texts = [entry.get("message") or str(entry) if isinstance(entry, dict) else entry for entry in entries]
                kind = {403: "FORBIDDEN", 404: "NOT_FOUND"}.get(error.status, "UNPROCESSABLE")
                raise GraphError(kind, ", ".join(texts)) from None

        return run

    @property
    def _actor(self) -> str:
        if self._graph.caller is None:
            raise ApiError(401, "Requires authentication")
        return self._graph.caller.account.login

    def _find(self, value: Any, *kinds: type[Record]) -> Any:
        """The record behind a node id. Raises NOT_FOUND."""
        number = record_id(str(value))
        for kind in kinds:
            found = self._state.store.find(kind, number) if number is not None else None
            if found is not None:
                return found
        raise GraphError("NOT_FOUND", f"Could not resolve to a node with the global id of '{value}'")

    def _subject(self, value: Any, needs: str, role: str) -> tuple[Repo, Issue]:
        issue: Issue = self._find(value, Issue)
        repo = self._state.repo(issue.repo_id)
        demand(repo, self._graph.caller, needs, role)
        return repo, issue

    def _shown(self, repo: Repo, issue: Issue, **more: Any) -> Node:
        name, make = ("pullRequest", self._graph.pull) if issue.is_pull else ("issue", self._graph.issue)
        node = make(repo, issue)
        return Node("Payload", {name: node, "labelable": node, "subject": node, "clientMutationId": None, **more})

    async def _create_issue(self, given: Input) -> Node:
        repo: Repo = self._find(given.get("repositoryId"), Repo)
        demand(repo, self._graph.caller, "issues:write", "read")
        labels = [self._find(value, Label).name for value in given.get("labelIds") or []]
        people = [self._find(value, Account).login for value in given.get("assigneeIds") or []]
        issue = issues.open_issue(
            self._state, repo, self._actor, str(given.get("title")), given.get("body"), labels=labels, assignees=people
        )
        return self._shown(repo, issue)

    async def _create_pull(self, given: Input) -> Node:
        repo: Repo = self._find(given.get("repositoryId"), Repo)
        demand(repo, self._graph.caller, "pull_requests:write", "read")
        owner, colon, branch = str(given.get("headRefName", "")).partition(":")
        head = repo
        if colon and owner != repo.owner:
            forks = [other for other in self._state.store.repos() if (other.owner, other.fork_of) == (owner, repo.id)]
            if not forks:
                raise GraphError("UNPROCESSABLE", "Head repository can't be blank")
            head = forks[0]
        demand(head, self._graph.caller, "contents:read", "write")
        issue, _ = await pulls.open_pull(
            self._state,
            repo,
            self._actor,
            title=str(given.get("title")),
            body=given.get("body"),
            head=(head, branch if colon else owner),
            base=str(given.get("baseRefName")),
            draft=given.get("draft") is True,
        )
        return self._shown(repo, issue)

    async def _merge(self, given: Input) -> Node:
        repo, issue = self._subject(given.get("pullRequestId"), "contents:write", "write")
        pull = self._state.store.find_pull(repo.id, issue.number)
        if pull is None:
            raise GraphError("NOT_FOUND", "no such pull request")
        await merging.merge(
            self._state,
            repo,
            issue,
            pull,
            self._actor,
            method=str(given.get("mergeMethod") or "MERGE").lower(),
            sha=given.get("expectedHeadOid"),
            title=given.get("commitHeadline"),
            message=given.get("commitBody"),
        )
        return self._shown(repo, issue)

    async def _enqueue(self, given: Input) -> Node:
        """There is no `mergeMethod`: the queue's own rule says how it merges."""
        repo, issue, pull = self._pull(given.get("pullRequestId"))
        entry = await merge_queue.enqueue(
            self._state, repo, issue, pull, self._actor, expected=given.get("expectedHeadOid")
        )
        return Node("Payload", {"mergeQueueEntry": queues.entry(self._graph, repo, entry), "clientMutationId": None})

    async def _dequeue(self, given: Input) -> Node:
        repo, _, pull = self._pull(given.get("id"))
        entry = await merge_queue.dequeue(self._state, repo, pull, self._actor)
        return Node("Payload", {"mergeQueueEntry": queues.entry(self._graph, repo, entry), "clientMutationId": None})

    def _pull(self, value: Any) -> tuple[Repo, Issue, Pull]:
        repo, issue = self._subject(value, "contents:write", "write")
        demand(repo, self._graph.caller, "pull_requests:write", "write")
        pull = self._state.store.find_pull(repo.id, issue.number)
        if pull is None:
            raise GraphError("NOT_FOUND", f"Could not resolve to a node with the global id of '{value}'")
        return repo, issue, pull

    async def _review(self, given: Input) -> Node:
        repo, issue = self._subject(given.get("pullRequestId"), "pull_requests:write", "read")
        pull = self._state.store.find_pull(repo.id, issue.number)
        if pull is None:
            raise GraphError("NOT_FOUND", "no such pull request")
        body = str(given.get("body") or "")
        name = reviews.state_after(issue, self._actor, given.get("event"), body, has_comments=False)
        row = reviews.add(self._state, repo, pull, self._actor, state_name=name, body=body, commit_id=pull.head_sha)
        reviews.submitted(self._state, repo, issue, pull, row)
        return self._shown(repo, issue)

    async def _comment(self, given: Input) -> Node:
        repo, issue = self._subject(given.get("subjectId"), "issues|pull_requests:write", "read")
        row: Comment = issues.add_comment(self._state, repo, issue, self._actor, str(given.get("body") or ""))
        kind = "pull" if issue.is_pull else "issues"
        url = self._graph.view.html(f"/{repo.full_name}/{kind}/{issue.number}#issuecomment-{row.id}")
        comment = Node("IssueComment", {"id": node_id("IssueComment", row.id), "url": url, "body": row.body})
        return self._shown(repo, issue, commentEdge=Node("IssueCommentEdge", {"node": comment}))

    async def _close(self, given: Input) -> Node:
        target = given.get("issueId") or given.get("pullRequestId")
        repo, issue = self._subject(target, "issues|pull_requests:write", "triage")
        reason = given.get("stateReason")
        issues.close(self._state, repo, issue, self._actor, reason=reason.lower() if reason else None)
        return self._shown(repo, issue)

    async def _reopen(self, given: Input) -> Node:
        target = given.get("issueId") or given.get("pullRequestId")
        repo, issue = self._subject(target, "issues|pull_requests:write", "triage")
        issues.reopen(self._state, repo, issue, self._actor)
        return self._shown(repo, issue)

    async def _edit(self, given: Input) -> Node:
        target = given.get("id") or given.get("pullRequestId")
        repo, issue = self._subject(target, "issues|pull_requests:write", "triage")
        changes = {name: given[name] for name in ("title", "body") if given.get(name) is not None}
        issues.edit(self._state, repo, issue, self._actor, changes)
        return self._shown(repo, issue)

    async def _label(self, given: Input) -> Node:
        repo, issue = self._subject(given.get("labelableId"), "issues|pull_requests:write", "triage")
        names = [self._find(value, Label).name for value in given.get("labelIds") or []]
        issues.add_labels(self._state, repo, issue, names, self._actor)
        return self._shown(repo, issue)

    async def _unlabel(self, given: Input) -> Node:
        repo, issue = self._subject(given.get("labelableId"), "issues|pull_requests:write", "triage")
        names = [self._find(value, Label).name for value in given.get("labelIds") or []]
        issues.remove_labels(self._state, repo, issue, names, self._actor)
        return self._shown(repo, issue)
