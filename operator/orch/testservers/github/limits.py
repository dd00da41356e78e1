"""GitHub's limits: requests per hour, points per minute, requests at once, content per minute and hour.

Who calls it: `app`, as a middleware between `auth` and `etags`; people and tests through `/_control/limits`. Usage is
counted per account in memory (a restart forgets it) and by `state.clock`, so that a test can let an hour pass.
Source: GitHub Docs, "Rate limits for the REST API". It never counts git, web pages or the control API.
"""

from __future__ import annotations

import json
import math
import re
from collections import deque
from typing import Any, Final

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .access import Caller
from .settings import LimitSettings
from .state import State
from .wire import api_path, client_host, is_api

DOCS: Final = "https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api"
READS: Final = ("GET", "HEAD", "OPTIONS")
RESOURCES: Final = ("core", "search", "graphql")
SEARCHES_PER_MINUTE: Final = 30
BUSY_WAIT: Final = 60

_REPO, _ID = r"/repos/[^/]+/[^/]+", r"/\d+"
CONTENT: Final = re.compile(
    rf"POST {_REPO}/(issues|pulls|releases)"
    rf"|POST {_REPO}/issues{_ID}/comments"
    rf"|POST {_REPO}/pulls{_ID}/(comments(/\d+/replies)?|reviews|requested_reviewers)"
    rf"|POST {_REPO}/commits/[^/]+/comments"
    rf"|PUT {_REPO}/pulls{_ID}/merge"
    rf"|PUT {_REPO}/collaborators/[^/]+"
)
"""What creates content: GitHub gives no list; its OpenAPI description marks these `x-github.triggersNotification`."""


class Window:
    """A sliding sum: what was added in the last `span` seconds."""

    def __init__(self, span: float) -> None:
        self._span = span
        self._marks: deque[tuple[float, int]] = deque()
        self._sum = 0

    def add(self, now: float, points: int) -> None:
        self._marks.append((now, points))
        self._sum += points

    def total(self, now: float) -> int:
        while self._marks and self._marks[0][0] <= now - self._span:
            self._sum -= self._marks.popleft()[1]
        return self._sum

    def wait(self, now: float, points: int, limit: int) -> float:
        """Seconds until `points` more fit under `limit`; 0 when they fit now."""
        excess = self.total(now) + points - limit
        for time, freed in self._marks:
            if excess <= 0:
                break
            excess -= freed
            if excess <= 0:
                return max(time + self._span - now, 1)
        return 0 if excess <= 0 else self._span


class Quota:
    """A fixed window of the primary limit; it opens with its first request."""

    def __init__(self, span: int) -> None:
        self._span = span
        self.used = 0
        self.reset = 0.0

    def at(self, now: float) -> Quota:
        if now >= self.reset:
            self.used, self.reset = 0, now + self._span
        return self

    def shown(self, limit: int) -> dict[str, int]:
        used = min(self.used, limit)
        return {"limit": limit, "used": used, "remaining": limit - used, "reset": int(self.reset)}


class Usage:
    """What one account has used."""

    def __init__(self) -> None:
        self.quotas = {name: Quota(60 if name == "search" else 3600) for name in RESOURCES}
        self.points = Window(60)
        self.content_minute = Window(60)
        self.content_hour = Window(3600)
        self.under_way = 0

    def secondary_wait(self, now: float, points: int, is_content: bool, limits: LimitSettings) -> float:
        """Seconds that the secondary limits ask for before this request; 0 when it may go."""
        waits = [self.points.wait(now, points, limits.points_per_minute)]
        if self.under_way >= limits.concurrent:
            waits.append(BUSY_WAIT)
        if is_content:
            waits.append(self.content_minute.wait(now, 1, limits.content_per_minute))
            waits.append(self.content_hour.wait(now, 1, limits.content_per_hour))
        return max(waits)

    def count(self, now: float, points: int, is_content: bool) -> None:
        self.points.add(now, points)
        if is_content:
            self.content_minute.add(now, 1)
            self.content_hour.add(now, 1)

    def shown(self, now: float) -> dict[str, int]:
        return {
            **{name: quota.at(now).used for name, quota in self.quotas.items()},
            "points_per_minute": self.points.total(now),
            "content_per_minute": self.content_minute.total(now),
            "content_per_hour": self.content_hour.total(now),
            "concurrent": self.under_way,
        }


