"""Webhooks of a repository: their settings.

Source: GitHub REST "Repository webhooks". Deliveries and pings are in `webhooks`.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from ..errors import ApiError, invalid
from ..issues import notify
from ..records import Hook
from ..render import repos as render
from ..rest import Call, Endpoint, no_content, reply

REPO = "/repos/{owner}/{repo}"
HOOK = f"{REPO}/hooks/{{hook_id}}"


async def list_hooks(call: Call) -> Response:
    page, headers = call.page(call.state.store.of(Hook, call.repo.id))
    return reply([render.hook(call.view, call.repo, row) for row in page], headers=headers)


async def get_hook(call: Call) -> Response:
    return reply(render.hook(call.view, call.repo, call.owned(Hook, "hook_id")))


async def create_hook(call: Call) -> Response:
    body, now = await call.json(), call.state.clock()
    config = body.get("config")
    if not isinstance(config, dict) or not isinstance(config.get("url"), str):
        raise invalid("Hook", None, "custom", "Config must contain URL for webhooks")
    for other in call.state.store.of(Hook, call.repo.id):
        if other.url == config["url"]:
            raise invalid("Hook", None, "custom", "Hook already exists on this repository")
    row = Hook(id=call.state.store.new_id(), repo_id=call.repo.id, url=config["url"], created_at=now, updated_at=now)
    _apply(row, body, config)
    call.state.store.save(row)
    _ping(call, row)
    shown = render.hook(call.view, call.repo, row)
    return reply(shown, 201, {"location": shown["url"]})


def _apply(row: Hook, body: dict[str, Any], config: dict[str, Any]) -> None:
    url = str(config.get("url", row.url))
    if not url.startswith(("http://", "https://")):
        raise invalid("Hook", "url", "custom", "url is not a valid URL")
    row.url = url
    if config.get("content_type") in ("json", "form"):
        row.content_type = config["content_type"]
    if "secret" in config:
        row.secret = str(config["secret"]) or None
    row.insecure_ssl = str(config.get("insecure_ssl", row.insecure_ssl))
    if isinstance(body.get("active"), bool):
        row.active = body["active"]
    events = body.get("events", row.events)
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise ApiError(422, "Invalid request.\n\nFor 'properties/events', it is not an array of strings.")
    row.events = sorted((set(events) | set(body.get("add_events") or [])) - set(body.get("remove_events") or []))


async def update_hook(call: Call) -> Response:
    row, body = call.owned(Hook, "hook_id"), await call.json()
    config = body.get("config") or {}
    if not isinstance(config, dict):
        raise invalid("Hook", "config", "invalid")
    _apply(row, body, config)
    row.updated_at = call.state.clock()
    call.state.store.save(row)
    return reply(render.hook(call.view, call.repo, row))


async def delete_hook(call: Call) -> Response:
    call.state.store.delete(call.owned(Hook, "hook_id"))
    return no_content()


def _ping(call: Call, row: Hook) -> None:
    """`ping` goes to one hook alone: the payload's `hook_id` says to which."""
    hook = render.hook(call.view, call.repo, row)
    notify(call.state, "ping", None, call.repo, call.login, zen="Design for failure.", hook_id=row.id, hook=hook)


READ, WRITE = "repository_hooks:read", "repository_hooks:write"
ENDPOINTS = [
    Endpoint("GET", f"{REPO}/hooks", list_hooks, READ, "admin"),
    Endpoint("POST", f"{REPO}/hooks", create_hook, WRITE, "admin"),
    Endpoint("GET", HOOK, get_hook, READ, "admin"),
    Endpoint("PATCH", HOOK, update_hook, WRITE, "admin"),
    Endpoint("DELETE", HOOK, delete_hook, WRITE, "admin"),
]
