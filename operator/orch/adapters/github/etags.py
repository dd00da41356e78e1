"""Answers that are kept for conditional reads: unchanged ones cost no quota. Used by `rest`.

An ETag holds for one address *and* one token, so both are in the key. Bounded by size: the least used go first.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from orch.adapters.github.line import Reply

LARGEST: Final = 64_000_000
"""Characters of all answers together, for the process."""


class Kept:
    """A bounded store of answers with an ETag."""

    def __init__(self, largest: int = LARGEST) -> None:
        self._largest = largest
        self._size = 0
        self._replies: OrderedDict[tuple[str, str], Reply] = OrderedDict()

    def find(self, account: str, address: str) -> Reply | None:
        """The last answer, if it is still here."""
        reply = self._replies.get((account, address))
        if reply is not None:
            self._replies.move_to_end((account, address))
        return reply

    def put(self, account: str, address: str, reply: Reply) -> None:
        """Keep an answer that has an ETag, in the place of an older one; one without it takes the older one away."""
        old = self._replies.pop((account, address), None)
        self._size -= len(old.text) if old else 0
        if "etag" in reply.headers and len(reply.text) <= self._largest:
            self._replies[account, address] = reply
            self._size += len(reply.text)
        while self._size > self._largest:
            _, dropped = self._replies.popitem(last=False)
            self._size -= len(dropped.text)
