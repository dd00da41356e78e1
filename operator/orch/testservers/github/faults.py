"""Bad weather on demand: wrong answers, delays, dropped connections and late acts, per route and count.

Who calls it: `app`, as a middleware inside the journal; tests and the demo through `/_control/faults`. It covers git's
routes too. Faults live in memory: a restart clears the sky. It never harms a request that no fault was ordered for.
"""

from __future__ import annotations

import asyncio
import re
from itertools import count
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .state import State
from .wire import api_path, drop_connection, is_control, read_body, replay, until_gone

DEFAULT_MESSAGES = {500: "Server Error", 502: "Server Error", 503: "Service unavailable", 504: "Gateway Timeout"}


class FaultOrder(BaseModel):
    """The body of `POST /_control/faults`. One of `status`, `delay`, `drop` and `late` says what goes wrong."""

    model_config = ConfigDict(extra="forbid")

    method: str = "*"
    """HTTP method, `*` for any."""
    path: str
    """Regular expression, searched in the path without `/api/v3`: `^/repos/.+/pulls$`, `git-receive-pack$`."""
    count: int | None = Field(default=1, ge=1)
    """How many matching requests it hits; null: all until it is deleted."""
    skip: int = Field(default=0, ge=0)
    """How many matching requests it lets pass first."""
    status: int | None = Field(default=None, ge=200, le=599)
    """Answer with this status instead of acting, or with `after` instead of the true answer."""
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    """Body of that answer: JSON, or a string as text. Default: GitHub's `{"message": …}`."""
    delay: float = Field(default=0.0, ge=0, le=3600)
    """Seconds to wait before the act, or with `after` between the act and the answer."""
    after: bool = False
    """The act is done, what goes wrong is its answer."""
    drop: Literal["before", "after"] | None = None
    """Close the connection without an answer, before the act or after it."""
    late: float | None = Field(default=None, ge=0, le=3600)
    """Nothing happens until the client gives up; this many seconds later the act is done. With `drop: before` the
    client need not wait: the connection closes at once."""

    @field_validator("path")
    @classmethod
    def _compiles(cls, path: str) -> str:
        try:
            re.compile(path)
        except re.error as err:
            raise ValueError(f"not a regular expression: {err}") from err
        return path

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.status is None and not self.delay and self.drop is None and self.late is None:
            raise ValueError("say what goes wrong: one of status, delay, drop, late")
        if self.status is not None and (self.drop or self.late is not None):
            raise ValueError("status needs a connection to answer on: it goes with neither drop nor late")
        if self.status is None and (self.headers or self.body is not None):
            raise ValueError("headers and body belong to an answer: set status")
        if self.drop == "before" and self.after:
            raise ValueError("drop: before is before the act, after: true is after it")
        if self.late is not None and (self.after or self.drop == "after" or self.delay):
            raise ValueError("late goes with neither after, delay nor drop: after")
        return self


class Fault:
    """An order and how often it was met."""

    def __init__(self, number: int, order: FaultOrder) -> None:
        self.id = number
        self.order = order
        self.seen = 0
        self.hits = 0
        self._path = re.compile(order.path)

    @property
    def is_spent(self) -> bool:
        return self.order.count is not None and self.hits >= self.order.count

    def takes(self, method: str, path: str) -> bool:
        """Whether it hits this request; counts it."""
        if self.is_spent or self.order.method.upper() not in ("*", method) or not self._path.search(path):
            return False
        self.seen += 1
        if self.seen <= self.order.skip:
            return False
        self.hits += 1
        return True

    def shown(self) -> dict[str, Any]:
        return {"id": self.id, **self.order.model_dump(), "hits": self.hits, "spent": self.is_spent}


class Act:
    """The stand-in's true work on one request, its answer held back."""

    def __init__(self, app: ASGIApp, scope: Scope, fault: Fault) -> None:
        self._app = app
        self._scope = scope
        self._messages: list[Message] = []
        self._note: dict[str, Any] = {"id": fault.id, "acted": None}
        scope["orch.fault"] = self._note

    async def do(self, receive: Receive) -> None:
        await self._app(self._scope, receive, self._hold)

    async def _hold(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._note["acted"] = message["status"]
        self._messages.append(message)

    async def answer(self, send: Send) -> None:
        for message in self._messages:
            await send(message)


class Faults:
    """The middleware. A request is hit by the first fault in order of creation that takes it."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.faults: dict[int, Fault] = {}
        self._ids = count(1)

    def add(self, order: FaultOrder) -> Fault:
        fault = Fault(next(self._ids), order)
        self.faults[fault.id] = fault
        return fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["orch.faults"] = self
        if scope["type"] != "http" or is_control(scope) or not self.faults:
            await self.app(scope, receive, send)
            return
        method, path = scope["method"], api_path(scope["path"])
        fault = next((fault for fault in self.faults.values() if fault.takes(method, path)), None)
        if fault is None:
            await self.app(scope, receive, send)
        elif fault.order.late is not None:
            await self._act_late(fault, scope, receive)
        else:
            await self._strike(fault, scope, receive, send)

    async def _act_late(self, fault: Fault, scope: Scope, receive: Receive) -> None:
        act, body = Act(self.app, scope, fault), await read_body(receive)
        if fault.order.drop:
            await drop_connection(scope, receive)
        else:
            await until_gone(receive)
        await asyncio.sleep(fault.order.late or 0)
        await act.do(replay(body))

    async def _strike(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        order, act, body = fault.order, Act(self.app, scope, fault), await read_body(receive)
        acts_first = order.after or order.drop == "after"
        if acts_first:
            await act.do(replay(body))
        await asyncio.sleep(order.delay)
        if order.drop:
            await drop_connection(scope, receive)
        elif order.status is not None:
            await fault_answer(order)(scope, receive, send)
        else:
            if not acts_first:
                await act.do(replay(body))
            await act.answer(send)


def fault_answer(order: FaultOrder) -> Response:
    """The answer that `order` wants in place of the true one."""
    status = order.status or 500
    if isinstance(order.body, str):
        return Response(order.body, status, order.headers, media_type="text/html")
    body = order.body if order.body is not None else {"message": DEFAULT_MESSAGES.get(status, "Fault on demand")}
    return JSONResponse(body, status, order.headers)


async def list_or_order(request: Request) -> Response:
    """`GET` lists the faults, `POST` orders one (201, 422 with the reasons), `DELETE` clears all (204)."""
    faults: Faults = request.scope["orch.faults"]
    if request.method == "GET":
        return JSONResponse([fault.shown() for fault in faults.faults.values()])
    if request.method == "DELETE":
        faults.faults.clear()
        return Response(status_code=204)
    try:
        order = FaultOrder.model_validate_json(await request.body())
    except ValidationError as err:
        reasons = [f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in err.errors()]
        return JSONResponse({"message": "; ".join(reasons)}, 422)
    return JSONResponse(faults.add(order).shown(), 201)


async def clear_one(request: Request) -> Response:
    """`DELETE /_control/faults/ID`: 204, or 404 when there is none of that number."""
    faults: Faults = request.scope["orch.faults"]
    gone = faults.faults.pop(request.path_params["id"], None)
    return Response(status_code=204) if gone else JSONResponse({"message": "no such fault"}, 404)


routes = [
    Route("/_control/faults", list_or_order, methods=["GET", "POST", "DELETE"]),
    Route("/_control/faults/{id:int}", clear_one, methods=["DELETE"]),
]
