"""The Git database: refs, commits, trees, blobs. Source: GitHub REST "Git references" and neighbours."""

from __future__ import annotations

import re

from starlette.responses import Response

from ..errors import ApiError, forbidden, invalid, not_found, unsupplied
from ..gitrepo import SHA, ZERO, GitError
from ..pushes import HEADS, ref_changed
from ..render import commits as render
from ..render.view import node_id
from ..rest import Call, Endpoint, no_content, reply
from ..rules import rules_for

REPO = "/repos/{owner}/{repo}"
_WRITABLE = re.compile(r"refs/(heads|tags)/.+")


async def _kind(call: Call, sha: str) -> str:
    return await call.git.text("cat-file", "-t", sha)


async def get_ref(call: Call) -> Response:
    ref = f"refs/{call.path('ref')}"
    sha = await call.git.find_ref(ref)
    if sha is None:
        raise not_found()
    return reply(render.git_ref(call.view, call.repo, ref, sha, await _kind(call, sha)))


async def matching_refs(call: Call) -> Response:
    prefix = f"refs/{call.path('ref')}"
    refs = {ref: sha for ref, sha in (await call.git.refs()).items() if ref.startswith(prefix)}
    page, headers = call.page(list(refs.items()))
    return reply([render.git_ref(call.view, call.repo, ref, sha) for ref, sha in page], headers=headers)


async def create_ref(call: Call) -> Response:
    ref, sha = await call.text("ref", required=True), await call.text("sha", required=True)
    assert ref is not None, "required"
    assert sha is not None, "required"
    if not _WRITABLE.fullmatch(ref) or not await call.git.is_valid_ref(ref):
        raise ApiError(422, "Reference name must start with 'refs/heads/' or 'refs/tags/' and be well-formed")
    if not SHA.fullmatch(sha) or not await call.git.has_commit(sha):
        raise ApiError(422, "Object does not exist")
    async with call.git.lock:
        if await call.git.find_ref(ref) is not None:
            raise ApiError(422, "Reference already exists")
        await call.git.update_ref(ref, sha, ZERO)
    await ref_changed(call.state, call.repo, ref, ZERO, sha, call.login)
    url = call.view.api(f"/repos/{call.repo.full_name}/git/{ref}")
    return reply(render.git_ref(call.view, call.repo, ref, sha), 201, {"location": url})


async def update_ref(call: Call) -> Response:
    ref, sha = f"refs/{call.path('ref')}", await call.text("sha", required=True)
    force = (await call.json()).get("force") is True
    if sha is None or not SHA.fullmatch(sha) or not await call.git.has_commit(sha):
        raise unsupplied("sha") if sha is None else ApiError(422, "Object does not exist")
    _demand_unruled(call, ref)
    async with call.git.lock:
        old = await _existing(call, ref)
        if not force and not await call.git.is_ancestor(old, sha):
            raise ApiError(422, "Update is not a fast forward")
        await call.git.update_ref(ref, sha, old)
    await ref_changed(call.state, call.repo, ref, old, sha, call.login)
    return reply(render.git_ref(call.view, call.repo, ref, sha))


async def delete_ref(call: Call) -> Response:
    ref = f"refs/{call.path('ref')}"
    _demand_unruled(call, ref)
    if ref == HEADS + call.repo.default_branch:
        raise invalid("Reference", "ref", "custom", "Cannot delete the default branch")
    async with call.git.lock:
        old = await _existing(call, ref)
        await call.git.delete_ref(ref)
    await ref_changed(call.state, call.repo, ref, old, ZERO, call.login)
    return no_content()


async def _existing(call: Call, ref: str) -> str:
    old = await call.git.find_ref(ref) if _WRITABLE.fullmatch(ref) else None
    if old is None:
        raise ApiError(422, "Reference does not exist")
    return old


def _demand_unruled(call: Call, ref: str) -> None:
    """Ruled branches move by pull requests only."""
    branch = ref.removeprefix(HEADS)
    if ref.startswith(HEADS) and any(rule.pull_request for rule in rules_for(call.repo, branch, call.login)):
        raise forbidden("Repository rule violations found\n\nChanges must be made through a pull request.\n\n")


async def get_git_commit(call: Call) -> Response:
    sha = call.path("commit_sha")
    if not SHA.fullmatch(sha) or not await call.git.has_commit(sha):
        raise not_found()
    return reply(render.git_commit(call.view, call.repo, await call.git.commit(sha)))


async def get_tree(call: Call) -> Response:
    rev = call.path("tree_sha")
    sha = rev if SHA.fullmatch(rev) else await call.git.find_commit_sha(rev)
    try:
        entries = await call.git.ls_tree(sha or "", recursive=bool(call.query("recursive")))
    except GitError:
        raise not_found() from None
    url = call.view.api(f"/repos/{call.repo.full_name}/git")
    tree = [
        {
            "path": e.path.encode(errors="surrogateescape").decode(errors="replace"),
            "mode": e.mode,
            "type": e.type,
            "sha": e.sha,
            "url": f"{url}/{e.type}s/{e.sha}",
            **({"size": e.size} if e.size is not None else {}),
        }
        for e in entries
    ]
    return reply({"sha": sha, "url": f"{url}/trees/{sha}", "tree": tree, "truncated": False})


async def get_blob(call: Call) -> Response:
    sha = call.path("file_sha")
    try:
        data = await call.git.blob(sha if SHA.fullmatch(sha) else ZERO)
    except GitError:
        raise not_found() from None
    if "raw" in call.request.headers.get("accept", ""):
        return Response(data, media_type="application/vnd.github.raw; charset=utf-8")
    return reply(
        {
            "sha": sha,
            "node_id": node_id("Blob", call.repo.id, sha),
            "size": len(data),
            "url": call.view.api(f"/repos/{call.repo.full_name}/git/blobs/{sha}"),
            "content": render.encoded(data),
            "encoding": "base64",
        }
    )


ENDPOINTS = [
    Endpoint("GET", f"{REPO}/git/ref/{{ref:path}}", get_ref, "contents:read"),
    Endpoint("GET", f"{REPO}/git/matching-refs/{{ref:path}}", matching_refs, "contents:read"),
    Endpoint("POST", f"{REPO}/git/refs", create_ref, "contents:write", "write"),
    Endpoint("PATCH", f"{REPO}/git/refs/{{ref:path}}", update_ref, "contents:write", "write"),
    Endpoint("DELETE", f"{REPO}/git/refs/{{ref:path}}", delete_ref, "contents:write", "write"),
    Endpoint("GET", f"{REPO}/git/commits/{{commit_sha}}", get_git_commit, "contents:read"),
    Endpoint("GET", f"{REPO}/git/trees/{{tree_sha:path}}", get_tree, "contents:read"),
    Endpoint("GET", f"{REPO}/git/blobs/{{file_sha}}", get_blob, "contents:read"),
]
