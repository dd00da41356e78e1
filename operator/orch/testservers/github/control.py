"""The control API `/_control/…`: what a test or a demo sets up that GitHub has no REST call for. Not GitHub's.

Who calls it: people and tests on this machine; there is no credential, so the server listens on loopback only. Bodies
have the shape of the seed's entries (see `seed`). Faults, journal and limits have their own modules.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import issues, seed
from .errors import ApiError, not_found
from .gitrepo import GitError
from .pushes import refs_changed
from .records import BranchRule, CheckSpec, Issue, MergeMethod, Pull, Repo, Role
from .render import repos as render
from .render.users import simple_user
from .render.view import View
from .rest import error_reply, parse_object
from .settings import Settings
from .state import State

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request, State], Awaitable[Response]]


class RepoPatch(BaseModel):
    """What may change about a repository."""

    model_config = ConfigDict(extra="forbid")

    private: bool | None = None
    archived: bool | None = None
    collaborators: dict[str, Role] | None = None
    checks: list[CheckSpec] | None = None
    merge_methods: list[MergeMethod] | None = None
    rules: list[BranchRule] | None = None


class Transfer(BaseModel):
    model_config = ConfigDict(extra="forbid")

    to: str
    """Full name of the new repository."""


class TokenValue(BaseModel):
    model_config = ConfigDict(extra="forbid")

    value: str


class Advance(BaseModel):
    model_config = ConfigDict(extra="forbid")

    seconds: float


async def _body(request: Request, model: type[M]) -> M:
    """The body as `model`. Raises 422 that names the field."""
    try:
        return model.model_validate(parse_object(await request.body() or b"{}"))
    except ValidationError as error:
        reasons = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise ApiError(422, "; ".join(reasons)) from None


def _repo(request: Request, state: State) -> Repo:
    repo = state.store.find_repo(request.path_params["owner"], request.path_params["repo"])
    if repo is None:
        raise not_found()
    return repo


def _issue(request: Request, state: State) -> tuple[Repo, Issue]:
    repo = _repo(request, state)
    issue = state.store.find_issue(repo.id, request.path_params["number"])
    if issue is None or issue.gone is not None:
        raise not_found()
    return repo, issue


async def add_account(request: Request, state: State) -> Response:
    account = seed.add_account(state, await _body(request, seed.AccountSeed))
    return JSONResponse(simple_user(View(state, state.url), account.login), 201)


async def add_token(request: Request, state: State) -> Response:
    """Answers with the value: one is made up when the body names none."""
    token = seed.add_token(state, await _body(request, seed.TokenSeed))
    return JSONResponse({"value": token.value, "login": token.login, "kind": token.kind}, 201)


async def revoke_token(request: Request, state: State) -> Response:
    token = state.store.find_token((await _body(request, TokenValue)).value)
    if token is None:
        raise not_found()
    state.store.delete(token)
    return Response(status_code=204)


async def add_repo(request: Request, state: State) -> Response:
    repo = await seed.add_repo(state, await _body(request, seed.RepoSeed))
    return JSONResponse(render.full_repo(View(state, state.url), repo), 201)


async def change_repo(request: Request, state: State) -> Response:
    repo, patch = _repo(request, state), await _body(request, RepoPatch)
    for name in patch.model_fields_set:
        setattr(repo, name, getattr(patch, name))
    state.store.save(repo)
    return JSONResponse(render.full_repo(View(state, state.url), repo))


async def delete_repo(request: Request, state: State) -> Response:
    """The name is free afterwards, as on GitHub: whoever takes it makes another repository, with another id."""
    state.store.delete(_repo(request, state))
    return Response(status_code=204)


async def sync_repo(request: Request, state: State) -> Response:
    """Notice refs that somebody moved in the bare repository by hand: body `{"before": {ref: sha}}`, the refs as they
    were."""
    repo = _repo(request, state)
    before = parse_object(await request.body() or b"{}").get("before")
    if not isinstance(before, dict):
        raise ApiError(422, "before: an object of ref names and shas is needed")
    await refs_changed(state, repo, before, await state.git(repo).refs(), repo.owner)
    return Response(status_code=204)


async def delete_issue(request: Request, state: State) -> Response:
    repo, issue = _issue(request, state)
    issues.delete(state, repo, issue, repo.owner)
    return Response(status_code=204)


async def transfer_issue(request: Request, state: State) -> Response:
    repo, issue = _issue(request, state)
    owner, _, name = (await _body(request, Transfer)).to.partition("/")
    target = state.store.find_repo(owner, name)
    if target is None:
        raise not_found()
    moved = issues.transfer(state, repo, issue, target, repo.owner)
    return JSONResponse({"repository": target.full_name, "number": moved.number}, 201)


async def change_settings(request: Request, state: State) -> Response:
    """`PATCH` with some of the settings' fields (see `settings`); nested groups are merged."""
    merged: dict[str, Any] = state.settings.model_dump()
    for name, value in parse_object(await request.body() or b"{}").items():
        merged[name] = {**merged[name], **value} if isinstance(merged.get(name), dict) else value
    try:
        state.settings = Settings.model_validate(merged)
    except (ValidationError, TypeError) as error:
        raise ApiError(422, str(error)) from None
    return JSONResponse(state.settings.model_dump())


async def advance_clock(request: Request, state: State) -> Response:
    """Move the server's clock on, for limits that reset and ages that grow."""
    by, clock = timedelta(seconds=(await _body(request, Advance)).seconds), state.clock
    state.clock = lambda: clock() + by
    return JSONResponse({"now": state.clock().isoformat()})


async def dump_state(request: Request, state: State) -> Response:
    """Everything but credentials, for assertions on the state of the world."""
    del request
    store, found = state.store, {}
    for repo in store.repos():
        found[repo.full_name] = {
            "repository": repo.model_dump(mode="json"),
            "refs": await state.git(repo).refs(),
            "issues": [row.model_dump(mode="json") for row in store.of(Issue, repo.id)],
            "pulls": [row.model_dump(mode="json") for row in store.of(Pull, repo.id)],
        }
    return JSONResponse({"url": state.url, "repositories": found})


def _guard(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            return await handler(request, request.app.state.standin)
        except ApiError as error:
            return error_reply(error)
        except (GitError, OSError) as error:
            return JSONResponse({"message": str(error)}, 422)

    return endpoint


def routes() -> list[Route]:
    repo = "/_control/repos/{owner}/{repo}"
    table: list[tuple[str, str, Handler]] = [
        ("POST", "/_control/accounts", add_account),
        ("POST", "/_control/tokens", add_token),
        ("POST", "/_control/tokens/revoke", revoke_token),
        ("POST", "/_control/repos", add_repo),
        ("PATCH", repo, change_repo),
        ("DELETE", repo, delete_repo),
        ("POST", f"{repo}/sync", sync_repo),
        ("DELETE", f"{repo}/issues/{{number:int}}", delete_issue),
        ("POST", f"{repo}/issues/{{number:int}}/transfer", transfer_issue),
        ("PATCH", "/_control/settings", change_settings),
        ("POST", "/_control/clock", advance_clock),
        ("GET", "/_control/state", dump_state),
    ]
    return [Route(path, _guard(handler), methods=[method]) for method, path, handler in table]
