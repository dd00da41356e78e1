"""What the operator makes of an answer that a person has just given. Called by `approve` and `deny`; it only reads.

The operator knows what a terminal does not: today's rule of the repository, the logins on the code host, what other authorizers
say of the groups that are claimed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final

from orch.api.v1alpha1 import Approval
from orch.kube.client import Kube
from orch.kube.errors import Unavailable
from orch.kube.store import Store
from orch.policy.approvals import fingerprint

PATIENCE: Final = 3.0
"""Seconds that a person waits for the operator, which needs a fraction of one when it is there."""
_PAUSE: Final = 0.2


@dataclass(frozen=True)
class Tally:
    """`counts`: None while the operator has not said so; `why`: why not."""

    counts: bool | None = None
    why: str = ""


async def tally(kube: Kube, question: Approval, username: str) -> Tally:
    """Wait until the operator has counted the answer that stands in the question under this name."""
    digest = fingerprint(question.spec.decisions[username])
    store, loop = Store(kube, Approval), asyncio.get_running_loop()
    end = loop.time() + PATIENCE
    while True:
        try:
            now = await store.find(question.metadata.namespace or "", question.metadata.name)
        except Unavailable:
            return Tally()
        if now is None or now.metadata.uid != question.metadata.uid:
            return Tally()
        for one in now.status.decisions:
            if (one.username, one.digest) == (username, digest):
                return Tally(one.counted, one.reason or "")
        if loop.time() >= end:
            return Tally()
        await asyncio.sleep(_PAUSE)
