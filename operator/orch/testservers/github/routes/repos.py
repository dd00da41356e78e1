"""Repositories, collaborators, forks. Source: GitHub REST "Repositories", "Collaborators", "Forks"."""

from __future__ import annotations

from starlette.responses import Response

from ..access import RANK, role_of
from ..errors import ApiError, not_found
from ..pushes import HEADS
from ..records import Repo
from ..render import repos as render
from ..render import users as render_users
from ..repos import fork
from ..rest import Call, Endpoint, no_content, reply

ROLES = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}


async def get_repo(call: Call) -> Response:
    return reply(render.full_repo(call.view, call.repo))


async def update_repo(call: Call) -> Response:
    body, repo = await call.json(), call.repo
    if "default_branch" in body:
        branch = str(body["default_branch"])
        if await call.git.find_ref(HEADS + branch) is None:
            raise ApiError(
                422,
                "Validation Failed",
                errors=[{"resource": "Repository", "code": "invalid", "field": "default_branch"}],
            )
        repo.default_branch = branch
        await call.git.git("symbolic-ref", "HEAD", HEADS + branch)
    for name in ("archived", "private", "has_issues", "delete_branch_on_merge"):
        if isinstance(body.get(name), bool):
            setattr(repo, name, body[name])
    if "description" in body:
        repo.description = await call.text("description")
    for method, name in (
        ("merge", "allow_merge_commit"),
        ("squash", "allow_squash_merge"),
        ("rebase", "allow_rebase_merge"),
    ):
        if name in body:
            repo.merge_methods = [
                m
                for m in ("merge", "squash", "rebase")
                if (bool(body[name]) if m == method else m in repo.merge_methods)
            ]
    call.state.store.save(repo)
    return reply(render.full_repo(call.view, repo))


async def delete_repo(call: Call) -> Response:
    call.state.store.delete(call.repo)
    call.state.drop_git(call.repo)
    return no_content()


async def get_permission(call: Call) -> Response:
    account = call.state.store.find_account(call.path("username"))
    if account is None:
        raise ApiError(404, f"{call.path('username')} is not a user")
    return reply(render_users.collaborator_permission(call.view, call.repo, account))


async def list_collaborators(call: Call) -> Response:
    logins = [call.repo.owner, *call.repo.collaborators]
    page, headers = call.page(logins)
    return reply([render_users.collaborator(call.view, call.repo, login) for login in page], headers=headers)


async def is_collaborator(call: Call) -> Response:
    login = call.path("username")
    if login != call.repo.owner and login not in call.repo.collaborators:
        raise not_found()
    return no_content()


async def add_collaborator(call: Call) -> Response:
    """The stand-in has no invitations: the role holds at once (204, as for members of an organisation)."""
    account = call.state.store.find_account(call.path("username"))
    if account is None:
        raise not_found()
    asked = str((await call.json()).get("permission", "push"))
    role = ROLES.get(asked, asked)
    if role not in RANK:
        raise ApiError(
            422, "Validation Failed", errors=[{"resource": "Repository", "code": "invalid", "field": "permission"}]
        )
    call.repo.collaborators[account.login] = role  # type: ignore[assignment]
    call.state.store.save(call.repo)
    return no_content()


async def remove_collaborator(call: Call) -> Response:
    call.repo.collaborators.pop(call.path("username"), None)
    call.state.store.save(call.repo)
    return no_content()


async def list_assignees(call: Call) -> Response:
    logins = [call.repo.owner, *call.repo.collaborators]
    page, headers = call.page(logins)
    return reply([render_users.simple_user(call.view, login) for login in page], headers=headers)


async def check_assignee(call: Call) -> Response:
    account = call.state.store.find_account(call.path("assignee"))
    explicit = account is not None and (account.login == call.repo.owner or account.login in call.repo.collaborators)
    if account is None or not explicit or role_of(call.repo, account) is None:
        raise not_found()
    return no_content()


async def create_fork(call: Call) -> Response:
    body = await call.json()
    owner = str(body.get("organization") or call.login)
    name = body.get("name")
    made = await fork(call.state, call.repo, owner, str(name) if name else None)
    return reply(render.full_repo(call.view, made), 202)


async def list_forks(call: Call) -> Response:
    forks: list[Repo] = [repo for repo in call.state.store.repos() if repo.fork_of == call.repo.id]
    page, headers = call.page(forks)
    return reply([render.simple_repo(call.view, repo) for repo in page], headers=headers)


REPO = "/repos/{owner}/{repo}"
ENDPOINTS = [
    Endpoint("GET", REPO, get_repo),
    Endpoint("PATCH", REPO, update_repo, "administration:write", "admin"),
    Endpoint("DELETE", REPO, delete_repo, "administration:write", "admin"),
    Endpoint("GET", f"{REPO}/collaborators/{{username}}/permission", get_permission),
    Endpoint("GET", f"{REPO}/collaborators", list_collaborators, role="write"),
    Endpoint("GET", f"{REPO}/collaborators/{{username}}", is_collaborator, role="read"),
    Endpoint("PUT", f"{REPO}/collaborators/{{username}}", add_collaborator, "administration:write", "admin"),
    Endpoint("DELETE", f"{REPO}/collaborators/{{username}}", remove_collaborator, "administration:write", "admin"),
    Endpoint("GET", f"{REPO}/assignees", list_assignees),
    Endpoint("GET", f"{REPO}/assignees/{{assignee}}", check_assignee),
    Endpoint("POST", f"{REPO}/forks", create_fork, "metadata:read", "read"),
    Endpoint("GET", f"{REPO}/forks", list_forks),
]
