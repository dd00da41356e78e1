"""Commits and comparisons. Source: GitHub REST "Commits"."""

from __future__ import annotations

from starlette.responses import Response

from ..errors import ApiError, not_found
from ..gitrepo import SHA, Commit, FileDiff
from ..records import Pull
from ..render import commits as render
from ..render import pulls as render_pulls
from ..rest import Call, Endpoint, reply

REPO = "/repos/{owner}/{repo}"
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
_LOG_LIMIT = 1000
_FILE_LIMIT = 300


async def list_commits(call: Call) -> Response:
    rev = call.query("sha") or call.repo.default_branch
    sha = await call.git.find_commit_sha(rev)
    if sha is None:
        raise ApiError(409, "Git Repository is empty.") if not call.query("sha") else not_found()
    options = [f"--{name}={value}" for name in ("since", "until") if (value := call.query(name))]
    path = call.query("path")
    rows = await call.git.log(sha, *options, limit=_LOG_LIMIT, options=["--", path] if path else [])
    page, headers = call.page(rows)
    return reply([render.commit(call.view, call.repo, row) for row in page], headers=headers)


async def get_commit(call: Call) -> Response:
    sha = await call.commit()
    commit = await call.git.commit(sha)
    base = commit.parents[0] if commit.parents else EMPTY_TREE
    accept = call.request.headers.get("accept", "")
    if "diff" in accept or "patch" in accept:
        return Response(await call.git.patch_text(base, sha), media_type="text/plain; charset=utf-8")
    if "sha" in accept:
        return Response(sha, media_type="application/vnd.github.sha; charset=utf-8")
    return reply(render.full_commit(call.view, call.repo, commit, await call.git.diff(base, sha)))


async def compare(call: Call) -> Response:
    """Three dots, as GitHub compares: from the merge base to the head."""
    base_name, dots, head_name = call.path("basehead").partition("...")
    if not dots:
        raise not_found()
    base, head = await _end(call, base_name), await _end(call, head_name)
    start = await call.git.merge_base(base, head)
    if start is None:
        raise ApiError(404, f"No common ancestor between {base_name} and {head_name}.")
    if "diff" in call.request.headers.get("accept", ""):
        return Response(await call.git.patch_text(start, head), media_type="text/plain; charset=utf-8")
    ahead, behind = await call.git.ahead_behind(base, head)
    commits = list(reversed(await call.git.log(head, f"^{base}", limit=_LOG_LIMIT)))
    page, headers = call.page(commits)
    files = await call.git.diff(start, head) if call.query("page", "1") == "1" else []
    body = await _comparison(call, (base_name, head_name), (base, start), page, files)
    counts = {"ahead_by": ahead, "behind_by": behind, "total_commits": ahead, "status": _relation(ahead, behind)}
    listed = [render.diff_entry(call.view, call.repo, head, row) for row in files[:_FILE_LIMIT]]
    return reply(body | counts | {"files": listed}, headers=headers)


def _relation(ahead: int, behind: int) -> str:
    return {(True, True): "diverged", (True, False): "ahead", (False, True): "behind"}.get(
        (ahead > 0, behind > 0), "identical"
    )


async def _comparison(
    call: Call, names: tuple[str, str], ends: tuple[str, str], commits: object, files: list[FileDiff]
) -> dict[str, object]:
    html = call.view.html(f"/{call.repo.full_name}/compare/{names[0]}...{names[1]}")
    rows: list[Commit] = list(commits)  # type: ignore[call-overload]
    return {
        "url": call.view.api(f"/repos/{call.repo.full_name}/compare/{names[0]}...{names[1]}"),
        "html_url": html,
        "permalink_url": html,
        "diff_url": f"{html}.diff",
        "patch_url": f"{html}.patch",
        "base_commit": render.commit(call.view, call.repo, await call.git.commit(ends[0])),
        "merge_base_commit": render.commit(call.view, call.repo, await call.git.commit(ends[1])),
        "commits": [render.commit(call.view, call.repo, row) for row in rows],
    }


async def _end(call: Call, name: str) -> str:
    """One side of a comparison: a branch, tag or sha, or `owner:branch` of the same network."""
    owner, colon, branch = name.partition(":")
    if colon and owner != call.repo.owner:
        for repo in call.state.store.repos():
            related = call.repo.id in (repo.fork_of, repo.id) or repo.id == call.repo.fork_of
            if repo.owner == owner and related:
                sha = await call.state.git(repo).find_commit_sha(branch)
                if sha is not None:
                    await call.git.fetch_from(call.state.git(repo), sha, f"refs/standin/{repo.id}")
                    return sha
        raise not_found()
    sha = await call.git.find_commit_sha(branch if colon else name)
    if sha is None:
        raise not_found()
    return sha


async def list_pulls_of_commit(call: Call) -> Response:
    sha = await call.commit("commit_sha")
    store = call.state.store
    rows = [
        (issue, pull)
        for pull in store.of(Pull, call.repo.id)
        if sha in (pull.head_sha, pull.merge_commit_sha)
        and (issue := store.find_issue(call.repo.id, pull.number)) is not None
    ]
    page, headers = call.page(rows)
    return reply([render_pulls.simple_pull(call.view, call.repo, *row) for row in page], headers=headers)


async def list_branches_of_head(call: Call) -> Response:
    sha = call.path("commit_sha")
    if not SHA.fullmatch(sha):
        raise ApiError(422, f"No commit found for SHA: {sha}")
    refs = await call.git.refs("refs/heads")
    url = call.view.api(f"/repos/{call.repo.full_name}/commits/{sha}")
    names = [ref.removeprefix("refs/heads/") for ref, tip in refs.items() if tip == sha]
    return reply([{"name": name, "commit": {"sha": sha, "url": url}, "protected": False} for name in names])


COMMITS = f"{REPO}/commits"
ENDPOINTS = [
    Endpoint("GET", COMMITS, list_commits, "contents:read"),
    Endpoint("GET", f"{COMMITS}/{{commit_sha}}/pulls", list_pulls_of_commit, "pull_requests|contents:read"),
    Endpoint("GET", f"{COMMITS}/{{commit_sha}}/branches-where-head", list_branches_of_head, "contents:read"),
    Endpoint("GET", f"{REPO}/compare/{{basehead:path}}", compare, "contents:read"),
]
LAST = Endpoint("GET", f"{COMMITS}/{{ref:path}}", get_commit, "contents:read")
"""A ref holds slashes, so this template goes after all others below `/commits/`."""
