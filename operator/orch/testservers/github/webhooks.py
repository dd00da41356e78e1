"""Deliveries: sends what `State.emit` tells to the hooks that want it, signed, once, and remembers what came back.

Who calls it: `State.emit` as a subscriber; the delivery routes. As on GitHub a failed delivery is not repeated unless
somebody asks. It never reaches beyond loopback, and knows nothing of how hooks are made (see the hook routes).
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections import defaultdict, deque
from datetime import datetime
from ipaddress import ip_address
from itertools import count
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

import httpx2
from pydantic import BaseModel
from starlette.responses import Response

from .errors import ApiError, not_found
from .issues import notify
from .records import Hook, Repo
from .render import repos as render
from .rest import Call, Endpoint, no_content, reply
from .state import State

AT_ONCE: Final = 8
"""Deliveries under way at the same time."""
RESPONSE_LIMIT: Final = 10_000
"""Characters kept of an answer."""
NOT_LOOPBACK: Final = "not sent: the stand-in delivers to loopback addresses only"


class Message(BaseModel):
    """What is sent: the same for each attempt."""

    guid: str
    event: str
    action: str | None
    payload: dict[str, Any]


class Delivery(BaseModel):
    """One attempt and its outcome. `status_code` is 0 when no answer came."""

    id: int
    hook_id: int
    repository_id: int
    message: Message
    redelivery: bool
    delivered_at: datetime
    duration: float
    status: str
    status_code: int
    url: str
    request_headers: dict[str, str]
    response_headers: dict[str, str]
    response_payload: str

    def summary(self) -> dict[str, Any]:
        """GitHub's `hook-delivery-item`."""
        return {
            "id": self.id,
            "guid": self.message.guid,
            "delivered_at": self.delivered_at.isoformat().replace("+00:00", "Z"),
            "redelivery": self.redelivery,
            "duration": self.duration,
            "status": self.status,
            "status_code": self.status_code,
            "event": self.message.event,
            "action": self.message.action,
            "installation_id": None,
            "repository_id": self.repository_id,
            "throttled_at": None,
        }

    def full(self) -> dict[str, Any]:
        """GitHub's `hook-delivery`."""
        return {
            **self.summary(),
            "url": self.url,
            "request": {"headers": self.request_headers, "payload": self.message.payload},
            "response": {"headers": self.response_headers, "payload": self.response_payload},
        }


class Webhooks:
    """Subscribes to `state` and delivers until `close`. Deliveries are kept in DATA/deliveries.jsonl."""

    def __init__(self, state: State) -> None:
        self.state = state
        kept = state.settings.webhooks.max_deliveries
        self._deliveries: dict[int, deque[Delivery]] = defaultdict(lambda: deque(maxlen=kept))
        self._path = state.data_dir / "deliveries.jsonl"
        self._ids = count(self._load() + 1)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._client: httpx2.AsyncClient | None = None
        state.subscribers.append(self.on_event)

    def _load(self) -> int:
        """Read what was delivered before; the highest id."""
        last = 0
        for line in self._path.read_text().splitlines() if self._path.exists() else ():
            delivery = Delivery.model_validate_json(line)
            self._deliveries[delivery.hook_id].append(delivery)
            last = max(last, delivery.id)
        return last

    def on_event(self, event: str, action: str | None, repo: Repo, payload: dict[str, Any]) -> None:
        """Start the deliveries of one event. A `ping` goes to the hook that its payload names as `hook_id`, only."""
        if not self.state.settings.webhooks.enabled:
            return
        body = payload if action is None else {"action": action, **payload}
        message = Message(guid=str(uuid4()), event=event, action=action, payload=body)
        for hook in self.state.store.of(Hook, repo.id):
            wanted = hook.id == payload.get("hook_id") if event == "ping" else wants(hook, event)
            if wanted:
                self.state.spawn(self._deliver(hook, message, redelivery=False))

    def deliveries(self, hook: Hook) -> list[Delivery]:
        """The attempts on this hook, newest first."""
        return list(reversed(self._deliveries[hook.id]))

    def find(self, hook: Hook, number: int) -> Delivery | None:
        return next((delivery for delivery in self._deliveries[hook.id] if delivery.id == number), None)

    def redeliver(self, hook: Hook, delivery: Delivery) -> None:
        """Send the same message again, under its old guid."""
        self.state.spawn(self._deliver(hook, delivery.message, redelivery=True))

    async def close(self) -> None:
        """Stop listening and close the connections. Deliveries under way end with `State.close`."""
        self.state.subscribers.remove(self.on_event)
        if self._client is not None:
            await self._client.aclose()

    async def _deliver(self, hook: Hook, message: Message, *, redelivery: bool) -> None:
        headers, body = signed_request(hook, message)
        async with self._slots:
            started, at = time.perf_counter(), self.state.clock()
            answer, status = await self._send(hook.url, headers, body)
        delivery = Delivery(
            id=next(self._ids),
            hook_id=hook.id,
            repository_id=hook.repo_id,
            message=message,
            redelivery=redelivery,
            delivered_at=at,
            duration=round(time.perf_counter() - started, 3),
            status=status,
            status_code=answer.status_code if answer else 0,
            url=hook.url,
            request_headers=headers,
            response_headers=dict(answer.headers) if answer else {},
            response_payload=answer.text[:RESPONSE_LIMIT] if answer else "",
        )
        self._remember(hook, delivery)

    async def _send(self, url: str, headers: dict[str, str], body: bytes) -> tuple[httpx2.Response | None, str]:
        """The answer, if any, and GitHub's words for the outcome."""
        if not is_loopback(url):
            return None, NOT_LOOPBACK
        if self._client is None:
            self._client = httpx2.AsyncClient(trust_env=False, follow_redirects=False)
        try:
            timeout = self.state.settings.webhooks.timeout
            answer = await self._client.post(url, content=body, headers=headers, timeout=timeout)
        except httpx2.TimeoutException:
            return None, "timed out"
        except (httpx2.HTTPError, httpx2.InvalidURL):
            return None, "failed to connect"
        return answer, "OK" if answer.is_success else f"Invalid HTTP Response: {answer.status_code}"

    def _remember(self, hook: Hook, delivery: Delivery) -> None:
        self._deliveries[hook.id].append(delivery)
        with self._path.open("a") as lines:
            lines.write(delivery.model_dump_json() + "\n")
        current = self.state.store.find(Hook, hook.id)
        if current is not None:
            current.last_code, current.last_message = delivery.status_code or None, delivery.status
            current.last_status = "active" if delivery.status == "OK" else "failed"
            self.state.store.save(current)


