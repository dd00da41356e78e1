"""Accounts and Apps as JSON."""

from __future__ import annotations

from typing import Any

from ..access import LEGACY, RANK, role_of
from ..records import Account, Repo
from .view import View, node_id, stamp

ACTIONS_APP = "github-actions"


def simple_user(view: View, login: str) -> dict[str, Any]:
    account = view.state.account(login)
    url = view.api(f"/users/{account.login}")
    return {
        "login": account.login,
        "id": account.id,
        "node_id": node_id("User", account.id),
        "avatar_url": view.html(f"/avatars/{account.id}"),
        "gravatar_id": "",
        "url": url,
        "html_url": view.html(f"/{account.login}"),
        "followers_url": f"{url}/followers",
        "following_url": f"{url}/following{{/other_user}}",
        "gists_url": f"{url}/gists{{/gist_id}}",
        "starred_url": f"{url}/starred{{/owner}}{{/repo}}",
        "subscriptions_url": f"{url}/subscriptions",
        "organizations_url": f"{url}/orgs",
        "repos_url": f"{url}/repos",
        "events_url": f"{url}/events{{/privacy}}",
        "received_events_url": f"{url}/received_events",
        "type": account.type,
        "user_view_type": "public",
        "site_admin": account.site_admin,
    }


def full_user(view: View, account: Account, *, private: bool) -> dict[str, Any]:
    owned = [repo for repo in view.state.store.repos() if repo.owner == account.login]
    body = simple_user(view, account.login) | {
        "name": account.name,
        "company": None,
        "blog": "",
        "location": None,
        "email": account.email,
        "hireable": None,
        "bio": None,
        "twitter_username": None,
        "public_repos": sum(not repo.private for repo in owned),
        "public_gists": 0,
        "followers": 0,
        "following": 0,
        "created_at": stamp(account.created_at),
        "updated_at": stamp(account.created_at),
    }
    if private:
        own = sum(repo.private for repo in owned)
        body |= {
            "user_view_type": "private",
            "private_gists": 0,
            "total_private_repos": own,
            "owned_private_repos": own,
            "disk_usage": 0,
            "collaborators": 0,
            "two_factor_authentication": True,
            "plan": {"name": "pro", "space": 976562499, "collaborators": 0, "private_repos": 9999},
        }
    return body


def collaborator_permission(view: View, repo: Repo, account: Account) -> dict[str, Any]:
    role = role_of(repo, account)
    permission = "none" if role is None else LEGACY.get(role, role)
    rank = 0 if role is None else RANK[role]
    names = {"pull": 1, "triage": 2, "push": 3, "maintain": 4, "admin": 5}
    user = simple_user(view, account.login)
    return {
        "permission": permission,
        "role_name": role or "none",
        "user": user | {"permissions": {k: rank >= v for k, v in names.items()}, "role_name": role or "none"},
    }


def collaborator(view: View, repo: Repo, login: str) -> dict[str, Any]:
    return collaborator_permission(view, repo, view.state.account(login))["user"]  # type: ignore[no-any-return]


def app(view: View, slug: str) -> dict[str, Any]:
    """An App by its slug. GitHub Actions' own is 15368 everywhere."""
    bot = view.state.account(f"{slug}[bot]")
    return {
        "id": 15368 if slug == ACTIONS_APP else bot.id,
        "slug": slug,
        "node_id": node_id("App", bot.id),
        "client_id": f"Iv1.{bot.id:016x}",
        "owner": simple_user(view, "github" if slug == ACTIONS_APP else slug),
        "name": "GitHub Actions" if slug == ACTIONS_APP else slug,
        "description": "",
        "external_url": view.html(f"/apps/{slug}"),
        "html_url": view.html(f"/apps/{slug}"),
        "created_at": stamp(bot.created_at),
        "updated_at": stamp(bot.created_at),
        "permissions": {"checks": "write", "contents": "read", "metadata": "read"},
        "events": ["check_run", "check_suite"],
    }
