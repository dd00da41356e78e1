"""Merging and updating pull requests. Source: GitHub REST "Merge a pull request", "Update a pull request branch"."""

from __future__ import annotations

from starlette.responses import Response

from .. import issues, merging, pulls
from ..errors import ApiError, not_found
from ..gitrepo import ZERO
from ..pushes import HEADS, ref_changed
from ..records import Repo
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
    if pull.base_ref == call.repo.default_branch:
        issues.close_by_keywords(call.state, call.repo, issue.body or "", call.login, new)
    await ref_changed(call.state, call.repo, HEADS + pull.base_ref, pull.base_sha, new, call.login)
    if call.repo.delete_branch_on_merge:
        await _delete_head(call, pull.head_repo_id, pull.head_ref, pull.head_sha)
    return reply({"sha": new, "merged": True, "message": "Pull Request successfully merged"})


async def _delete_head(call: Call, repo_id: int, branch: str, sha: str) -> None:
    repo = call.state.store.find(Repo, repo_id)
    if repo is not None and branch != repo.default_branch:
        await call.state.git(repo).delete_ref(HEADS + branch)
        await ref_changed(call.state, repo, HEADS + branch, sha, ZERO, call.login)


async def is_merged(call: Call) -> Response:
    _, pull = call.pull()
    if pull.merged_at is None:
        raise not_found()
    return no_content()


async def update_branch(call: Call) -> Response:
    issue, pull = call.pull()
    if issue.state == "closed":
        raise ApiError(422, "Cannot update a closed pull request branch.")
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
