"""One line to GitHub: PyGithub's requester over a connection of our own. Blocking; used by one thread at a time.

PyGithub builds the request (address, token, version) and reads the answer's quota. Sending is ours, because its
connection follows redirects into other repositories, waits and repeats by itself, has no limit of size or time, and goes to
any address that a name leads to. `requests` and `urllib3` are what PyGithub itself sends with.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from github import Auth, Github
from github.Requester import HTTPSRequestsConnectionClass, RequestsResponse
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

from orch.adapters.github.hosts import Host, check_addresses, is_public, not_allowed
from orch.failpoints import Moment, failpoint

API_VERSION: Final = "2022-11-28"
"""The version whose description our facts are read by; later ones drop fields that orch needs."""
_USER_AGENT: Final = f"orch/{version('orch')}"
TAIL: Final = 64_000
_LARGEST: Final = 32_000_000
_CHUNK: Final = 65_536


@dataclass(frozen=True)
class Timeouts:
    """Seconds. `connect` and `read` together are what `main` leaves before the lease ends; GitHub gives up after ten."""

    connect: float = 3.0
    read: float = 9.0
    body: float = 20.0
    """From the first byte sent to the last one received."""

    @property
    def deadline(self) -> float:
        """After this nothing can still come."""
        return self.connect + self.read + self.body


@dataclass(frozen=True)
class Reply:
    """An answer as it came. Names of headers are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    text: str = field(repr=False)


class TooLong(requests.RequestException):
    """The answer is larger, or takes longer, than any of GitHub's."""


class Line:
    """A connection to one host with one token."""

    def __init__(self, name: str, host: Host, token: str, timeouts: Timeouts) -> None:
        self._name, self._host, self._token = name, host, token
        self._connection = _Connection(host, timeouts)
        self._requester = Github(
            auth=Auth.Token(token),
            base_url=host.api_url,
            user_agent=_USER_AGENT,
            timeout=10,
            retry=None,
            seconds_between_requests=None,
            seconds_between_writes=None,
            api_version=API_VERSION,
        ).requester
        self._is_checked = False

    def exchange(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, Any],
        headers: Mapping[str, str],
        body: Any = None,
        act: str = "",
    ) -> Reply:
        """One request, one answer of any status. `act`: what a write is called in `orch.failpoints`.

        Raises PolicyDenied (address), requests' and urllib3's errors."""
        self._check()
        sent = {"Accept": "application/vnd.github+json", **headers}
        with _watched(self._name, self._host, act):
            status, answered, text = self._requester.requestJson(
                verb, path, parameters=dict(query), headers=sent, input=body, cnx=self._connection
            )
        return Reply(_true_status(status), {name: str(value) for name, value in answered.items()}, text)

    def tail(self, url: str) -> str:
        """The last 64 kB behind a signed address that GitHub gave out. The token is not sent there."""
        parts = urlsplit(url)
        if parts.scheme not in ("https", urlsplit(self._host.api_url).scheme) or "@" in parts.netloc:
            raise requests.exceptions.InvalidURL("a log's address must be https")
        with _watched(self._name, self._host):
            return self._connection.tail(url)

    def close(self) -> None:
        """Let go of the connection."""
        self._connection.close()

    def _check(self) -> None:
        """Git resolves its own address, in a child: it is looked at here, and the API's at every connection."""
        if not self._is_checked:
            check_addresses(self._name, self._host)
            self._is_checked = True


def was_never_sent() -> bool:
    """Whether this thread's last request failed before a byte of it left: then it may be repeated, whatever it was."""
    return _thread.failed_to_connect


class _Thread(threading.local):
    """What the connection classes, which urllib3 makes, need to know and to tell."""

    name = ""
    act = ""
    private = True
    failed_to_connect = False


_thread: Final = _Thread()


class _watched:  # noqa: N801 - reads as a word
    """Sets up what connections made by this thread are held to."""

    def __init__(self, name: str, host: Host, act: str = "") -> None:
        self._name, self._act, self._private = name, act, host.allow_private

    def __enter__(self) -> None:
        _thread.name, _thread.private, _thread.failed_to_connect = self._name, self._private, False
        _thread.act = self._act

    def __exit__(self, *_: object) -> None:
        _thread.act, _thread.private = "", True


class _Watched(HTTPConnection):
    """Notes a failure to connect, and refuses a peer that is not public: checked here, a name cannot change its mind."""

    def connect(self) -> None:
        _thread.failed_to_connect = True
        super().connect()
        peer = self.sock.getpeername()[0]
        if not _thread.private and not is_public(peer):
            self.close()
            raise not_allowed(_thread.name)
        _thread.failed_to_connect = False

    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3's own
        if _thread.act:
            failpoint(_thread.act, Moment.SENT)
        return super().getresponse()


class _WatchedTls(_Watched, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


class _Adapter(HTTPAdapter):
    """Direct connections are watched. Behind a proxy (HTTPS_PROXY) the proxy decides where they go."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


class _Connection(HTTPSRequestsConnectionClass):
    """PyGithub's connection without its ways: redirects come back as answers, size and time are limited."""

    def __init__(self, host: Host, timeouts: Timeouts) -> None:
        super().__init__(urlsplit(host.api_url).netloc, retry=None, pool_size=1)
        adapter = _Adapter(max_retries=0, pool_connections=2, pool_maxsize=1)
        self.session.mount("https://", adapter)
        self.session.mount("http://", adapter)
        parts = urlsplit(host.api_url)
        self._origin = f"{parts.scheme}://{parts.netloc}"
        self._timeouts = timeouts
        self._verify = str(host.ca_file or os.environ.get("SSL_CERT_FILE") or "") or True

    def getresponse(self) -> RequestsResponse:
        response = self._send(self.verb, self._origin + self.url, headers=self.headers, data=self.input)
        with response:
            chunks = bytearray()
            for chunk in self._body(response):
                chunks += chunk
                if len(chunks) > _LARGEST:
                    raise TooLong("too large an answer")
        return _Answer(response, chunks.decode(errors="replace"))

    def tail(self, url: str) -> str:
        """The end of a plain answer; nothing for one that is no success."""
        response = self._send("GET", url)
        kept: deque[bytes] = deque()
        size = 0
        with response:
            response.raise_for_status()
            for chunk in self._body(response):
                kept.append(chunk)
                size += len(chunk)
                while size - len(kept[0]) >= TAIL:
                    size -= len(kept.popleft())
        return b"".join(kept)[-TAIL:].decode(errors="replace")

    def _send(self, verb: str, url: str, **parts: Any) -> requests.Response:
        self._started = time.monotonic()
        timeout = (self._timeouts.connect, self._timeouts.read)
        return self.session.request(
            verb, url, timeout=timeout, verify=self._verify, allow_redirects=False, stream=True, **parts
        )

    def _body(self, response: requests.Response) -> Iterator[bytes]:
        for chunk in response.iter_content(_CHUNK):
            if time.monotonic() - self._started > self._timeouts.body:
                raise TooLong("too slow an answer")
            yield chunk


class _Answer(RequestsResponse):
    """What PyGithub sees. A status that it would act upon by itself is shown as another one (see `_true_status`)."""

    def __init__(self, response: requests.Response, text: str) -> None:
        super().__init__(response)
        self.status = _DISGUISE.get(response.status_code, response.status_code)
        self._text = text

    def read(self) -> str:
        return self._text


_DISGUISE: Final = {301: 1301, 202: 1202}
"""PyGithub follows a 301, dropping the query, and sleeps over a 202."""


def _true_status(status: int) -> int:
    return status - 1000 if status > 1000 else status
