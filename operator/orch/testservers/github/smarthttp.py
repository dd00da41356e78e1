"""Git's smart HTTP over the bare repositories, by `git http-backend`: clone, fetch and push of an unchanged git.

Who calls it: `app` for `/{owner}/{name}[.git]/info/refs`, `git-upload-pack`, `git-receive-pack`. What a push may
change is checked here (role, permission) and by the update hook (workflows, branch rules), because only git sees the
pushed commits in time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import subprocess
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from .access import Caller, has_permission, is_at_least, role_of_caller
from .gitrepo import GIT_ENV, GitRepo, end
from .pushes import refs_changed
from .records import Repo
from .state import State

UPLOAD, RECEIVE = "git-upload-pack", "git-receive-pack"
HOOK = r"""#!/bin/sh
# The stand-in's update hook: what GitHub refuses by what a push contains. Arguments: ref, old sha, new sha.
ref=$1 new=$3
set -f
for pattern in $STANDIN_RULED; do
    case "$ref" in refs/heads/$pattern)
        echo "error: GH013: Repository rule violations found for $ref." >&2
        echo "- Changes must be made through a pull request." >&2
        exit 1 ;;
    esac
done
[ -n "$STANDIN_NO_WORKFLOWS" ] || exit 0
case "$new" in *[!0]*) ;; *) exit 0 ;; esac
file=$(git log --format= --name-only -m "$new" --not --all -- .github/workflows | sed -n '/./{p;q;}')
[ -z "$file" ] && exit 0
echo "refusing to allow $STANDIN_SUBJECT to create or update workflow \`$file\` without \`$STANDIN_NO_WORKFLOWS\`" >&2
exit 1
"""


def install_hook(state: State) -> Path:
    """Write the hook that all repositories share; return its folder."""
    folder = state.data_dir / "hooks"
    folder.mkdir(exist_ok=True)
    hook = folder / "update"
    hook.write_text(HOOK)
    hook.chmod(0o755)
    return folder


async def info_refs(request: Request) -> Response:
    return await _serve(request, "info/refs", request.query_params.get("service", ""))


async def upload_pack(request: Request) -> Response:
    return await _serve(request, UPLOAD, UPLOAD)


async def receive_pack(request: Request) -> Response:
    return await _serve(request, RECEIVE, RECEIVE)


def routes() -> list[Route]:
    base = "/{owner}/{repo}"
    return [
        Route(f"{base}/info/refs", info_refs, methods=["GET"]),
        Route(f"{base}/{UPLOAD}", upload_pack, methods=["POST"]),
        Route(f"{base}/{RECEIVE}", receive_pack, methods=["POST"]),
    ]


async def _serve(request: Request, tail: str, service: str) -> Response:
    state: State = request.app.state.standin
    caller: Caller | None = request.scope.get("orch.token")
    owner, name = request.path_params["owner"], request.path_params["repo"].removesuffix(".git")
    if service not in (UPLOAD, RECEIVE):
        return PlainTextResponse("Please upgrade your git client.\n", 403)
    repo = state.store.find_repo(owner, name)
    refusal = _refusal(repo, caller, writes=service == RECEIVE)
    if refusal is not None or repo is None:
        return refusal or _missing(caller)
    env = _environment(state, repo, caller, request, tail)
    git = state.git(repo)
    if tail != RECEIVE:
        return await _backend(request, env)
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > state.settings.max_push_bytes:
        return PlainTextResponse("push is too large\n", 413)
    async with git.lock:
        before = await git.refs()
        answer = await _backend(request, env, whole=True)
        after = await git.refs()
    # no push moves refs/pull/: what changed there meanwhile is a pull request that somebody opened
    mine = sorted(ref for ref in before | after if not ref.startswith("refs/pull/"))
    request.scope["orch.moved"] = {
        ref: [before.get(ref), after.get(ref)] for ref in mine if before.get(ref) != after.get(ref)
    }
    await _announce(state, repo, git, before, after, caller)
    return answer


async def _announce(
    state: State, repo: Repo, git: GitRepo, before: dict[str, str], after: dict[str, str], caller: Caller | None
) -> None:
    if before != after and caller is not None:
        await refs_changed(state, repo, before, after, caller.account.login)


def _refusal(repo: Repo | None, caller: Caller | None, *, writes: bool) -> Response | None:
    """Why git gets no further, as GitHub says it; None when it may."""
    role = role_of_caller(repo, caller) if repo is not None else None
    if repo is None or role is None:
        return _missing(caller)
    if not writes:
        if caller is not None and repo.private and not has_permission(caller, "contents:read"):
            return _denied(repo, caller)
        return None
    if caller is None:
        return _missing(None)
    writable = is_at_least(role, "write") and has_permission(caller, "contents:write")
    scoped = caller.kind != "classic" or {"repo", "public_repo"} & set(caller.token.scopes)
    if not writable or not scoped:
        return _denied(repo, caller)
    if repo.archived:
        return PlainTextResponse("remote: This repository was archived so it is read-only.\n", 403)
    return None


def _missing(caller: Caller | None) -> Response:
    """Nobody is asked for a password first, so that private names stay private."""
    if caller is None:
        return PlainTextResponse("Authentication required\n", 401, {"www-authenticate": 'Basic realm="GitHub"'})
    return PlainTextResponse("Repository not found.\n", 404)


def _denied(repo: Repo, caller: Caller) -> Response:
    return PlainTextResponse(f"Permission to {repo.full_name}.git denied to {caller.account.login}.\n", 403)


def _environment(state: State, repo: Repo, caller: Caller | None, request: Request, tail: str) -> dict[str, str]:
    """The CGI environment. Source: git-http-backend(1). No token goes into it."""
    root, headers = state.git_path(repo.owner, repo.name), request.headers
    env = {
        **GIT_ENV,
        "GIT_PROJECT_ROOT": str(root),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{tail}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.scope["query_string"].decode("latin-1"),
        "CONTENT_TYPE": headers.get("content-type", ""),
        "REMOTE_ADDR": "127.0.0.1",
        "GIT_PROTOCOL": headers.get("git-protocol", ""),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.hooksPath",
        "GIT_CONFIG_VALUE_0": str(state.data_dir / "hooks"),
    }
    if caller is not None:
        login = caller.account.login
        env |= {"REMOTE_USER": login, **_hook_facts(repo, caller)}
    return env


def _hook_facts(repo: Repo, caller: Caller) -> dict[str, str]:
    login, needed = caller.account.login, _missing_for_workflows(caller)
    subject = {"classic": "a Personal Access Token", "fine_grained": "a Personal Access Token", "app": "a GitHub App"}
    return {
        "STANDIN_NO_WORKFLOWS": needed or "",
        "STANDIN_SUBJECT": subject[caller.kind],
        "STANDIN_RULED": " ".join(
            r.branch for r in repo.rules if (r.pull_request or r.locked) and login not in r.bypass
        ),
    }


def _missing_for_workflows(caller: Caller) -> str | None:
    if caller.kind == "classic":
        return None if "workflow" in caller.token.scopes else "workflow` scope"
    return None if has_permission(caller, "workflows:write") else "workflows` permission"


@functools.cache
def _program() -> str:
    """The CGI program itself: `git http-backend` is one process more for each request, which does nothing but start it."""
    folder = subprocess.run(
        ["git", "--exec-path"], env=GIT_ENV, capture_output=True, text=True, check=True
    ).stdout.strip()
    return f"{folder}/git-http-backend"


async def _backend(request: Request, env: dict[str, str], *, whole: bool = False) -> Response:
    """Run the CGI program. With `whole` the answer is read to its end before it is given back (pushes)."""
    process = await asyncio.create_subprocess_exec(
        _program(),
        env=env,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    feeder = asyncio.create_task(_feed(request, process))
    try:
        assert process.stdout is not None, "opened with a pipe"
        status, headers = await _cgi_head(process.stdout)
        if whole:
            body = await process.stdout.read()
            await process.wait()
            await feeder
            return Response(body, status, headers)
    except BaseException:
        feeder.cancel()
        await end(process)
        raise
    return StreamingResponse(_stream(process, feeder), status, headers)


async def _stream(process: asyncio.subprocess.Process, feeder: asyncio.Task[None]) -> AsyncIterator[bytes]:
    assert process.stdout is not None, "opened with a pipe"
    try:
        while chunk := await process.stdout.read(65536):
            yield chunk
        await process.wait()
    finally:
        feeder.cancel()
        await end(process)


async def _feed(request: Request, process: asyncio.subprocess.Process) -> None:
    """Pass the request body on, unzipped: http-backend would unzip it itself only with a Content-Length."""
    assert process.stdin is not None, "opened with a pipe"
    inflate = zlib.decompressobj(wbits=31) if request.headers.get("content-encoding") in ("gzip", "x-gzip") else None
    try:
        async for chunk in request.stream():
            process.stdin.write(inflate.decompress(chunk) if inflate else chunk)
            await process.stdin.drain()
        if inflate:
            process.stdin.write(inflate.flush())
    except ClientDisconnect:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    except (zlib.error, ConnectionError, OSError):
        pass
    finally:
        process.stdin.close()


async def _cgi_head(out: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    status, headers = 200, {}
    while line := (await out.readline()).decode("latin-1").rstrip("\r\n"):
        name, _, value = line.partition(":")
        if name.lower() == "status":
            status = int(value.split()[0])
        else:
            headers[name.lower()] = value.strip()
    return (status, headers) if headers else (500, {"content-type": "text/plain"})
