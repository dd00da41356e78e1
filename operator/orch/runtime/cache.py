"""What the operator remembers of each object: a few fields, not the object (30 KiB of JSON are 94 KiB of Python).

Filled by watch and resync through a Source, read by reconcilers to find and count *other* objects. Nobody decides on
it alone: a reconcile starts with a GET of its own object. All calls come from one event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from orch.runtime.reconcile import Key

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Entry(Generic[P]):
    """One object as last seen. Versions are numbers that grow over all objects of a kind (KEP-5504)."""

    key: Key
    uid: str
    version: int
    labels: Mapping[str, str]
    value: P


@dataclass(frozen=True, slots=True)
class Change(Generic[P]):
    """What has just become known. `old` None: new to us; `new` None: deleted, or no longer selected by the labels."""

    key: Key
    old: P | None
    new: P | None


class Cache(Generic[P]):
    """Projections of the objects of one kind. An older version never overwrites a newer one."""

    def __init__(self, indexes: Mapping[str, Callable[[P], Iterable[str]]] | None = None) -> None:
        self._entries: dict[Key, Entry[P]] = {}
        self._gone: dict[Key, int] = {}
        self._indexers = dict(indexes or {})
        self._indexes: dict[str, dict[str, set[Key]]] = {name: {} for name in self._indexers}

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry[P]]:
        return iter(list(self._entries.values()))

    def entry(self, key: Key) -> Entry[P] | None:
        """The projection with what belongs to it: uid, version, labels."""
        return self._entries.get(key)

    def find(self, key: Key) -> P | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def select(self, namespace: str | None = None, labels: Mapping[str, str] | None = None) -> list[P]:
        """The projections of a namespace (None: of all) that carry all of `labels`."""
        wanted = (labels or {}).items()
        return [
            entry.value
            for entry in self._entries.values()
            if (namespace is None or entry.key.namespace == namespace) and wanted <= entry.labels.items()
        ]

    def indexed(self, index: str, value: str) -> list[P]:
        """The projections for which the indexer of that name yielded `value`, in the order of their keys."""
        return [self._entries[key].value for key in sorted(self._indexes[index].get(value, ()))]

    def put(self, entry: Entry[P]) -> Change[P] | None:
        """Remember; None when it was known already, or something newer was."""
        old = self._entries.get(entry.key)
        if (old is not None and old.version >= entry.version) or self._gone.get(entry.key, -1) >= entry.version:
            return None
        if old is not None:
            self._unindex(old)
        self._gone.pop(entry.key, None)
        self._entries[entry.key] = entry
        for name, values in self._indexers.items():
            for value in values(entry.value):
                self._indexes[name].setdefault(value, set()).add(entry.key)
        return Change(entry.key, old.value if old is not None else None, entry.value)

    def remove(self, key: Key, version: int) -> Change[P] | None:
        """Forget what was gone at `version`; None when it was unknown, or has come back since."""
        old = self._entries.get(key)
        if old is not None and old.version > version:
            return None
        # Remembered, because a list that was taken before may still be under way and would bring it back.
        self._gone[key] = max(version, self._gone.get(key, -1))
        if old is None:
            return None
        del self._entries[key]
        self._unindex(old)
        return Change(key, old.value, None)

    def replace(
        self, entries: Iterable[Entry[P]], version: int, *, namespace: str | None = None, keep: Collection[Key] = ()
    ) -> list[Change[P]]:
        """Take over a whole list that was consistent at `version`: add what is missing, forget what is gone.

        Args:
            namespace: the list was of this one only.
            keep: listed too, but not readable; what is known of them stays.
        """
        listed = {entry.key: entry for entry in entries}
        changes = [self.put(entry) for entry in listed.values()]
        vanished = [
            key for key in self._entries if not (key in listed or key in keep) and namespace in (None, key.namespace)
        ]
        changes += [self.remove(key, version) for key in vanished]
        self._gone = {key: gone for key, gone in self._gone.items() if gone > version}
        return [change for change in changes if change is not None]

    def _unindex(self, entry: Entry[P]) -> None:
        for name, values in self._indexers.items():
            index = self._indexes[name]
            for value in values(entry.value):
                index[value].discard(entry.key)
                if not index[value]:
                    del index[value]
