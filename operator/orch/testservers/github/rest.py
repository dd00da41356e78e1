"""The glue of all REST routes: a route's declaration, the call that its handler gets, pages, bodies, error answers.

Who calls it: the modules of `routes`. It knows HTTP and GitHub's conventions, no resource.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, TypeVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .access import Caller, demand
from .errors import ApiError, invalid, not_found, unsupplied
from .gitrepo import GitRepo
from .records import Issue, Pull, Record, Repo
from .render.view import View
from .state import State

T = TypeVar("T")
Handler = Callable[["Call"], Awaitable[Response]]
MAX_PAGE = 100
MAX_BODY = 65536
"""Characters in a body of an issue or comment."""
log = logging.getLogger(__name__)
_ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Endpoint:
    """One operation: method, GitHub's route template, handler, what the token and the account must have."""

    method: str
    path: str
    handler: Handler
    needs: str = "metadata:read"
    role: str = "read"


@dataclass
class Call:
    """One request to an endpoint, with what nearly every handler needs."""

    request: Request
    state: State
    caller: Caller | None
    _repo: Repo | None = None
    _json: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def repo(self) -> Repo:
        assert self._repo is not None, "the route has no repository"
        return self._repo

    @property
    def git(self) -> GitRepo:
        return self.state.git(self.repo)

    @property
    def login(self) -> str:
        """Who acts. Raises 401 without a token."""
        if self.caller is None:
            raise ApiError(401, "Requires authentication")
        return self.caller.account.login

    @property
    def view(self) -> View:
        return View(self.state, api_base(self.request), self.caller)

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def number(self, name: str) -> int:
        """A numeric path parameter; 404 when it is none, as on GitHub."""
        text = self.path(name)
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise not_found()
        return int(text)

    def query(self, name: str, default: str = "") -> str:
        return self.request.query_params.get(name, default)

    def choice(self, name: str, allowed: Sequence[str], default: str) -> str:
        """A query parameter that must be one of `allowed`, else 422."""
        value = self.query(name, default)
        if value not in allowed:
            raise invalid(name, name, "invalid")
        return value

    async def json(self) -> dict[str, Any]:
        """The body as an object; empty when there is none. Raises 400 as GitHub does."""
        if self._json is None:
            raw = await self.request.body()
            self._json = parse_object(raw) if raw.strip() else {}
        return self._json

    async def text(self, name: str, *, required: bool = False, limit: int = MAX_BODY) -> str | None:
        """A string field of the body; None when absent or null. Raises 422."""
        value = (await self.json()).get(name)
        if value is None:
            if required:
                raise unsupplied(name)
            return None
        if not isinstance(value, str):
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(value)} is not a string.")
        if len(value) > limit:
            raise invalid("Issue", name, "custom", f"{name} is too long (maximum is {limit} characters)")
        return value

    async def names(self, name: str) -> list[str] | None:
        """A list of strings in the body; None when absent. Label objects `{"name": …}` count as their name."""
        value = (await self.json()).get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(value)} is not an array.")
        return as_names(name, value)

    def issue(self, parameter: str = "issue_number") -> Issue:
        """The issue or pull request of the path; 404, 410 or 301 as its state says."""
        issue = self.state.store.find_issue(self.repo.id, self.number(parameter))
        if issue is None:
            raise not_found()
        if issue.gone == "deleted":
            raise ApiError(410, "This issue was deleted")
        if issue.gone == "transferred":
            raise self._moved(issue)
        return issue

    def _moved(self, issue: Issue) -> ApiError:
        target = self.state.store.find(Issue, issue.moved_to or 0)
        if target is None:
            return not_found()
        repo = self.state.repo(target.repo_id)
        demand(repo, self.caller, "metadata:read", "read")
        url = self.view.api(f"/repos/{repo.full_name}/issues/{target.number}")
        return ApiError(301, "Moved Permanently", headers={"location": url}, extra={"url": url})

    def pull(self, parameter: str = "pull_number") -> tuple[Issue, Pull]:
        issue = self.issue(parameter)
        pull = self.state.store.find_pull(self.repo.id, issue.number)
        if pull is None:
            raise not_found()
        return issue, pull

    def owned(self, kind: type[T], parameter: str) -> T:
        """The record of this repository that the path names by id; else 404."""
        assert issubclass(kind, Record)
        found = self.state.store.find(kind, self.number(parameter))
        if found is None or found.repo_id != self.repo.id:
            raise not_found()
        return found

    async def commit(self, parameter: str = "ref") -> str:
        """Sha of the commit that the path names; 422 when there is none, as the commits API answers."""
        rev = self.path(parameter)
        sha = await self.git.find_commit_sha(rev)
        if sha is None:
            raise ApiError(422, f"No commit found for SHA: {rev}")
        return sha

    def page(self, items: Sequence[T]) -> tuple[Sequence[T], dict[str, str]]:
        """The asked page of `items` and the Link header. Source: GitHub REST "Using pagination"."""
        per_page = min(max(_number(self.query("per_page"), 30), 1), MAX_PAGE)
        number = max(_number(self.query("page"), 1), 1)
        last = max((len(items) + per_page - 1) // per_page, 1)
        wanted: list[tuple[str, int]] = []
        if number > 1:
            wanted.append(("prev", min(number - 1, last)))
        if number < last:
            wanted += [("next", number + 1), ("last", last)]
        if number > 1:
            wanted.append(("first", 1))
        query = [(k, v) for k, v in self.request.query_params.multi_items() if k != "page"]
        base = api_base(self.request) + self.request.scope["path"]
        links = (f'<{base}?{urlencode([*query, ("page", str(to))])}>; rel="{rel}"' for rel, to in wanted)
        link = ", ".join(links)
        return items[(number - 1) * per_page : number * per_page], {"link": link} if link else {}


def parse_object(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise ApiError(400, "Problems parsing JSON") from None
    if not isinstance(value, dict):
        raise ApiError(400, "Body should be a JSON object")
    return value


def as_names(name: str, values: Iterable[Any]) -> list[str]:
    found: list[str] = []
    for value in values:
        text = value.get("name") if isinstance(value, dict) else value
        if not isinstance(text, str) or not text:
            raise ApiError(422, f"Invalid request.\n\nFor 'properties/{name}', {json.dumps(value)} is not a string.")
        found.append(text)
    return found


def api_base(request: Request) -> str:
    """Where this caller reaches the API: scheme and host as asked, and `/api/v3` when it came by that."""
    host = request.headers.get("host", "127.0.0.1")
    return f"{request.url.scheme}://{host}{request.scope.get('orch.prefix', '')}"


def reply(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status, headers)


def no_content() -> Response:
    return Response(status_code=204)


def not_served(method: str, path: str) -> JSONResponse:
    """What the stand-in does not do it says by name, so that nobody takes silence for an answer."""
    return JSONResponse({"message": f"Not served by the stand-in: {method} {path}"}, 501)


def error_reply(error: ApiError) -> JSONResponse:
    return JSONResponse(error.body, error.status, error.headers)


def routes_of(endpoints: Iterable[Endpoint]) -> list[Route]:
    """One Starlette route per path, in the given order; other methods of the path answer 501."""
    ordered = list(endpoints)
    paths = list(dict.fromkeys(endpoint.path for endpoint in ordered))
    ordered.sort(key=lambda endpoint: paths.index(endpoint.path))
    grouped = ((path, {e.method: e for e in group}) for path, group in groupby(ordered, key=lambda e: e.path))
    return [Route(path, _dispatch(path, methods), methods=_ANY_METHOD) for path, methods in grouped]


def _dispatch(path: str, methods: dict[str, Endpoint]) -> Callable[[Request], Awaitable[Response]]:
    template = path.replace(":path}", "}").replace(":int}", "}")

    async def endpoint(request: Request) -> Response:
        request.scope["orch.route"] = template
        method = "GET" if request.method == "HEAD" else request.method
        wanted = methods.get(method)
        if wanted is None:
            return not_served(request.method, template)
        request.scope["orch.needs"] = wanted.needs
        try:
            return await wanted.handler(_call(request, wanted))
        except ApiError as error:
            return error_reply(error)
        except Exception:
            log.exception("%s %s failed", request.method, template)
            return reply({"message": "Server Error"}, 500)

    return endpoint


def _call(request: Request, endpoint: Endpoint) -> Call:
    state: State = request.app.state.standin
    caller: Caller | None = request.scope.get("orch.token")
    call = Call(request, state, caller)
    if "owner" in request.path_params:
        repo = state.store.find_repo(call.path("owner"), call.path("repo"))
        if repo is None:
            raise not_found()
        demand(repo, caller, endpoint.needs, endpoint.role)
        if repo.archived and endpoint.needs.endswith(":write"):
            raise ApiError(403, "Repository was archived so is read-only.")
        call._repo = repo
    return call


def _number(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else default
