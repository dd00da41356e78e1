"""Branches, protection, rules. Source: GitHub REST "Branches", "Protected branches", "Rules"."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..errors import ApiError
from ..pushes import HEADS
from ..render import commits as render_commits
from ..render import repos as render
from ..rest import Call, Endpoint, reply
from ..rules import rules_for

REPO = "/repos/{owner}/{repo}"


def _short(call: Call, name: str, sha: str) -> dict[str, Any]:
    """A branch in a list."""
    repo, view = call.repo, call.view
    rules = rules_for(repo, name)
    checks = list(dict.fromkeys(check for rule in rules for check in rule.required_checks))
    protection = {
        "enabled": bool(rules),
        "required_status_checks": {
            "enforcement_level": "everyone" if checks else "off",
            "contexts": checks,
            "checks": [{"context": check, "app_id": None} for check in checks],
        },
    }
    return {
        "name": name,
        "commit": {"sha": sha, "url": view.api(f"/repos/{repo.full_name}/commits/{sha}")},
        "protected": bool(rules),
        "protection": protection,
        "protection_url": view.api(f"/repos/{repo.full_name}/branches/{name}/protection"),
    }


async def list_branches(call: Call) -> Response:
    refs = await call.git.refs("refs/heads")
    names = [ref.removeprefix(HEADS) for ref in refs]
    wanted = call.query("protected")
    if wanted in ("true", "false"):
        names = [name for name in names if bool(rules_for(call.repo, name)) == (wanted == "true")]
    page, headers = call.page(names)
    return reply([_short(call, name, refs[HEADS + name]) for name in page], headers=headers)


async def _tip(call: Call) -> tuple[str, str]:
    name = call.path("branch")
    sha = await call.git.find_ref(HEADS + name)
    if sha is None:
        raise ApiError(404, "Branch not found")
    return name, sha


async def get_branch(call: Call) -> Response:
    name, sha = await _tip(call)
    body = _short(call, name, sha)
    links = {
        "self": call.view.api(f"/repos/{call.repo.full_name}/branches/{name}"),
        "html": call.view.html(f"/{call.repo.full_name}/tree/{name}"),
    }
    commit = render_commits.commit(call.view, call.repo, await call.git.commit(sha))
    return reply(body | {"commit": commit, "_links": links})


async def get_protection(call: Call) -> Response:
    name, _ = await _tip(call)
    rules = [rule for rule in rules_for(call.repo, name) if rule.kind == "protection"]
    if not rules:
        raise ApiError(404, "Branch not protected")
    return reply(render.branch_protection(call.view, call.repo, name, rules))


async def get_rules(call: Call) -> Response:
    rules = [rule for rule in rules_for(call.repo, call.path("branch")) if rule.kind == "ruleset"]
    page, headers = call.page(render.effective_rules(call.repo, rules))
    return reply(list(page), headers=headers)


ENDPOINTS = [
    Endpoint("GET", f"{REPO}/branches", list_branches, "contents:read"),
    Endpoint("GET", f"{REPO}/branches/{{branch:path}}/protection", get_protection, "administration:read", "admin"),
    Endpoint("GET", f"{REPO}/branches/{{branch:path}}", get_branch, "contents:read"),
    Endpoint("GET", f"{REPO}/rules/branches/{{branch:path}}", get_rules),
]
