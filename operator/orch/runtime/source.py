"""A kind that is watched: where it lives, what is remembered of it, and what is left out.

Made by main for each kind, given to the manager, and its cache to the reconcilers that ask for other objects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from orch.kube.resource import Resource
from orch.runtime.cache import Cache, Change, Entry
from orch.runtime.reconcile import Key

P = TypeVar("P")

Document = Mapping[str, Any]


class Source(Generic[P]):
    """One kind under watch.

    Args:
        resource: where it lives.
        project: document → the few fields to remember. Pure; runs in the watch's thread; may raise on a hostile object,
            which is then logged and looked for again at the next resync.
        labels: selector of what is watched at all, e.g. `!orch.dev/terminal`. An object that stops matching shows as
            deleted although it is not.
        indexes: name → the values under which a projection is found.
    """

    def __init__(
        self,
        resource: Resource,
        project: Callable[[Document], P],
        *,
        labels: str = "",
        indexes: Mapping[str, Callable[[P], Iterable[str]]] | None = None,
    ) -> None:
        self.resource = resource
        self.labels = labels
        self.cache: Cache[P] = Cache(indexes)
        self._project = project

    def entry(self, document: Document) -> Entry[P]:
        """The entry for a document from the server. Raises what `project` raises."""
        meta = document["metadata"]
        return Entry(
            key=key_of(document),
            uid=str(meta.get("uid", "")),
            version=int(meta["resourceVersion"]),
            labels=dict(meta.get("labels") or {}),
            value=self._project(document),
        )

    def seen(self, entry: Entry[P]) -> Change[P] | None:
        """An object is there."""
        return self.cache.put(entry)

    def gone(self, key: Key, version: int) -> Change[P] | None:
        """An object is not there any more."""
        return self.cache.remove(key, version)


def key_of(document: Document) -> Key:
    """The key of a document from the server."""
    meta = document["metadata"]
    return Key(str(meta.get("namespace") or ""), str(meta["name"]))
