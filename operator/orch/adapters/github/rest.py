"""Requests of one credential: conditional reads, Link pages, writes, answers as facts, refusals as errors.

Called by `forge`, `checks` and `rules`. It knows HTTP and GitHub's manners, no kind of object. Nothing is ever repeated
here: a write that was answered 502 may have been carried out.
"""

from __future__ import annotations

import json
import re
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3

from orch.adapters.github import translate
from orch.adapters.github.etags import Kept
from orch.adapters.github.governor import Governor
from orch.adapters.github.hosts import Host
from orch.adapters.github.line import Line, Reply, Timeouts, was_never_sent
from orch.adapters.github.pace import Pace, Urgency
from orch.errors import CredentialsRefused, NotFound, OrchError, Terminal
from orch.failpoints import Moment, failpoint
from orch.ports import RateLimit

T = TypeVar("T")
PAGE: Final = 100
_MOST_PAGES: Final = 50
_GRAPHQL: Final = "POST /graphql"
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="next"')
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
"""Colours in a log (ECMA-48 control sequences)."""
_REFUSAL_HOLDS: Final = 300.0
"""Seconds for which a refusal is believed: asking again costs quota, as refusals have no ETag."""
_REFUSALS_KEPT: Final = 2_000
BARRED: Final = (CredentialsRefused, NotFound)
"""403 and 404."""


class Account:
    """What all Forges with one credential share: lines, pace, quota, answers. `key` tells accounts apart, it is no secret."""

    def __init__(self, name: str, host: Host, token: str, *, key: str, kept: Kept, timeouts: Timeouts) -> None:
        self.key, self.kept = key, kept
        self.pace = Pace(host)
        self.quota: RateLimit | None = None
        self.refused: OrderedDict[str, float] = OrderedDict()
        self.seen: set[int] = set()
        """Ids of repositories that are known to have a commit."""
        self.confirmed: dict[str, float] = {}
        """When a repository was last seen to be the pinned one, by monotonic seconds."""
        self.readable: dict[str, bool] = {}
        """Whether check runs may be read, by repository, as the last answer said."""
        self._open_line = partial(Line, name, host, token, timeouts)
        self._idle: list[Line] = []

    def with_line(self, use: Callable[[Line], T]) -> T:
        """In a thread: use a line that nobody else uses meanwhile. PyGithub's connection is not safe to share."""
        try:
            line = self._idle.pop()
        except IndexError:
            line = self._open_line()
        try:
            return use(line)
        finally:
            self._idle.append(line)

    def observe(self, reply: Reply) -> None:
        """In a thread: hold the account's requests back from the very answer on that asks for it."""
        now = datetime.now(UTC)
        limited = translate.rate_limit(reply.status, reply.headers, reply.text, now=now)
        if limited is not None:
            self.pace.close(limited.retry_at - now)
        told = translate.quota(reply.headers)
        if told is not None:
            self.quota = told
            self.pace.observe(told, translate.until_reset(reply.headers))

    def close(self) -> None:
        """Let go of the connections."""
        while self._idle:
            self._idle.pop().close()


@dataclass(frozen=True)
class Answer:
    """A success. `what`: verb and path, for messages."""

    what: str
    document: Any
    is_write: bool = False

    def read(self, parse: Callable[[Any], T]) -> T:
        """The answer as a fact. Raises Transient, after a write Ambiguous, for one that lacks what it should hold."""
        try:
            return parse(self.document)
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
            raise translate.unreadable(self.what, write=self.is_write) from None


