"""Requests of one credential: PyGithub's requester in a bounded pool, conditional reads, Link pages, errors translated.

A `Github` keeps one connection and is not thread-safe, so each thread has its own. Its retries and pauses are off: they
repeat writes (one comment that was answered 502 was posted three times).
"""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import requests
from github import Auth, Github

from orch.adapters.github.governor import Governor
from orch.adapters.github.translate import broken, rate_limit, refusal
from orch.errors import Ambiguous, Transient
from orch.ports import RateLimit

API_VERSION: Final = "2022-11-28"
"""The version whose description these facts are read by; later ones drop fields that orch needs."""
_THREADS: Final = 8
_TIMEOUT: Final = 10
"""Seconds for a connection and between two bytes; GitHub itself ends a request after ten."""
_DEADLINE: Final = 30
_KEPT: Final = 2_000
"""Answers that are kept for conditional reads, the least used go first."""
_NEXT: Final = re.compile(r'<([^>]+)>;\s*rel="next"')
_MOST_PAGES: Final = 20

POOL: Final = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="github")


@dataclass(frozen=True)
class Reply:
    """An answer: decoded JSON (None for none), raw text, lower-case headers."""

    status: int
    headers: dict[str, str]
    text: str = field(repr=False)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.text) if self.text else None


class Rest:
    """One credential on one host. Shared by all Forges that use it, so that they share its pace and its quota."""

    def __init__(self, api_url: str, token: str, *, write_interval: float) -> None:
        self._api_url, self._token = api_url, token
        self._local = threading.local()
        self.governor = Governor(write_interval)
        self._etags: OrderedDict[str, tuple[str, Reply]] = OrderedDict()
        self.quota: RateLimit | None = None

    async def get(self, path: str, **query: object) -> Reply:
        """A conditional read: unchanged, it costs no quota. Raises NotFound, RateLimited, Transient, CredentialsRefused."""
        key = f"{path}?{sorted(query.items())}"
        known = self._etags.get(key)
        headers = {"If-None-Match": known[0]} if known else {}
        async with self.governor.read():
            reply = await self._send("GET", path, query=query, headers=headers)
        if reply.status == HTTPStatus.NOT_MODIFIED and known is not None:
            self._etags.move_to_end(key)
            return known[1]
        if etag := reply.headers.get("etag"):
            self._etags[key] = (etag, reply)
            while len(self._etags) > _KEPT:
                self._etags.popitem(last=False)
        return reply

    async def pages(self, path: str, *, within: str | None = None, **query: object) -> list[Any]:
        """All entries of a list, over its Link pages (at most two thousand entries). `within`: the key that holds them."""
        query = {"per_page": 100, **query}
        entries: list[Any] = []
        for _ in range(_MOST_PAGES):
            reply = await self.get(path, **query)
            entries += reply.json[within] if within else reply.json
            following = _NEXT.search(reply.headers.get("link", ""))
            if following is None:
                break
            query = dict(parse_qsl(urlsplit(following[1]).query))
        return entries

    async def write(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Reply:
        """An act. Raises Ambiguous when it may have been carried out, otherwise it was not."""
        async with self.governor.write():
            return await self._send(verb, path, body=body)

    async def _send(
        self,
        verb: str,
        path: str,
        *,
        query: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
    ) -> Reply:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_DEADLINE):
                reply = await loop.run_in_executor(POOL, self._request, verb, path, query, headers, body)
        except TimeoutError:
            text = f"{verb} {path}: no answer from GitHub in {_DEADLINE} s"
            raise (Transient if verb == "GET" else Ambiguous)("Unreachable", text) from None
        self._note(reply)
        if reply.status < HTTPStatus.BAD_REQUEST:
            return reply
        now = datetime.now(UTC)
        limited = rate_limit(reply.status, reply.headers, reply.text, now=now)
        if limited is not None:
            self.governor.close(limited.retry_at)
        raise refusal(verb, path, reply.status, reply.headers, reply.text, now=now)

    def _request(
        self,
        verb: str,
        path: str,
        query: dict[str, object] | None,
        headers: dict[str, str] | None,
        body: dict[str, Any] | None,
    ) -> Reply:
        """In a thread of the pool."""
        client: Github | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = Github(
                auth=Auth.Token(self._token),
                base_url=self._api_url,
                timeout=_TIMEOUT,
                retry=None,
                seconds_between_requests=None,
                seconds_between_writes=None,
            )
        sent = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": API_VERSION, **(headers or {})}
        try:
            status, answered, text = client.requester.requestJson(
                verb, path, parameters=dict(query or {}), headers=sent, input=body, follow_302_redirect=verb == "GET"
            )
        except requests.RequestException as err:
            raise broken(verb, path, err) from None
        return Reply(status, {key.lower(): str(value) for key, value in answered.items()}, text)

    def _note(self, reply: Reply) -> None:
        limit, remaining, reset = (reply.headers.get(f"x-ratelimit-{part}") for part in ("limit", "remaining", "reset"))
        if limit and remaining and reset and reply.headers.get("x-ratelimit-resource", "core") == "core":
            self.quota = RateLimit(int(limit), int(remaining), datetime.fromtimestamp(int(reset), UTC))
