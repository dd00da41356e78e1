"""The ASGI application: keys, limits, routes, and what happens to a request from the first byte to the last.

Built by `server`. The rules, the scripts, the cache and the stream's form are elsewhere; here they meet.
`/_control/…` is for tests and the demo and exists on no true API.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from orch.testservers.model import sse
from orch.testservers.model.answers import make_id, make_message
from orch.testservers.model.bodies import MAX_BYTES, read_json
from orch.testservers.model.cache import PromptCache, count_tokens
from orch.testservers.model.catalog import MODELS, Model, find_model
from orch.testservers.model.delivery import Delivery, json_delivery
from orch.testservers.model.director import Choice, Director, MisfitError, scene_of
from orch.testservers.model.errors import STATUSES, ApiError, invalid
from orch.testservers.model.journal import Journal
from orch.testservers.model.limits import Limits, Meter
from orch.testservers.model.rules import accept_count, accept_message, check_version
from orch.testservers.model.scripts import Script, ScriptError, Turn, read_scripts

Entry = dict[str, Any]
Handler = Callable[[Request, str, Entry], Awaitable[Response]]
MAX_PAGE: Final = 1000


def utc_now() -> datetime:
    return datetime.now(UTC)


class StandIn:
    """The state of one server and its endpoints."""

    def __init__(
        self,
        data_dir: Path,
        *,
        scripts: list[Script],
        keys: Iterable[str],
        limits: Limits | None = None,
        clock: Callable[[], datetime] = utc_now,
        max_body: int = MAX_BYTES,
    ) -> None:
        self.director = Director(scripts)
        self.journal = Journal(data_dir / "journal.jsonl")
        self._keys = tuple(keys)
        self._clock = clock
        self._meter = Meter(limits or Limits(), clock)
        self._cache = PromptCache(lambda: clock().timestamp())
        self._max_body = max_body

    def app(self) -> Starlette:
        def api(path: str, handler: Handler, method: str) -> Route:
            async def endpoint(request: Request) -> Response:
                return await self._handle(request, handler)

            return Route(path, endpoint, methods=[method])

        return Starlette(
            routes=[
                api("/v1/messages", self._create, "POST"),
                api("/v1/messages/count_tokens", self._count, "POST"),
                api("/v1/models", self._list_models, "GET"),
                api("/v1/models/{model_id}", self._get_model, "GET"),
                Route("/_control/scripts", self._control_scripts, methods=["GET", "PUT"]),
                Route("/_control/journal", self._control_journal, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _not_routed},
        )

    async def _handle(self, request: Request, handler: Handler) -> Response:
        """Key, limits and headers around a handler; every request ends up in the journal."""
        request_id = make_id("req")
        entry: Entry = {"request_id": request_id, "method": request.method, "path": request.url.path}
        headers = {"request-id": request_id, "anthropic-organization-id": "stand-in"}
        try:
            response = await self._admitted(request, handler, entry)
            response.headers.update(headers)
        except ApiError as err:
            entry |= {"error": {"type": err.type, "message": err.message}}
            response = json_delivery(err.as_json(request_id), status=err.status, headers=headers | err.headers)
        except Exception as err:  # a bug of the stand-in: the client gets a 500, and the journal says what it was
            entry["bug"] = repr(err)
            response = json_delivery(ApiError(500).as_json(request_id), status=500, headers=headers)
        entry["status"] = response.status_code
        self.journal.write(self._clock(), request.headers, entry)
        return response

    async def _admitted(self, request: Request, handler: Handler, entry: Entry) -> Response:
        owner = self._authenticate(request.headers)
        self._meter.admit(owner)
        try:
            response = await handler(request, owner, entry)
        except RecursionError:  # deep nesting that passed the parser and not what comes after it
            raise invalid("The request body is nested too deeply") from None
        response.headers.update(self._meter.headers(owner))
        return response

    def _authenticate(self, headers: Headers) -> str:
        """A name for the key (not the key). `x-api-key` goes before `Authorization: Bearer`, which SDKs ≥ 2 send."""
        key, complaint = headers.get("x-api-key"), "invalid x-api-key"
        if key is None and headers.get("authorization", "").lower().startswith("bearer "):
            key, complaint = headers["authorization"][len("bearer ") :].strip(), "Invalid bearer token"
        if not key:
            raise ApiError(401, "x-api-key header is required")
        if not any(hmac.compare_digest(key.encode(), known.encode()) for known in self._keys):
            raise ApiError(401, complaint)
        return hashlib.sha256(key.encode()).hexdigest()[:16]

    async def _create(self, request: Request, owner: str, entry: Entry) -> Response:
        body = entry["body"] = await read_json(request, max_bytes=self._max_body)
        accepted = accept_message(body, request.headers.get("anthropic-version"))
        entry |= vars(scene_of(accepted.request)) | {"stream": accepted.request.stream}
        total = count_tokens(accepted.request)
        if total > accepted.model.context:
            raise invalid(f"prompt is too long: {total} tokens > {accepted.model.context} maximum")
        choice = self._choose(accepted.request, accepted.model, entry)
        turn = choice.turn
        entry["script"] = choice.script
        if turn.delay:
            await asyncio.sleep(turn.delay)
        _refuse(turn, stream=accepted.request.stream)
        try:
            spent = self._cache.use(accepted.request, accepted.model, owner)
            message = make_message(turn, accepted, spent)
        except MisfitError as err:
            raise _misfit(choice.script, err, entry) from None
        self._meter.spend(owner, spent, message["usage"]["output_tokens"])
        entry |= {"usage": message["usage"], "stop_reason": message["stop_reason"]}
        entry |= {"error_event": turn.error_event, "cut_after_bytes": turn.cut_after_bytes}
        return _deliver(message, turn, stream=accepted.request.stream)

    def _choose(self, request: Any, model: Model, entry: Entry) -> Choice:
        try:
            return self.director.choose(request, model.id)
        except MisfitError as err:
            raise _misfit(None, err, entry) from None

    async def _count(self, request: Request, owner: str, entry: Entry) -> Response:
        body = entry["body"] = await read_json(request, max_bytes=self._max_body)
        prompt = accept_count(body, request.headers.get("anthropic-version"))
        return JSONResponse({"input_tokens": count_tokens(prompt)})

    async def _list_models(self, request: Request, owner: str, entry: Entry) -> Response:
        check_version(request.headers.get("anthropic-version"))
        query = request.query_params
        limit = _limit(query.get("limit", "20"))
        found = list(MODELS)
        if "after_id" in query:
            found = found[_position(query["after_id"]) + 1 :]
        if "before_id" in query:
            found = found[: _position(query["before_id"])][-limit:]
        page = [model.as_json() for model in found[:limit]]
        ends = {"first_id": page[0]["id"], "last_id": page[-1]["id"]} if page else {"first_id": None, "last_id": None}
        return JSONResponse({"data": page, "has_more": len(found) > limit} | ends)

    async def _get_model(self, request: Request, owner: str, entry: Entry) -> Response:
        check_version(request.headers.get("anthropic-version"))
        model = find_model(request.path_params["model_id"])
        if model is None:
            raise ApiError(404, f"model: {request.path_params['model_id'][:100]}")
        return JSONResponse(model.as_json())

    async def _control_scripts(self, request: Request) -> Response:
        if request.method == "PUT":
            try:
                self.director.add(read_scripts((await request.body()).decode(errors="replace"), name="put"))
            except ScriptError as err:
                return JSONResponse({"error": str(err)}, status_code=400)
        return JSONResponse({"scripts": [script.name for script in self.director.scripts]})

    async def _control_journal(self, request: Request) -> Response:
        since = request.query_params.get("since", "0")
        return JSONResponse({"entries": self.journal.read(since=int(since) if since.isdigit() else 0)})


def _refuse(turn: Turn, *, stream: bool) -> None:
    """Raises ApiError when the script wants the request refused."""
    status = turn.status
    if status is None and turn.error_event and not stream:
        status = STATUSES[turn.error_event]
    if status is None:
        return
    wait = 1 if turn.retry_after is None and status == 429 else turn.retry_after
    raise ApiError(status, headers={} if wait is None else {"retry-after": f"{wait:g}"})


def _deliver(message: dict[str, Any], turn: Turn, *, stream: bool) -> Delivery:
    if not stream:
        return json_delivery(message, status=200, headers={}, cut_after=turn.cut_after_bytes)
    events = list(sse.events(message))
    if turn.error_event:
        events = sse.broken_off(events, ApiError(STATUSES[turn.error_event]).as_json(None))
    return Delivery(
        map(sse.write, events),
        status=200,
        headers={"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"},
        pause=turn.chunk_delay,
        cut_after=turn.cut_after_bytes,
    )


def _misfit(script: str | None, err: MisfitError, entry: Entry) -> ApiError:
    """A script's own fault. A 400, which no client repeats, so that a test fails at once and says why."""
    entry["misfit"] = str(err)
    return invalid(f"Stand-in: script {script or '?'}: {err}")


def _limit(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= MAX_PAGE:
        raise invalid(f"limit: Input should be between 1 and {MAX_PAGE}")
    return int(text)


def _position(model_id: str) -> int:
    model = find_model(model_id)
    if model is None:
        raise invalid("after_id, before_id: no such model")
    return MODELS.index(model)


async def _not_routed(request: Request, err: Exception) -> Response:
    """Paths and methods that the API does not have."""
    status = err.status_code if isinstance(err, HTTPException) else 500
    error = ApiError(status, None if status == 404 else "Method Not Allowed")
    return json_delivery(error.as_json(make_id("req")), status=status, headers={})
