"""Files and folders of a commit. Source: GitHub REST "Get repository content"."""

from __future__ import annotations

from starlette.responses import Response

from ..errors import ApiError, not_found
from ..gitrepo import GitError, TreeEntry
from ..render import commits as render
from ..rest import Call, Endpoint, reply

REPO = "/repos/{owner}/{repo}"
_INLINE = 1024 * 1024
"""Bytes up to which a file's content is in the JSON; up to 100 MB only the raw media type gives it."""


async def get_content(call: Call) -> Response:
    ref = call.query("ref") or call.repo.default_branch
    sha = await call.git.find_commit_sha(ref)
    path = call.request.path_params.get("path", "").strip("/")
    if sha is None:
        raise ApiError(404, f"No commit found for the ref {ref}" if call.query("ref") else "This repository is empty.")
    found = await _entry(call, sha, path)
    if found is None or found.type == "tree":
        entries = await _children(call, sha, path)
        return reply([render.content_entry(call.view, call.repo, ref, entry) for entry in entries])
    if found.type == "commit":
        body = render.content_entry(call.view, call.repo, ref, found)
        return reply(body | {"type": "submodule", "submodule_git_url": call.view.html(f"/{call.repo.full_name}.git")})
    data = await call.git.blob(found.sha)
    if "raw" in call.request.headers.get("accept", ""):
        return Response(data, media_type="application/vnd.github.raw; charset=utf-8")
    body = render.content_file(call.view, call.repo, ref, found, data)
    if len(data) > _INLINE and body["type"] == "file":
        body |= {"content": "", "encoding": "none"}
    return reply(body)


async def _entry(call: Call, sha: str, path: str) -> TreeEntry | None:
    """The entry of a path, None for the root. Raises 404."""
    if not path:
        return None
    if ".." in path.split("/") or "" in path.split("/") or "\0" in path:
        raise not_found()
    found = [entry for entry in await call.git.ls_tree(sha, path) if entry.path == path]
    if not found:
        raise not_found()
    return found[0]


async def _children(call: Call, sha: str, path: str) -> list[TreeEntry]:
    try:
        return await call.git.ls_tree(sha, f"{path}/" if path else "")
    except GitError:
        raise not_found() from None


async def get_readme(call: Call) -> Response:
    sha = await call.git.find_commit_sha(call.query("ref") or call.repo.default_branch)
    entries = await call.git.ls_tree(sha) if sha else []
    for entry in entries:
        if entry.type == "blob" and entry.path.lower().split(".")[0] == "readme":
            data = await call.git.blob(entry.sha)
            if "raw" in call.request.headers.get("accept", ""):
                return Response(data, media_type="application/vnd.github.raw; charset=utf-8")
            return reply(render.content_file(call.view, call.repo, call.repo.default_branch, entry, data))
    raise not_found()


ENDPOINTS = [
    Endpoint("GET", f"{REPO}/readme", get_readme, "contents:read"),
    Endpoint("GET", f"{REPO}/contents", get_content, "contents:read"),
    Endpoint("GET", f"{REPO}/contents/{{path:path}}", get_content, "contents:read"),
]
