"""A whole list of one kind, taken page by page, as entries for the cache.

Filled by the watch from the lists that kopf asks for, and by the resync from its own. Whole objects would cost a
hundred times what is kept of them, so a page is read and let go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from orch.runtime.cache import Entry
from orch.runtime.reconcile import Key
from orch.runtime.source import Source, key_of

log = structlog.get_logger(__name__)


@dataclass
class Listing:
    """What a list has said so far."""

    source: Source[Any]
    namespace: str | None
    """The list is of this one only; None: of all."""
    version: int = 0
    entries: list[Entry[Any]] = field(default_factory=list)
    unreadable: set[Key] = field(default_factory=set)
    """Listed, but no projection could be made of them."""

    def add(self, page: Mapping[str, Any]) -> bool:
        """Take in a page; True when it was the last one."""
        self.version = int(page["metadata"]["resourceVersion"])
        for document in page.get("items") or []:
            try:
                self.entries.append(self.source.entry(document))
            except Exception:
                key = key_of(document)
                self.unreadable.add(key)
                log.exception("watch.unreadable", resource=self.source.resource.name, key=str(key))
        return not page["metadata"].get("continue")
