"""Pull requests. Source: GitHub REST "Pull requests"."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from .. import checks, issues, pulls
from ..access import is_at_least, role_of, role_of_caller
from ..errors import ApiError, forbidden, invalid, unsupplied
from ..pushes import HEADS
from ..records import Issue, Pull, Repo
from ..render import commits as render_commits
from ..render import pulls as render
from ..render.users import simple_user
from ..rest import Call, Endpoint, reply

REPO = "/repos/{owner}/{repo}"
PULL = f"{REPO}/pulls/{{pull_number}}"


async def list_pulls(call: Call) -> Response:
    wanted = call.choice("state", ("open", "closed", "all"), "open")
    head, base = call.query("head"), call.query("base")
    store = call.state.store
    rows: list[tuple[Issue, Pull]] = []
    for pull in store.of(Pull, call.repo.id):
        issue = store.find_issue(call.repo.id, pull.number)
        matches = (not head or pull.head_label == head) and (not base or pull.base_ref == base)
        if issue is not None and matches and wanted in ("all", issue.state):
            rows.append((issue, pull))
    key = call.choice("sort", ("created", "updated", "popularity", "long-running"), "created")
    default = "desc" if key == "created" else "asc"
    rows.sort(
        key=lambda row: (row[0].updated_at if key == "updated" else row[0].created_at, row[0].number),
        reverse=call.choice("direction", ("asc", "desc"), default) == "desc",
    )
    page, headers = call.page(rows)
    return reply([render.simple_pull(call.view, call.repo, *row) for row in page], headers=headers)


async def create_pull(call: Call) -> Response:
    head_name, base = await call.text("head", required=True), await call.text("base", required=True)
    body = await call.json()
    title = await call.text("title", required="issue" not in body, limit=256)
    if not title or head_name is None or base is None:
        raise unsupplied("title")
    head = _head(call, head_name)
    if not is_at_least(role_of_caller(head[0], call.caller), "write"):
        raise forbidden("Resource not accessible by personal access token")
    issue, pull = await pulls.open_pull(
        call.state,
        call.repo,
        call.login,
        title=title,
        body=await call.text("body"),
        head=head,
        base=base,
        draft=body.get("draft") is True,
        maintainer_can_modify=body.get("maintainer_can_modify") is not False,
    )
    if head[0].id != call.repo.id:
        checks.start(call.state, call.repo, pull.head_sha, None)
    shown = await _full(call, issue, pull)
    return reply(shown, 201, {"location": shown["url"]})


def _head(call: Call, name: str) -> tuple[Repo, str]:
    """`branch`, or `owner:branch` in the same network of forks. Raises 422."""
    owner, colon, branch = name.partition(":")
    if not colon:
        return call.repo, name
    if owner == call.repo.owner:
        return call.repo, branch
    for repo in call.state.store.repos():
        if repo.owner == owner and (repo.fork_of == call.repo.id or repo.id == call.repo.fork_of):
            return repo, branch
    raise invalid("PullRequest", "head", "invalid")


async def _full(call: Call, issue: Issue, pull: Pull) -> dict[str, Any]:
    facts = await pulls.facts(call.state, call.repo, issue, pull)
    return render.full_pull(call.view, call.repo, issue, pull, facts)


async def get_pull(call: Call) -> Response:
    issue, pull = call.pull()
    accept = call.request.headers.get("accept", "")
    if "diff" in accept or "patch" in accept:
        start = await pulls.start_of_changes(call.state, call.repo, pull)
        return Response(await call.git.patch_text(start, pull.head_sha), media_type="text/plain; charset=utf-8")
    return reply(await _full(call, issue, pull))


async def update_pull(call: Call) -> Response:
    issue, pull = call.pull()
    state, repo, body = call.state, call.repo, await call.json()
    if call.login != issue.user and not is_at_least(role_of_caller(repo, call.caller), "write"):
        raise forbidden("Must have admin rights to Repository.")
    wanted, base = await call.text("state"), await call.text("base")
    if wanted not in (None, "open", "closed"):
        raise invalid("PullRequest", "state", "invalid")
    changes: dict[str, str | None] = {name: await call.text(name) for name in ("title", "body") if name in body}
    if base is not None and base != pull.base_ref:
        await _rebase_onto(call, issue, pull, base)
    issues.edit(state, repo, issue, call.login, changes)
    if wanted == "closed":
        issues.close(state, repo, issue, call.login)
    elif wanted == "open" and issue.state == "closed":
        await _reopen(call, issue, pull)
    return reply(await _full(call, issue, pull))


async def _rebase_onto(call: Call, issue: Issue, pull: Pull, base: str) -> None:
    sha = await call.git.find_ref(HEADS + base)
    if sha is None:
        raise invalid("PullRequest", "base", "invalid")
    old, pull.base_ref, pull.base_sha = pull.base_ref, base, sha
    call.state.store.save(pull)
    issues.touch(call.state, issue)
    issues.add_event(call.state, call.repo, pull.number, "base_ref_changed", call.login)
    issues.notify_issue(call.state, "edited", call.repo, issue, call.login, changes={"base": {"ref": {"from": old}}})


async def _reopen(call: Call, issue: Issue, pull: Pull) -> None:
    """Not after a merge, and not without the head branch."""
    head_repo = call.state.store.find(Repo, pull.head_repo_id)
    sha = await call.state.git(head_repo).find_ref(HEADS + pull.head_ref) if head_repo else None
    if pull.merged_at is not None or sha is None:
        text = f"state cannot be changed. The {pull.head_ref} branch has been deleted."
        raise invalid(
            "PullRequest", "state", "custom", "state cannot be changed. The pull request is merged." if sha else text
        )
    issues.reopen(call.state, call.repo, issue, call.login)
    await pulls.head_moved(call.state, call.repo, pull, sha, call.login, forced=False)


async def list_files(call: Call) -> Response:
    _, pull = call.pull()
    page, headers = call.page(await pulls.files_of(call.state, call.repo, pull))
    shown = [render_commits.diff_entry(call.view, call.repo, pull.head_sha, row) for row in page]
    return reply(shown, headers=headers)


async def list_commits(call: Call) -> Response:
    _, pull = call.pull()
    page, headers = call.page(await pulls.commits_of(call.state, call.repo, pull))
    return reply([render_commits.commit(call.view, call.repo, row) for row in page], headers=headers)


async def list_requested(call: Call) -> Response:
    _, pull = call.pull()
    users = [simple_user(call.view, login) for login in pull.requested_reviewers]
    return reply({"users": users, "teams": []})


async def request_reviewers(call: Call) -> Response:
    issue, pull = call.pull()
    asked = await call.names("reviewers") or []
    if issue.user in asked:
        raise ApiError(422, "Review cannot be requested from pull request author.")
    for login in asked:
        account = call.state.store.find_account(login)
        explicit = account and (account.login == call.repo.owner or account.login in call.repo.collaborators)
        if account is None or not explicit or role_of(call.repo, account) is None:
            text = (
                "Reviews may only be requested from collaborators. One or more of the users or teams you specified is "
            )
            raise ApiError(422, f"{text}not a collaborator of the {call.repo.full_name} repository.")
    for login in asked:
        if login not in pull.requested_reviewers:
            pull.requested_reviewers.append(login)
            names = {"requested_reviewer": login, "review_requester": call.login}
            issues.add_event(call.state, call.repo, pull.number, "review_requested", call.login, **names)
    call.state.store.save(pull)
    issues.touch(call.state, issue)
    return reply(render.simple_pull(call.view, call.repo, issue, pull), 201)


async def unrequest_reviewers(call: Call) -> Response:
    issue, pull = call.pull()
    for login in await call.names("reviewers") or []:
        if login in pull.requested_reviewers:
            pull.requested_reviewers.remove(login)
            names = {"requested_reviewer": login, "review_requester": call.login}
            issues.add_event(call.state, call.repo, pull.number, "review_request_removed", call.login, **names)
    call.state.store.save(pull)
    return reply(render.simple_pull(call.view, call.repo, issue, pull))


READ, WRITE = "pull_requests:read", "pull_requests:write"
ENDPOINTS = [
    Endpoint("GET", f"{REPO}/pulls", list_pulls, READ),
    Endpoint("POST", f"{REPO}/pulls", create_pull, WRITE),
    Endpoint("GET", f"{REPO}/pulls/{{pull_number:int}}", get_pull, READ),
    Endpoint("PATCH", f"{REPO}/pulls/{{pull_number:int}}", update_pull, WRITE),
    Endpoint("GET", f"{PULL}/files", list_files, READ),
    Endpoint("GET", f"{PULL}/commits", list_commits, READ),
    Endpoint("GET", f"{PULL}/requested_reviewers", list_requested, READ),
    Endpoint("POST", f"{PULL}/requested_reviewers", request_reviewers, WRITE),
    Endpoint("DELETE", f"{PULL}/requested_reviewers", unrequest_reviewers, WRITE),
]