class Limits:
    """The middleware. It also answers `GET /rate_limit`, which costs nothing, because only it knows the figures."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state
        self.usages: dict[str, Usage] = {}

    @property
    def now(self) -> float:
        return self.state.clock().timestamp()

    def limit_of(self, resource: str, caller: Caller | None) -> int:
        limits = self.state.settings.limits
        if resource == "search":
            return SEARCHES_PER_MINUTE
        return limits.primary_per_hour if caller else limits.anonymous_per_hour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["orch.limits"] = self
        if scope["type"] != "http" or not is_api(scope):
            await self.app(scope, receive, send)
            return
        caller: Caller | None = scope.get("orch.token")
        usage = self.usages.setdefault(caller.account.login if caller else client_host(scope), Usage())
        path = api_path(scope["path"])
        if path == "/rate_limit" and scope["method"] in ("GET", "HEAD"):
            await JSONResponse(self.overview(usage, caller))(scope, receive, self._counted(usage, "core", caller, send))
            return
        resource = {"search": "search", "graphql": "graphql"}.get(path.split("/")[1], "core")
        counted = self._counted(usage, resource, caller, send)
        refusal = self._admit(usage, resource, scope)
        if refusal is not None:
            await refusal(scope, receive, counted)
            return
        usage.under_way += 1
        try:
            await self.app(scope, receive, counted)
        finally:
            usage.under_way -= 1

    def _admit(self, usage: Usage, resource: str, scope: Scope) -> Response | None:
        """Count the request, or say why it must wait. Refused requests are not counted."""
        limits, now = self.state.settings.limits, self.now
        method, path = scope["method"], api_path(scope["path"])
        points = 1 if method in READS or resource == "graphql" else 5
        is_content = CONTENT.fullmatch(f"{method} {path}") is not None
        quota = usage.quotas[resource].at(now)
        if limits.enabled and quota.used >= self.limit_of(resource, scope.get("orch.token")):
            return self._primary_refusal(scope)
        if limits.enabled and (wait := usage.secondary_wait(now, points, is_content, limits)):
            return secondary_refusal(math.ceil(wait))
        quota.used += 1
        usage.count(now, points, is_content)
        return None

    def _counted(self, usage: Usage, resource: str, caller: Caller | None, send: Send) -> Send:
        """A `send` that adds the headers, and gives back the request that an authorised 304 does not cost."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                quota = usage.quotas[resource].at(self.now)
                if message["status"] == 304 and caller:
                    quota.used = max(quota.used - 1, 0)
                figures = {**self._shown(quota, resource, caller), "resource": resource}
                added = [(f"x-ratelimit-{name}".encode(), str(value).encode()) for name, value in figures.items()]
                message = {**message, "headers": [*message.get("headers", []), *added]}
            await send(message)

        return counted

    def _primary_refusal(self, scope: Scope) -> Response:
        caller: Caller | None = scope.get("orch.token")
        if caller is None:
            who = f"{client_host(scope)}. (But here's the good news: Authenticated requests get a higher rate limit.)"
        elif caller.kind == "app":
            who = f"installation ID {caller.account.id}."
        else:
            who = f"user ID {caller.account.id}."
        message = f"API rate limit exceeded for {who}"
        return JSONResponse({"message": message, "documentation_url": DOCS}, self.state.settings.limits.primary_status)

    def overview(self, usage: Usage, caller: Caller | None) -> dict[str, Any]:
        """The body of "Get rate limit status for the authenticated user"."""
        shown = {name: self._shown(quota.at(self.now), name, caller) for name, quota in usage.quotas.items()}
        return {"resources": shown, "rate": shown["core"]}

    def _shown(self, quota: Quota, resource: str, caller: Caller | None) -> dict[str, int]:
        """What a caller reads of its quota: one that is not enforced is not used up, or a careful client would stop by itself."""
        shown = quota.shown(limit := self.limit_of(resource, caller))
        return shown if self.state.settings.limits.enabled else {**shown, "used": 0, "remaining": limit}


def secondary_refusal(wait: int) -> Response:
    """The answer over a secondary limit; `wait` in whole seconds."""
    message = (
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
        "GitHub Support for help, please include the request ID."
    )
    body = {"message": message, "documentation_url": f"{DOCS}#about-secondary-rate-limits"}
    return JSONResponse(body, 403, {"retry-after": str(wait)})


async def control(request: Request) -> Response:
    """`GET` shows settings and usage by account, `PATCH` changes some settings, `DELETE` forgets all usage (204)."""
    limits: Limits = request.scope["orch.limits"]
    settings = limits.state.settings
    if request.method == "DELETE":
        limits.usages.clear()
        return Response(status_code=204)
    if request.method == "PATCH":
        try:
            changes = json.loads(await request.body())
            settings.limits = LimitSettings.model_validate({**settings.limits.model_dump(), **changes})
        except (ValidationError, ValueError, TypeError) as err:
            return JSONResponse({"message": f"not a change of limits: {err}"}, 422)
    accounts = {login: usage.shown(limits.now) for login, usage in limits.usages.items()}
    return JSONResponse({"settings": settings.limits.model_dump(), "accounts": accounts})


routes = [Route("/_control/limits", control, methods=["GET", "PATCH", "DELETE"])]
