"""`/user` and `/users/{username}`. Source: GitHub REST "Users"."""

from __future__ import annotations

from starlette.responses import Response

from ..access import permissions_of, role_of_caller
from ..errors import forbidden, not_found
from ..render import repos as render_repos
from ..render import users as render
from ..rest import Call, Endpoint, reply


async def get_authenticated(call: Call) -> Response:
    login = call.login
    if call.caller is not None and call.caller.kind == "app":
        raise forbidden("Resource not accessible by integration")
    return reply(render.full_user(call.view, call.state.account(login), private=True))


async def get_user(call: Call) -> Response:
    account = call.state.store.find_account(call.path("username"))
    if account is None:
        raise not_found()
    return reply(render.full_user(call.view, account, private=False))


async def list_own_repos(call: Call) -> Response:
    """Repositories that the caller has an explicit role on."""
    login = call.login
    mine = [
        repo
        for repo in call.state.store.repos()
        if (repo.owner == login or login in repo.collaborators) and role_of_caller(repo, call.caller) is not None
    ]
    page, headers = call.page(mine)
    shown = [
        render_repos.simple_repo(call.view, repo) | {"permissions": permissions_of(repo, call.caller)} for repo in page
    ]
    return reply(shown, headers=headers)


async def list_user_repos(call: Call) -> Response:
    account = call.state.store.find_account(call.path("username"))
    if account is None:
        raise not_found()
    seen = [
        repo
        for repo in call.state.store.repos()
        if repo.owner == account.login and role_of_caller(repo, call.caller) is not None
    ]
    page, headers = call.page(seen)
    return reply([render_repos.simple_repo(call.view, repo) for repo in page], headers=headers)


ENDPOINTS = [
    Endpoint("GET", "/user", get_authenticated),
    Endpoint("GET", "/user/repos", list_own_repos),
    Endpoint("GET", "/users/{username}", get_user),
    Endpoint("GET", "/users/{username}/repos", list_user_repos),
]