def wants(hook: Hook, event: str) -> bool:
    return hook.active and ("*" in hook.events or event in hook.events)


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine: an address of it, or `localhost`. Other names are not looked up."""
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def signed_request(hook: Hook, message: Message) -> tuple[dict[str, str], bytes]:
    """Headers and raw body. Source: GitHub Docs, "Webhook events and payloads", "Delivery headers"."""
    text = json.dumps(message.payload, separators=(",", ":"), default=str)
    is_form = hook.content_type == "form"
    body = urlencode({"payload": text}).encode() if is_form else text.encode()
    headers = {
        "accept": "*/*",
        "content-type": "application/x-www-form-urlencoded" if is_form else "application/json",
        "user-agent": "GitHub-Hookshot/stand-in",
        "x-github-delivery": message.guid,
        "x-github-event": message.event,
        "x-github-hook-id": str(hook.id),
        "x-github-hook-installation-target-id": str(hook.repo_id),
        "x-github-hook-installation-target-type": "repository",
    }
    if hook.secret:
        headers["x-hub-signature-256"] = "sha256=" + hmac.new(hook.secret.encode(), body, "sha256").hexdigest()
    return headers, body


def _webhooks(call: Call) -> Webhooks:
    found: Webhooks = call.request.app.state.webhooks
    return found


def _delivery(call: Call) -> tuple[Hook, Delivery]:
    hook = call.owned(Hook, "hook_id")
    delivery = _webhooks(call).find(hook, call.number("delivery_id"))
    if delivery is None:
        raise not_found()
    return hook, delivery


async def list_deliveries(call: Call) -> Response:
    """Newest first, by cursor: `cursor` is the id of the last delivery of the page before."""
    found = _webhooks(call).deliveries(call.owned(Hook, "hook_id"))
    cursor, per_page = call.query("cursor"), call.query("per_page", "30")
    if not per_page.isdecimal() or (cursor and not cursor.isdecimal()):
        raise ApiError(422, "Invalid cursor")
    older = [delivery for delivery in found if not cursor or delivery.id < int(cursor)]
    page = older[: min(max(int(per_page), 1), 100)]
    headers = {}
    if len(older) > len(page):
        url = call.view.api(f"/repos/{call.repo.full_name}/hooks/{call.path('hook_id')}/deliveries")
        headers["link"] = f'<{url}?{urlencode({"per_page": per_page, "cursor": page[-1].id})}>; rel="next"'
    return reply([delivery.summary() for delivery in page], headers=headers)


async def get_delivery(call: Call) -> Response:
    return reply(_delivery(call)[1].full())


async def redeliver(call: Call) -> Response:
    _webhooks(call).redeliver(*_delivery(call))
    return reply({}, 202)


async def ping(call: Call) -> Response:
    """Tell one hook alone: the payload's `hook_id` says which."""
    hook = call.owned(Hook, "hook_id")
    shown = render.hook(call.view, call.repo, hook)
    notify(call.state, "ping", None, call.repo, call.login, zen="Design for failure.", hook_id=hook.id, hook=shown)
    return no_content()


READ, WRITE = "repository_hooks:read", "repository_hooks:write"
_HOOK = "/repos/{owner}/{repo}/hooks/{hook_id}"
ENDPOINTS = [
    Endpoint("GET", f"{_HOOK}/deliveries", list_deliveries, READ, "admin"),
    Endpoint("GET", f"{_HOOK}/deliveries/{{delivery_id}}", get_delivery, READ, "admin"),
    Endpoint("POST", f"{_HOOK}/deliveries/{{delivery_id}}/attempts", redeliver, WRITE, "admin"),
    Endpoint("POST", f"{_HOOK}/pings", ping, READ, "admin"),
]
