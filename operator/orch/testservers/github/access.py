"""Who may do what: the caller of a request, roles on a repository, and what a token's kind allows.

Who calls it: `auth`, `rest`, smart HTTP, the web pages. Decisions only, no I/O.
Sources: GitHub Docs "Repository roles for an organization", "Permissions required for fine-grained personal access
tokens".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from .errors import ApiError, forbidden, not_found
from .records import Account, Repo, Role, Token

RANK: Final[dict[str, int]] = {"read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}
LEGACY: Final[dict[str, str]] = {"triage": "read", "maintain": "write"}
"""What the old `permission` field says for the newer roles."""
READ_ROLE: Final = "read"


@dataclass(frozen=True)
class Caller:
    """An authenticated request's credential and account."""

    token: Token
    account: Account

    @property
    def value(self) -> str:
        return self.token.value

    @property
    def kind(self) -> Literal["classic", "fine_grained", "app"]:
        return self.token.kind

    def reaches(self, repo: Repo) -> bool:
        """Whether the token is meant for this repository at all."""
        return self.token.repos is None or repo.full_name in self.token.repos


def role_of(repo: Repo, account: Account) -> Role | None:
    """The account's role, None without any (a private repository of others)."""
    if account.login == repo.owner or account.site_admin:
        return "admin"
    return repo.collaborators.get(account.login, None if repo.private else "read")


def role_of_caller(repo: Repo, caller: Caller | None) -> Role | None:
    """What the caller may be here.

    An App is bound by its permissions alone, so it counts as admin where it is installed.
    """
    if caller is None:
        return None if repo.private else "read"
    if caller.kind == "app":
        return "admin" if caller.reaches(repo) else (None if repo.private else "read")
    if caller.kind == "fine_grained" and not caller.reaches(repo):
        return None if repo.private else "read"
    if caller.kind == "classic" and repo.private and "repo" not in caller.token.scopes:
        return None
    return role_of(repo, caller.account)


def is_at_least(role: Role | None, wanted: str) -> bool:
    return role is not None and RANK[role] >= RANK[wanted]


def permissions_of(repo: Repo, caller: Caller | None) -> dict[str, bool]:
    """The `permissions` object of a repository as this caller sees it."""
    role = role_of_caller(repo, caller)
    if caller is not None and caller.kind == "app":
        writes = has_permission(caller, "contents:write")
        return {"admin": False, "maintain": False, "push": writes, "triage": writes, "pull": role is not None}
    names = {"admin": "admin", "maintain": "maintain", "push": "write", "triage": "triage", "pull": "read"}
    return {name: is_at_least(role, wanted) for name, wanted in names.items()}


def has_permission(caller: Caller, needs: str) -> bool:
    """Whether the token carries `needs`: `contents:write`, or with alternatives `issues|pull_requests:read`."""
    if caller.kind == "classic":
        return True
    names, level = needs.split(":")
    wanted = 2 if level == "write" else 1
    for name in names.split("|"):
        if name == "metadata" and level == "read":
            return True
        if name == "checks" and caller.kind == "fine_grained":
            continue  # GitHub offers no such permission for personal tokens
        held = {"read": 1, "write": 2}.get(caller.token.permissions.get(name, ""), 0)
        if held >= wanted:
            return True
    return False


def demand(repo: Repo, caller: Caller | None, needs: str, role: str) -> Role:
    """Return the caller's role or raise as GitHub answers: 404 unseen, 401 nobody, 403 not enough."""
    actual = role_of_caller(repo, caller)
    if actual is None:
        raise not_found()
    writes = needs.endswith(":write")
    if caller is None:
        if writes or RANK[role] > RANK[READ_ROLE]:
            raise ApiError(401, "Requires authentication")
        return actual
    is_public_read = not writes and not repo.private and not caller.reaches(repo)
    if not is_public_read and not has_permission(caller, needs):
        raise inaccessible(caller)
    if writes and caller.kind == "classic" and not ({"repo", "public_repo"} & set(caller.token.scopes)):
        raise not_found()
    if writes and caller.kind != "classic" and not caller.reaches(repo):
        raise inaccessible(caller)
    if not is_at_least(actual, role):
        raise not_found() if role == "admin" else forbidden("Must have admin rights to Repository.")
    return actual


def inaccessible(caller: Caller) -> ApiError:
    subject = "integration" if caller.kind == "app" else "personal access token"
    return forbidden(f"Resource not accessible by {subject}")
