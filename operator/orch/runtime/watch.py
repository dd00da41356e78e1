"""Watching by kopf, and nothing else by kopf: this is its only door.

Run by the manager. One `kopf.on.event` per kind hands over what it saw; no handler of ours runs in kopf, it writes
nothing (no annotation, no finalizer, no Event) and decides nothing.

kopf runs in a thread with an event loop of its own. In ours it would take over SIGTERM, and when it ends it cancels
every task that began after it (`run_tasks`: "the loop is not fully ours!"), so it could not be restarted after a
failure.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import kopf
import structlog

from orch.kube.client import Kube
from orch.runtime.backoff import Backoff
from orch.runtime.cache import Entry
from orch.runtime.listing import Listing
from orch.runtime.pulse import Pulse
from orch.runtime.reconcile import Key
from orch.runtime.source import Source, key_of
from orch.runtime.streams import open_session

log = structlog.get_logger(__name__)

PAGE: Final = 500
"""Objects per page of kopf's own list."""


@dataclass(frozen=True)
class WatchTimes:
    """Seconds. The defaults fit the bookmark that the API server sends about every 60 s.

    It sends none to a watch that began at the newest version its cache of the kind knows of. While the kind rests, only etcd's
    progress notifications move that (`--watch-progress-notify-interval`, 5 s with kubeadm); without them a watch may be silent for
    longer, and is opened anew."""

    silence: float = 70.0
    """kopf opens a new watch after so long without a byte."""
    proof: int = 5
    """Length of the watch after a silent one, whose end shows that what the server sends arrives."""
    server: float | None = None
    """Length of one watch request; None leaves it to the server (5 to 10 minutes)."""
    stop: float = 1.5
    """How long the thread may take to end."""
    retries: tuple[float, ...] = (1, 2, 4)
    """Between kopf's tries of a request that is refused; after the last one it ends, and is started again by us."""


@dataclass(frozen=True)
class Seen:
    """From the watch: an object is there (`entry`), or it is gone at `version`."""

    source: Source[Any]
    key: Key
    version: int
    entry: Entry[Any] | None


