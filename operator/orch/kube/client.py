"""One request to the API server: address, credentials, a deadline, a typed error.

`connect` is called by main, the CLI and tests; `Kube.request` by the other modules of this room. It never retries
and never follows a redirect into another host: repeating is the control loop's decision.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yaml
from aiohttp.connector import Connection
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, load_incluster_config, load_kube_config
from multidict import CIMultiDict

from orch.errors import NeedsHuman
from orch.failpoints import Moment, failpoint
from orch.kube.errors import Request, Unavailable, refused, unreachable
from orch.kube.resource import Resource

FIELD_MANAGER: Final = "orch"
"""Owner of what we write, as `kubectl get --show-managed-fields` shows it."""

TIMEOUT_SECONDS: Final = 10.0
"""Of one request, all in all. The fence before an irreversible act counts on it (see `orch.kube.lease`)."""

MERGE_PATCH: Final = "application/merge-patch+json"
_JSON: Final = "application/json"
_METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True)
class ActAs:
    """Another person in whose name requests are made, as by `kubectl --as`; whoever asks needs the verb impersonate."""

    user: str
    groups: tuple[str, ...] = ()

    def headers(self) -> list[tuple[str, str]]:
        return [("Impersonate-User", self.user), *(("Impersonate-Group", group) for group in self.groups)]


class Kube:
    """A connection to one API server. Safe for many tasks of one event loop; close it when done."""

    def __init__(
        self, api: ApiClient, *, act_as: ActAs | None = None, may_write: Callable[[], bool] | None = None
    ) -> None:
        self._api = api
        self._act_as, self._may_write = act_as, may_write

    def fenced(self, may_write: Callable[[], bool]) -> Kube:
        """The same connection, which sends a write only while `may_write` says yes, asked in the moment of sending.

        For the work of a leader: one that was frozen past its lease goes on in the middle of a reconcile when it wakes.
        """
        return Kube(self._api, act_as=self._act_as, may_write=may_write)

    @property
    def server(self) -> str:
        """The base URL, without a trailing slash."""
        return str(self._api.configuration.host).rstrip("/")

    @property
    def proxy(self) -> str | None:
        """The URL of the proxy in front of the server, from the kubeconfig or the environment."""
        proxy: str | None = self._api.configuration.proxy
        return proxy

    @property
    def ssl_context(self) -> ssl.SSLContext:
        """What the connection trusts, and the client certificate if there is one."""
        context: ssl.SSLContext = self._api.rest_client.ssl_context
        return context

    async def authorization(self) -> dict[str, str]:
        """Headers that identify us now: projected tokens are read again when they are due. Never log them."""
        headers: dict[str, str] = {}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
        return headers

    async def request(
        self,
        verb: str,
        resource: Resource,
        *,
        namespace: str | None = None,
        name: str | None = None,
        subresource: str | None = None,
        query: Mapping[str, str | int] | None = None,
        body: Any = None,
        metadata_only: bool = False,
        timeout: float = TIMEOUT_SECONDS,  # noqa: ASYNC109 -- the HTTP client's own deadline, so that the error is ours
    ) -> dict[str, Any]:
        """Send one request and return the JSON answer. `verb` is RBAC's: get, list, create, update, patch, delete.

        `metadata_only`: a list without spec and status (PartialObjectMetadataList). Patches are JSON merge patches
        (RFC 7396). Raises the errors of `orch.kube.errors`, nothing else; `Unavailable` too for a write that a fenced
        connection refuses.
        """
        asked = _describe(verb, resource, namespace, name, subresource)
        path = resource.path(namespace, name, subresource)
        accept = _METADATA if metadata_only else _JSON
        status, content = await self._send(asked, path, accept=accept, query=query, body=body, timeout=timeout)
        if status >= 300:
            raise refused(asked, status, content)
        try:
            document = json.loads(content)
        except ValueError as error:
            raise unreachable(asked, error) from None
        if not isinstance(document, dict):
            raise unreachable(asked, TypeError("not an object"))
        return document

    async def _send(
        self,
        asked: Request,
        path: str,
        *,
        accept: str,
        query: Mapping[str, str | int] | None,
        body: Any,
        timeout: float,  # noqa: ASYNC109
    ) -> tuple[int, bytes]:
        headers, act = {"Accept": accept}, None if query and "dryRun" in query else asked.act
        if asked.verb == "patch":
            headers["Content-Type"] = MERGE_PATCH
        try:
            method, url, sent_headers, sent_body, _ = await self._api.param_serialize(
                _METHODS[asked.verb],
                path,
                query_params=[(key, str(value)) for key, value in (query or {}).items()],
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            limits = aiohttp.ClientTimeout(total=timeout, sock_connect=min(timeout, TIMEOUT_SECONDS / 2))
            everything = CIMultiDict(sent_headers)
            for header, value in self._act_as.headers() if self._act_as else ():
                everything.add(header, value)  # a group a header: a dict would keep the last one only
            _act.set(act)
            _pass(act, Moment.BEFORE)
            if self._may_write is not None and asked.verb not in _READS and not self._may_write():
                raise Unavailable(
                    "LeaseLost", f"cannot {asked}: the lease is not held, another operator may be at work"
                )
            answer = await self._api.call_api(method, url, everything, sent_body, _request_timeout=limits)
            content = bytes(await answer.read())
            _pass(act, Moment.ANSWERED)
            return int(answer.status), content
        except (TimeoutError, aiohttp.ClientError, OSError, ssl.SSLError, ConfigException) as error:
            raise unreachable(asked, error) from None

    async def close(self) -> None:
        await self._api.close()

    async def __aenter__(self) -> Kube:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def connect(
    kubeconfig: str | Path | None = None,
    *,
    context: str | None = None,
    connections: int = 32,
    act_as: ActAs | None = None,
) -> Kube:
    """Open a connection: from a kubeconfig file, or as the pod's service account when `kubeconfig` is None.

    Args:
        context: of the kubeconfig; None takes its current one.
        connections: at most so many requests at once; more wait.
        act_as: in whose name, if not in one's own.

    Raises NeedsHuman when the file is missing, unreadable or holds no usable context. Nothing is sent yet.
    """
    configuration = Configuration()
    configuration.connection_pool_maxsize = connections
    # With the client's own default (True) each request would look into ~/.netrc, in another thread.
    configuration.client_session_kwargs = {"trust_env": False, "response_class": _Response}
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)
        else:
            await load_kube_config(
                config_file=str(kubeconfig), context=context, client_configuration=configuration, persist_config=False
            )
        configuration.proxy = configuration.proxy or _proxy(configuration.host)
        return Kube(ApiClient(configuration), act_as=act_as)
    except (ConfigException, OSError, ValueError, LookupError, TypeError, AttributeError, yaml.YAMLError) as error:
        where = f"kubeconfig {str(kubeconfig)!r}" if kubeconfig else "the pod's service account"
        # Only these two speak to people; the others may quote the file, and with it a credential.
        kind = str(error) if isinstance(error, ConfigException | OSError) else f"not readable ({type(error).__name__})"
        hint = ("name another file" if kubeconfig else "outside a cluster, name a file") + " with --kubeconfig"
        raise NeedsHuman("NoCluster", f"cannot use {where}: {kind}; {hint}") from None


def _proxy(server: str) -> str | None:
    """What HTTPS_PROXY and NO_PROXY say about the server, as kubectl obeys them."""
    address = urlsplit(server)
    if proxy_bypass(address.hostname or ""):
        return None
    return getproxies().get(address.scheme)


_READS: Final = frozenset({"get", "list"})

_METHODS: Final = {
    "get": "GET",
    "list": "GET",
    "create": "POST",
    "update": "PUT",
    "patch": "PATCH",
    "delete": "DELETE",
}


class _Response(aiohttp.ClientResponse):
    """An answer to be. Its `start` is called once the request is written, and reads the first byte of the answer: the signals of
    aiohttp's tracing come before the writing (`on_request_chunk_sent`) or after the head is read (`on_request_end`)."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        if (act := _act.get()) is not None:
            await asyncio.sleep(0)  # a body is written by a task that was made a moment ago, and a short one in one go
            failpoint(act, Moment.SENT)
        return await super().start(connection)


_act: Final[ContextVar[str | None]] = ContextVar("act", default=None)
"""Of the request that the current task is sending."""


def _pass(act: str | None, moment: Moment) -> None:
    if act is not None:
        failpoint(act, moment)


def _describe(
    verb: str, resource: Resource, namespace: str | None, name: str | None, subresource: str | None
) -> Request:
    target = f"{resource.name}/{subresource}" if subresource else resource.name
    return Request(verb, target, namespace, name)