class Rest:
    """One credential, for one tenant. `reads`: how urgent they are. `fence` is called in the thread just before a write
    leaves, and may raise."""

    def __init__(
        self, account: Account, governor: Governor, *, tenant: str, reads: Urgency, fence: Callable[[], None]
    ) -> None:
        self._account, self._governor = account, governor
        self._tenant, self._reads, self._fence = tenant, reads, fence
        self._hurries = False

    @property
    def quota(self) -> RateLimit | None:
        """The core quota after the last answer."""
        return self._account.quota

    @property
    def seen(self) -> set[int]:
        """Ids of repositories that are known to have a commit."""
        return self._account.seen

    @property
    def confirmed(self) -> dict[str, float]:
        """When a repository was last seen to be the pinned one, by monotonic seconds."""
        return self._account.confirmed

    @property
    def readable(self) -> dict[str, bool]:
        """Whether check runs may be read, by repository, as the last answer said."""
        return self._account.readable

    def hurry(self) -> None:
        """From now on its requests go before the tenant's others."""
        self._hurries = True

    async def get(self, path: str, **query: object) -> Answer:
        """A conditional read: unchanged, it costs no quota. Raises NotFound, RateLimited, Transient, CredentialsRefused."""
        reply = await self._conditional(path, query)
        return Answer(f"GET {path}", _decoded(reply.text, f"GET {path}", write=False))

    async def pages(self, path: str, *, within: str | None = None, **query: object) -> Answer:
        """All entries of a list, over its pages. `within`: the key that holds them.

        Raises Terminal for more than five thousand: what is cut off could be the one entry that counts."""
        what, asked, entries = f"GET {path}", {"per_page": PAGE, **query}, list[Any]()
        for _ in range(_MOST_PAGES):
            reply = await self._conditional(path, asked)
            document = Answer(what, _decoded(reply.text, what, write=False))
            page = document.read(lambda found: list(found[within] if within else found))
            entries += page
            following = _following(reply, asked, len(page))
            if following is None:
                return Answer(what, entries)
            asked = following
        raise Terminal("ListTooLong", f"{what}: more than {_MOST_PAGES * PAGE} entries")

    async def write(self, act: str, verb: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """An act, by its name in `orch.failpoints`.

        Raises Ambiguous when it may have been carried out; after any other error it was not."""
        return (await self._act(act, verb, path, body, what=f"{verb} {path}"))[0]

    async def ask(self, url: str, query: str, **variables: object) -> Answer:
        """A GraphQL query, for what REST does not tell. It is a read, though GitHub wants it by POST; it has no ETag and a
        quota of its own. Raises as `get` does, also for what GitHub says in an answer of status 200."""
        body = {"query": query, "variables": variables}
        reply = await self._turn(lambda: self._exchange("POST", url, {}, {}, body), _GRAPHQL, self._reads)
        answer = Answer(_GRAPHQL, _decoded(reply.text, _GRAPHQL, write=False))
        self._raise_errors(answer, reply)
        return answer

    async def mutate(self, act: str, url: str, mutation: str, **variables: object) -> Answer:
        """An act that GraphQL alone offers, by its name in `orch.failpoints`. Raises as `write` does; Refused for what GitHub
        understands and declines."""
        body = {"query": mutation, "variables": variables}
        answer, reply = await self._act(act, "POST", url, body, what=_GRAPHQL)
        self._raise_errors(answer, reply)
        return answer

    async def _act(
        self, act: str, verb: str, address: str, body: Mapping[str, Any] | None, *, what: str
    ) -> tuple[Answer, Reply]:
        """The one way on which something is changed: in its turn, behind the fence."""

        def send() -> Reply:
            failpoint(act, Moment.BEFORE)
            self._fence()
            return self._exchange(verb, address, {}, {}, body, act=act)

        reply = await self._turn(send, what, Urgency.EFFECT)
        failpoint(act, Moment.ANSWERED)
        return Answer(what, _decoded(reply.text, what, write=True), is_write=True), reply

    def _raise_errors(self, answer: Answer, reply: Reply) -> None:
        errors = answer.read(lambda document: list(document.get("errors") or []))
        if errors:
            raise answer.read(lambda _: translate.of_graphql(errors, reply.headers, write=answer.is_write))

    async def log(self, path: str) -> str:
        """The end of a log that GitHub keeps behind a signed address elsewhere. Raises NotFound, CredentialsRefused, …"""

        def fetch() -> Reply:
            try:
                reply = self._exchange("GET", path, {}, {}, None)
                location = reply.headers.get("location")
                if reply.status != HTTPStatus.FOUND or location is None:
                    return reply
                text = self._account.with_line(lambda line: line.tail(location))
                return Reply(HTTPStatus.OK, {}, text)
            except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as err:
                raise translate.broken(f"GET {path}", err, write=False, never_sent=True) from None

        reply = await self._turn(fetch, f"GET {path}", self._reads)
        return _ESCAPES.sub("", reply.text)

    async def unless_refused(
        self,
        what: str,
        ask: Callable[[], Awaitable[T]],
        *,
        kinds: tuple[type[OrchError], ...] = BARRED,
        holds: float = _REFUSAL_HOLDS,
    ) -> T | None:
        """The outcome of `ask`; None where GitHub refuses in one of `kinds`, which is then believed for `holds` seconds.

        `what` names the refusal: equal questions have equal names. A token that is not valid at all always raises."""
        held = self._account.refused.get(what)
        if held is not None and time.monotonic() < held:
            return None
        try:
            return await ask()
        except kinds as err:
            if err.reason == "BadCredentials":
                raise
        self._account.refused[what] = time.monotonic() + holds
        while len(self._account.refused) > _REFUSALS_KEPT:
            self._account.refused.popitem(last=False)
        return None

    def doubt(self, what: str) -> None:
        """Ask anew the next time, although it was refused a moment ago."""
        self._account.refused.pop(what, None)

    async def _conditional(self, path: str, query: Mapping[str, object]) -> Reply:
        """The answer, the kept one if it still holds; the Link of the newer one wins."""
        address = f"{path}?{sorted((key, str(value)) for key, value in query.items())}"
        known = self._account.kept.find(self._account.key, address)
        headers = {"If-None-Match": known.headers["etag"]} if known else {}
        ask = partial(self._exchange, "GET", path, query, headers, None)
        reply = await self._turn(ask, f"GET {path}", self._reads)
        if reply.status != HTTPStatus.NOT_MODIFIED:
            self._account.kept.put(self._account.key, address, reply)
            return reply
        if known is None:
            raise translate.unreadable(f"GET {path}", write=False)
        return Reply(reply.status, {**known.headers, **_links(reply)}, known.text)

    async def _turn(self, work: Callable[[], Reply], what: str, urgency: Urgency) -> Reply:
        write = urgency is Urgency.EFFECT
        try:
            reply = await self._governor.run(
                work, pace=self._account.pace, tenant=self._tenant, urgency=urgency, hurries=self._hurries
            )
        except TimeoutError:
            raise translate.late(what, write=write) from None
        if HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES or reply.status == HTTPStatus.NOT_MODIFIED:
            return reply
        raise translate.refusal(what, reply.status, reply.headers, reply.text, write=write, now=datetime.now(UTC))

    def _exchange(
        self, verb: str, path: str, query: Mapping[str, object], headers: Mapping[str, str], body: Any, act: str = ""
    ) -> Reply:
        """In a thread: one request, one answer."""
        try:
            reply = self._account.with_line(
                lambda line: line.exchange(verb, path, query=query, headers=headers, body=body, act=act)
            )
        except OrchError:
            raise
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as err:
            what, write = f"{verb} {path}", verb != "GET"
            raise translate.broken(what, err, write=write, never_sent=was_never_sent()) from None
        self._account.observe(reply)
        return reply


def _following(reply: Reply, asked: dict[str, object], entries: int) -> dict[str, object] | None:
    """The query of the next page. A 304 may come without Link, and then a full page says nothing about another one."""
    link = _NEXT.search(reply.headers.get("link", ""))
    if link is not None:
        return dict(parse_qsl(urlsplit(link[1]).query))
    if reply.status == HTTPStatus.NOT_MODIFIED and entries >= PAGE:
        return {**asked, "page": int(str(asked.get("page", 1))) + 1}
    return None


def _links(reply: Reply) -> dict[str, str]:
    return {"link": reply.headers["link"]} if "link" in reply.headers else {}


def _decoded(text: str, what: str, *, write: bool) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        raise translate.unreadable(what, write=write) from None