class Watch:
    """The watches of all sources, in all namespaces (None) or in some."""

    def __init__(
        self,
        kube: Kube,
        sources: Sequence[Source[Any]],
        *,
        namespaces: Sequence[str] | None = None,
        pulse: Pulse,
        on_seen: Callable[[Seen], None],
        on_listed: Callable[[Listing], None],
        times: WatchTimes | None = None,
    ) -> None:
        """Both callbacks run in the event loop that calls `run`, in the order of arrival.

        `on_listed`: the watch has begun anew behind this list, at the start or because something was missed. What is not
        in it is gone, for kopf tells of no deletion in between; its objects are told of in no other way.
        """
        for namespace in namespaces or ():
            if not namespace.replace("-", "").isalnum():
                raise ValueError(f"{namespace!r} is no namespace: patterns are not supported")
        self._kube, self._sources, self._namespaces = kube, tuple(sources), namespaces
        self._pulse, self._on_seen, self._on_listed = pulse, on_seen, on_listed
        self._times = times or WatchTimes()
        self._by_path = {
            source.resource.path(namespace): (source, namespace)
            for source in self._sources
            for namespace in (namespaces or (None,))
        }
        self._listings: dict[str, Listing] = {}
        self._listed: dict[str, Listing] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def run(self) -> None:
        """Watch until cancelled. A kopf that ends, for whatever reason, is started again with back-off."""
        self._loop = asyncio.get_running_loop()
        self._pulse.expect(self._by_path)
        backoff: Backoff[str] = Backoff(first=0.5, limit=10)
        while True:
            began = self._loop.time()
            failure = await self._one_life()
            if self._loop.time() - began > 60:
                backoff.forget("kopf")
            log.error("watch.ended", why=failure)
            await asyncio.sleep(backoff.next("kopf"))

    async def _one_life(self) -> str:
        """Run kopf in a thread until it ends; return why. When cancelled, stop it first."""
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[str] = loop.create_future()
        life = _Life(functools.partial(self._operator), lambda why: self._tell(_resolve, ended, why))
        life.start()
        try:
            return await ended
        finally:
            life.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._times.stop):
                    await asyncio.shield(ended)

    async def _operator(self, stop: asyncio.Event) -> None:
        settings = kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.process.ultimate_exiting_timeout = None
        settings.watching.inactivity_timeout = self._times.silence
        settings.watching.server_timeout = self._times.server
        settings.watching.connect_timeout = 10
        settings.watching.chunk_size = PAGE
        settings.persistence.diffbase_storage = _NoDiffs()
        settings.networking.request_timeout = 30
        settings.networking.error_backoffs = self._times.retries
        settings.queueing.idle_timeout = 1
        registry = kopf.OperatorRegistry()
        kopf.on.login(registry=registry, id="login")(self._login)
        for source in self._sources:
            place = source.resource
            if source.labels:
                settings.watching.label_selectors[place.group, place.version, place.plural] = source.labels
            register = kopf.on.event(place.group, place.version, place.plural, registry=registry, id=place.plural)
            register(functools.partial(self._event, source))
        await kopf.operator(
            registry=registry,
            settings=settings,
            standalone=True,
            clusterwide=self._namespaces is None,
            namespaces=self._namespaces or (),
            stop_flag=stop,
        )

    async def _login(self, **_: object) -> kopf.AiohttpSession:
        session = open_session(self._kube, self._pulse, proof=self._times.proof, opened=self._opened, listed=self._page)
        return kopf.AiohttpSession(server=self._kube.server, aiohttp_session=session)

    async def _event(self, source: Source[Any], event: kopf.RawEvent, **_: object) -> None:
        """The one handler. Whatever it raised, kopf would log and drop for ever."""
        if event["type"] is None:
            return  # from a list, which is taken over as a whole
        document: Any = event["object"]
        try:
            key, version = key_of(document), int(document["metadata"]["resourceVersion"])
            entry = None if event["type"] == "DELETED" else source.entry(document)
        except Exception:
            name = (document.get("metadata") or {}).get("name")
            log.exception("watch.unreadable", resource=source.resource.name, name=name)
            return
        self._tell(self._on_seen, Seen(source, key, version, entry))

    def _page(self, path: str, page: Any) -> None:
        """A page of a list that kopf has asked for. The first one of a list begins a new one."""
        if path not in self._by_path:
            return  # kopf looks around: the version, the resources
        listing = self._listings.pop(path, None) or Listing(*self._by_path[path])
        if listing.add(page):
            self._listed[path] = listing
        else:
            self._listings[path] = listing

    def _opened(self, path: str) -> None:
        if (listing := self._listed.pop(path, None)) is not None:
            self._tell(self._on_listed, listing)

    def _tell(self, callback: Callable[..., None], *args: object) -> None:
        """Call in the manager's event loop. A loop that is closed no longer wants to know."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(callback, *args)


class _NoDiffs(kopf.DiffBaseStorage):
    """kopf copies each object twice to compare it with the one it handled last, which only handlers of changes ask for."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence()

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        return None

    def store(self, **_: Any) -> None:
        """Nothing is ever written to an object."""


def _resolve(future: asyncio.Future[str], why: str) -> None:
    if not future.done():
        future.set_result(why)


def _why(error: Exception) -> str:
    """A line for people. kopf's own errors hold the server's `Status` object too, which says the same at length."""
    return f"{type(error).__name__}: {getattr(error, 'message', None) or error}"[:500]


class _Life:
    """One thread with one kopf in it."""

    def __init__(self, operator: Callable[[asyncio.Event], Any], ended: Callable[[str], None]) -> None:
        self._operator, self._ended = operator, ended
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._stopped = threading.Event()
        # A daemon: if kopf hangs, the process still ends.
        self._thread = threading.Thread(target=self._main, name="kopf", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._stop.set)

    def _main(self) -> None:
        try:
            asyncio.run(self._run())
        except Exception as error:
            self._ended(_why(error))
        else:
            self._ended("stopped")

    async def _run(self) -> None:
        self._stop, self._loop = asyncio.Event(), asyncio.get_running_loop()
        if self._stopped.is_set():
            return
        await self._operator(self._stop)
