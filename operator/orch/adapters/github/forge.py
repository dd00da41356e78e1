"""One repository on GitHub with one credential: the Forge port, method by method. It decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from orch.adapters.github import facts
from orch.adapters.github.hosts import Host
from orch.adapters.github.rest import Rest
from orch.adapters.github.rules import read_rules
from orch.errors import CredentialsRefused, NotFound, OrchError, Terminal
from orch.ports import (
    BranchRules,
    Check,
    Checks,
    Comment,
    Credential,
    Issue,
    LabelEvent,
    Permission,
    Pull,
    RateLimit,
    Remote,
    RepositoryFacts,
    Review,
)

_LOG_TAIL: Final = 64_000


class GitHubForge:
    """See `orch.ports.Forge`. Cheap to make: what is worth keeping lives in the Rest that it is given."""

    def __init__(self, rest: Rest, *, name: str, host: Host, repository: str, credential: Credential) -> None:
        self._rest, self._name, self._host, self._repository = rest, name, host, repository
        self._credential = credential
        self._path = f"/repos/{repository}"

    @property
    def rate_limit(self) -> RateLimit | None:
        return self._rest.quota

    def remote(self, repository_id: int) -> Remote:
        url = f"{self._host.git_url}/{self._repository}.git"
        return Remote(key=f"{self._name.replace(':', '_')}-{repository_id}", url=url, credential=self._credential)

    async def viewer(self) -> str:
        return str((await self._rest.get("/user")).json["login"])

    async def repository(self) -> RepositoryFacts:
        document = (await self._rest.get(self._path)).json
        return facts.repository(document, empty=await self._is_empty(document))

    async def permission(self, login: str) -> Permission:
        try:
            path = f"{self._path}/collaborators/{quote(login, safe='')}/permission"
            return facts.permission((await self._rest.get(path)).json)
        except NotFound:
            return Permission.NONE

    async def labelled_issues(self, labels: Sequence[str]) -> list[Issue]:
        found: dict[int, Issue] = {}
        for label in labels:  # GitHub joins several labels by and, so each is asked for
            documents = await self._rest.pages(
                f"{self._path}/issues", labels=label, state="open", sort="created", direction="asc"
            )
            found |= {entry["number"]: facts.issue(entry) for entry in documents if "pull_request" not in entry}
        return [found[number] for number in sorted(found)]

    async def get_issue(self, number: int) -> Issue:
        return facts.issue((await self._rest.get(f"{self._path}/issues/{number}")).json)

    async def label_events(self, number: int) -> list[LabelEvent]:
        documents = await self._rest.pages(f"{self._path}/issues/{number}/events")
        return [facts.label_event(entry) for entry in documents if entry["event"] in ("labeled", "unlabeled")]

    async def comments(self, number: int) -> list[Comment]:
        documents = await self._rest.pages(f"{self._path}/issues/{number}/comments")
        return [facts.comment(entry) for entry in documents]

    async def create_comment(self, number: int, body: str) -> Comment:
        reply = await self._rest.write("POST", f"{self._path}/issues/{number}/comments", {"body": body})
        return facts.comment(reply.json)

    async def edit_comment(self, comment_id: int, body: str) -> None:
        await self._rest.write("PATCH", f"{self._path}/issues/comments/{comment_id}", {"body": body})

    async def add_labels(self, number: int, labels: Sequence[str]) -> None:
        await self._rest.write("POST", f"{self._path}/issues/{number}/labels", {"labels": list(labels)})

    async def find_pull(self, *, head: str) -> Pull | None:
        owner = self._repository.partition("/")[0]
        reply = await self._rest.get(f"{self._path}/pulls", head=f"{owner}:{head}", state="all", per_page=1)
        return facts.pull(reply.json[0]) if reply.json else None

    async def get_pull(self, number: int) -> Pull:
        return facts.pull((await self._rest.get(f"{self._path}/pulls/{number}")).json)

    async def open_pull(self, *, head: str, base: str, title: str, body: str) -> Pull:
        document = {"head": head, "base": base, "title": title, "body": body}
        try:
            return facts.pull((await self._rest.write("POST", f"{self._path}/pulls", document)).json)
        except Terminal as err:  # 422: an earlier attempt's pull request is there
            found = await self.find_pull(head=head) if err.reason == "RequestRefused" else None
            if found is None or found.state != "open":
                raise
            return found

    async def close_pull(self, number: int) -> None:
        await self._rest.write("PATCH", f"{self._path}/pulls/{number}", {"state": "closed"})

    async def checks(self, sha: str) -> Checks:
        statuses = (await self._rest.get(f"{self._path}/commits/{sha}/status", per_page=100)).json["statuses"]
        items = [facts.status(entry) for entry in statuses]
        try:
            runs = await self._rest.pages(f"{self._path}/commits/{sha}/check-runs", within="check_runs")
        except CredentialsRefused as err:
            if err.reason != "Forbidden":
                raise
            return Checks(sha, tuple(items), readable=False)
        items += [facts.check_run(entry) for entry in facts.newest_runs(runs)]
        return Checks(sha, tuple(sorted(items, key=lambda check: check.name)))

    async def check_log(self, check: Check) -> str:
        if check.id is not None:
            try:
                return (await self._rest.get(f"{self._path}/actions/jobs/{check.id}/logs")).text[-_LOG_TAIL:]
            except OrchError:
                return check.summary[-_LOG_TAIL:]  # an app's check run is no Actions job and has no log
        return check.summary[-_LOG_TAIL:]

    async def reviews(self, number: int) -> list[Review]:
        documents = facts.latest_reviews(await self._rest.pages(f"{self._path}/pulls/{number}/reviews"))
        asked = any(entry["state"] == "CHANGES_REQUESTED" for entry in documents)
        lines = await self._rest.pages(f"{self._path}/pulls/{number}/comments") if asked else []
        return [facts.review(entry, lines) for entry in documents]

    async def branch_rules(self, branch: str) -> BranchRules:
        return await read_rules(self._rest, self._path, branch)

    async def update_branch(self, number: int, *, expected_head: str) -> None:
        body = {"expected_head_sha": expected_head}
        await self._rest.write("PUT", f"{self._path}/pulls/{number}/update-branch", body)

    async def merge(self, number: int, *, sha: str, method: str, title: str, message: str) -> str:
        body = {"sha": sha, "merge_method": method.lower(), "commit_title": title, "commit_message": message}
        return str((await self._rest.write("PUT", f"{self._path}/pulls/{number}/merge", body)).json["sha"])

    async def delete_branch(self, branch: str) -> None:
        try:
            await self._rest.write("DELETE", f"{self._path}/git/refs/heads/{quote(branch)}")
        except NotFound:
            return
        except Terminal as err:  # GitHub answers 422 "Reference does not exist"
            if err.reason != "RequestRefused":
                raise

    async def _is_empty(self, document: dict[str, Any]) -> bool:
        """A repository without a commit has no branch of its default name, and a size of 0."""
        if document.get("size"):
            return False
        try:
            await self._rest.get(f"{self._path}/branches/{quote(document['default_branch'], safe='')}")
        except NotFound:
            return True
        return False
