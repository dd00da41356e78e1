"""One repository on GitHub with one credential: the Forge port, method by method. It decides nothing and keeps nothing."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from orch.adapters.github import facts, queries, translate
from orch.adapters.github.checks import may_read, read_checks, read_log, read_status
from orch.adapters.github.hosts import Host
from orch.adapters.github.rest import Answer, Rest
from orch.adapters.github.rules import read_rules, read_rulesets
from orch.errors import CredentialsRefused, NotFound, Terminal, WrongRepository
from orch.ports import (
    BranchRules,
    Check,
    Checks,
    Comment,
    CommitStatus,
    Credential,
    Issue,
    LabelEvent,
    Permission,
    Pull,
    QueueEntry,
    QueuePlace,
    RateLimit,
    Remote,
    RepositoryFacts,
    Review,
)

_LOGIN: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,99})(?:\[bot\])?")
"""GitHub's rule, and the underscore of enterprise accounts. A path must not be made of anything else."""

FRESH: Final = 5.0
"""Seconds for which a confirmation is believed. A request that was sent right after it may take as long."""


class GitHubForge:
    """See `orch.ports.Forge`. Cheap to make: what is worth keeping lives in the account that `rest` speaks for."""

    def __init__(
        self, rest: Rest, *, name: str, host: Host, repository: str, credential: Credential, pinned: int | None
    ) -> None:
        self._rest, self._name, self._host, self._repository = rest, name, host, repository
        self._credential, self._pinned = credential, pinned
        self._path = f"/repos/{repository}"

    @property
    def rate_limit(self) -> RateLimit | None:
        """What the last answer of this credential said."""
        return self._rest.quota

    def remote(self, repository_id: int) -> Remote:
        """See `Forge.remote`. The token is in the Credential, never in the URL."""
        url = f"{self._host.git_url}/{self._repository}.git"
        return Remote(key=f"{self._name.replace(':', '_')}-{repository_id}", url=url, credential=self._credential)

    def hurry(self) -> None:
        """See `Forge.hurry`."""
        self._rest.hurry()

    async def confirm(self) -> None:
        """REST "Get a repository": a conditional read, so an unchanged repository costs no quota. Our own acts change it,
        so acts that follow each other at once are confirmed once."""
        confirmed = f"{self._path} {self._pinned}"
        if time.monotonic() - self._rest.confirmed.get(confirmed, -math.inf) < FRESH:
            return
        try:
            answer = await self._rest.get(self._path)
        except NotFound:
            text = f"{self._repository} is not there any more, or not visible with this token: was it renamed?"
            raise WrongRepository("RepositoryNotFound", f"{text} Nothing is written") from None
        found = answer.read(lambda document: int(document["id"]))
        if found != self._pinned:
            text = f"{self._repository} has id {found} now, it was {self._pinned or 'never seen'}: nothing is written to it"
            raise WrongRepository("RepositoryChanged", text)
        self._rest.confirmed[confirmed] = time.monotonic()

    async def viewer(self) -> str:
        """REST "Get the authenticated user"."""
        return (await self._rest.get("/user")).read(lambda document: str(document["login"]))

    async def repository(self) -> RepositoryFacts:
        """REST "Get a repository"."""
        answer = await self._rest.get(self._path)
        found = answer.read(lambda document: facts.repository(document, empty=False))
        if found.id not in self._rest.seen and await self._is_empty(found.default_branch):
            return replace(found, empty=True)
        self._rest.seen.add(found.id)
        return found

    async def permission(self, login: str) -> Permission:
        """REST "Get repository permissions for a user"."""
        if not _LOGIN.fullmatch(login):
            return Permission.NONE
        path = f"{self._path}/collaborators/{quote(login, safe='')}/permission"
        answer = await self._rest.unless_refused(path, lambda: self._rest.get(path), kinds=(NotFound,))
        return answer.read(facts.permission) if answer else Permission.NONE

    async def labelled_issues(self, labels: Sequence[str]) -> list[Issue]:
        """REST "List repository issues". GitHub joins several labels by "and", so each is asked for by itself."""
        found: dict[int, Issue] = {}
        for label in dict.fromkeys(labels):
            answer = await self._rest.pages(
                f"{self._path}/issues", labels=label, state="open", sort="created", direction="asc"
            )
            issues = answer.read(lambda entries: [facts.no_pull(entry) for entry in entries])
            found |= {issue.number: issue for issue in issues if issue is not None}
        return [found[number] for number in sorted(found)]

    async def get_issue(self, number: int) -> Issue:
        """REST "Get an issue". A pull request is none."""
        issue = (await self._rest.get(f"{self._path}/issues/{number}")).read(facts.no_pull)
        if issue is None:
            raise NotFound("NotFound", f"#{number} is a pull request, no issue")
        return issue

    async def label_events(self, number: int) -> list[LabelEvent]:
        """REST "List issue events": fewer entries than the timeline, which holds comments as well."""
        return (await self._rest.pages(f"{self._path}/issues/{number}/events")).read(facts.label_events)

    async def last_edited(self, number: int) -> datetime | None:
        """GraphQL `Issue.lastEditedAt` for the text, which REST does not tell; REST "List issue events" for the title."""
        asked = await self._ask(queries.LAST_EDITED, number)
        edited = asked.read(lambda answer: answer["data"]["repository"]["issue"]["lastEditedAt"])
        times = [asked.read(lambda _: facts.time(edited))] if edited else []
        renamed = (await self._rest.pages(f"{self._path}/issues/{number}/events")).read(facts.renamings)
        return max([*times, *renamed], default=None)

    async def comments(self, number: int) -> list[Comment]:
        """REST "List issue comments"."""
        answer = await self._rest.pages(f"{self._path}/issues/{number}/comments")
        return answer.read(lambda entries: [facts.comment(entry) for entry in entries])

    async def create_comment(self, number: int, body: str) -> Comment:
        """REST "Create an issue comment"."""
        answer = await self._write("create-comment", "POST", f"{self._path}/issues/{number}/comments", {"body": body})
        return answer.read(facts.comment)

    async def edit_comment(self, comment_id: int, body: str) -> None:
        """REST "Update an issue comment"."""
        await self._write("edit-comment", "PATCH", f"{self._path}/issues/comments/{comment_id}", {"body": body})

    async def add_labels(self, number: int, labels: Sequence[str]) -> None:
        """REST "Add labels to an issue"; GitHub makes labels that it does not know."""
        await self._write("add-labels", "POST", f"{self._path}/issues/{number}/labels", {"labels": list(labels)})

    async def remove_label(self, number: int, label: str) -> None:
        """REST "Remove a label from an issue", which answers 404 for one that is not on."""
        try:
            path = f"{self._path}/issues/{number}/labels/{quote(label, safe='')}"
            await self._write("remove-label", "DELETE", path)
        except NotFound:
            return

    async def find_status(self, sha: str, context: str) -> CommitStatus | None:
        """REST "Get the combined status", as `checks` asks for it: what has not changed since costs no quota."""
        return await read_status(self._rest, self._path, sha, context)

    async def set_status(self, sha: str, context: str, status: CommitStatus, *, url: str) -> None:
        """REST "Create a commit status". GitHub keeps all of them and shows the newest of each context."""
        document = {"state": status.state.lower(), "context": context, "description": status.description}
        path = f"{self._path}/statuses/{sha}"
        await self._write("set-status", "POST", path, document | ({"target_url": url} if url else {}))

    async def find_pull(self, *, head: str) -> Pull | None:
        """REST "List pull requests"."""
        owner = self._repository.partition("/")[0]
        query = {"head": f"{owner}:{head}", "state": "all", "sort": "created", "direction": "desc"}
        return (await self._rest.get(f"{self._path}/pulls", **query)).read(facts.own_pull)

    async def get_pull(self, number: int) -> Pull:
        """REST "Get a pull request"."""
        return (await self._rest.get(f"{self._path}/pulls/{number}")).read(facts.pull)

    async def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull:
        """REST "Create a pull request". An open one of this head (an earlier attempt's) is taken as it is.

        Raises Terminal `NothingChanged`, Transient `BranchNotSeen`."""
        document = {"head": head, "base": base, "title": title, "body": body}
        try:
            return (await self._write("open-pull", "POST", f"{self._path}/pulls", document)).read(facts.pull)
        except translate.Refused as err:
            found = await self.find_pull(head=head) if "already exists" in err.words else None
            if found is not None and found.state == "open":
                return found
            raise translate.of_new_pull(err) from None

    async def checks(self, sha: str) -> Checks:
        """REST "Get the combined status", "List check runs for a Git reference"."""
        return await read_checks(self._rest, self._path, sha)

    async def checks_readable(self, branch: str, *, again: bool) -> bool:
        """REST "List check runs for a Git reference"."""
        return await may_read(self._rest, self._path, _in_path(branch), again=again)

    async def check_log(self, check: Check) -> str:
        """REST "Download job logs for a workflow run"."""
        return await read_log(self._rest, self._path, check)

    async def rerun_check(self, check: Check) -> None:
        """REST "Re-run a job from a workflow run": for a token with Actions (write), where "Rerequest a check run" takes Apps
        only. A job of Actions has the id of its check run."""
        try:
            await self._write("rerun-check", "POST", f"{self._path}/actions/jobs/{check.id}/rerun")
        except CredentialsRefused as err:
            raise translate.of_rerun(err) from None

    async def reviews(self, number: int) -> list[Review]:
        """REST "List reviews for a pull request"; "List review comments" only when somebody asks for changes."""
        answer = await self._rest.pages(f"{self._path}/pulls/{number}/reviews")
        latest = answer.read(facts.latest_reviews)
        lines: list[dict[str, Any]] = []
        if any(entry["state"] == "CHANGES_REQUESTED" for entry in latest):
            lines = (await self._rest.pages(f"{self._path}/pulls/{number}/comments")).read(list)
        return answer.read(lambda _: [facts.review(entry, lines) for entry in latest])

    async def branch_rules(self, branch: str, *, again: bool = False) -> BranchRules:
        """REST "Get rules for a branch", "Get branch protection"."""
        return await read_rules(self._rest, self._path, _in_path(branch), again=again)

    async def rules_by_name(self, branch: str) -> BranchRules:
        """REST "Get rules for a branch", which need not exist."""
        return await read_rulesets(self._rest, self._path, _in_path(branch))

    async def merge(self, number: int, *, sha: str, method: str, title: str, message: str) -> str:
        """REST "Merge a pull request"."""
        body = {"sha": sha, "merge_method": method.lower(), "commit_title": title, "commit_message": message}
        try:
            answer = await self._write("merge", "PUT", f"{self._path}/pulls/{number}/merge", body)
        except translate.Refused as err:
            raise translate.of_merge(err) from None
        return answer.read(lambda document: str(document["sha"]))

    async def queue_place(self, number: int) -> QueuePlace:
        """GraphQL `PullRequest.mergeQueueEntry`, `RemovedFromMergeQueueEvent`: REST tells neither."""
        return (await self._ask(queries.QUEUE, number)).read(facts.queue_place)

    async def enqueue(self, number: int, *, sha: str) -> QueueEntry:
        """GraphQL `enqueuePullRequest`. How it merges the queue's own rule says."""
        entered = await self._mutate("enqueue", queries.ENQUEUE, id=await self._node_id(number), sha=sha)
        return entered.read(lambda answer: facts.queue_entry(answer["data"]["enqueuePullRequest"]["mergeQueueEntry"]))

    async def dequeue(self, number: int) -> None:
        """GraphQL `dequeuePullRequest`."""
        await self._mutate("dequeue", queries.DEQUEUE, id=await self._node_id(number))

    async def delete_branch(self, branch: str) -> None:
        """REST "Delete a reference", which answers 422 "Reference does not exist" for one that is gone."""
        try:
            await self._write("delete-branch", "DELETE", f"{self._path}/git/refs/heads/{_in_path(branch)}")
        except NotFound:
            return
        except translate.Refused as err:
            if "does not exist" not in err.words:
                raise

    async def _write(self, effect: str, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """An act, on the repository that was pinned and on no other."""
        await self.confirm()
        return await self._rest.write(effect, verb, path, body)

    async def _ask(self, query: str, number: int) -> Answer:
        """By GraphQL, about an issue or a pull request."""
        owner, _, name = self._repository.partition("/")
        return await self._rest.ask(self._host.graphql_url, query, owner=owner, name=name, number=number)

    async def _mutate(self, effect: str, mutation: str, **variables: object) -> Answer:
        """The same, by GraphQL."""
        await self.confirm()
        try:
            return await self._rest.mutate(effect, self._host.graphql_url, mutation, **variables)
        except translate.Refused as err:
            raise translate.of_merge(err) from None

    async def _node_id(self, number: int) -> str:
        """What GraphQL knows a pull request by."""
        return (await self._rest.get(f"{self._path}/pulls/{number}")).read(lambda document: str(document["node_id"]))

    async def _is_empty(self, branch: str) -> bool:
        """Whether there is no commit. GitHub's `size` is 0 for small repositories as well.

        REST "Get a branch", whose answer `branch_rules` needs as well."""
        try:
            await self._rest.get(f"{self._path}/branches/{_in_path(branch)}")
        except NotFound:
            return True
        return False


def _in_path(branch: str) -> str:
    """A branch as part of a path. Raises Terminal for a name that would lead to another path; git forbids such names."""
    if any(part in ("", ".", "..") for part in branch.split("/")):
        raise Terminal("BranchMalformed", f"{branch[:80]!r} is no name of a branch")
    return quote(branch, safe="/")
