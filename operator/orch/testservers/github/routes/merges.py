"""Merging and updating pull requests. Source: GitHub REST "Merge a pull request", "Update a pull request branch"."""

from __future__ import annotations

from starlette.responses import Response

from .. import merge_queue, merging, pulls
from ..errors import ApiError, not_found
from ..pushes import HEADS, ref_changed
from ..rest import Call, Endpoint, no_content, reply

PULL = "/repos/{owner}/{repo}/pulls/{pull_number}"


async def merge_pull(call: Call) -> Response:
    issue, pull = call.pull()
    new = await merging.merge(
        call.state,
        call.repo,
        issue,
        pull,
        call.login,
        method=await call.text("merge_method") or "merge",
        sha=await call.text("sha"),
        title=await call.text("commit_title"),
        message=await call.text("commit_message"),
    )
    return reply({"sha": new, "merged": True, "message": "Pull Request successfully merged"})


async def is_merged(call: Call) -> Response:
    _, pull = call.pull()
    if pull.merged_at is None:
        raise not_found()
    return no_content()


async def update_branch(call: Call) -> Response:
    issue, pull = call.pull()
    if issue.state == "closed":
        raise ApiError(422, "Cannot update a closed pull request branch.")
    if merge_queue.find_entry(call.state, call.repo, pull.number) is not None:
        raise ApiError(422, "Branches that are queued for merging cannot be updated")
    expected = await call.text("expected_head_sha")
    async with call.git.lock:
        old, new = await pulls.update_branch(call.state, call.repo, pull, call.login, expected)
    head_repo = call.state.repo(pull.head_repo_id)
    await ref_changed(call.state, head_repo, HEADS + pull.head_ref, old, new, call.login)
    url = call.view.html(f"/{call.repo.full_name}/pull/{pull.number}")
    return reply({"message": "Updating pull request branch.", "url": url}, 202)


ENDPOINTS = [
    Endpoint("GET", f"{PULL}/merge", is_merged, "pull_requests|contents:read"),
    Endpoint("PUT", f"{PULL}/merge", merge_pull, "contents:write", "write"),
    Endpoint("PUT", f"{PULL}/update-branch", update_branch, "pull_requests:write", "write"),
]
