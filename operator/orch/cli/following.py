"""Following one run to its end, a line for every change. Called by `run --watch` and `retry --watch`; it ends no run."""

from __future__ import annotations

import asyncio
from typing import Final

from orch.api.conditions import find_condition, is_true
from orch.api.v1alpha1 import IssueRun
from orch.cli.options import ANSWER_IS_NO, Failure
from orch.cli.output import say
from orch.kube.client import Kube
from orch.kube.errors import Unavailable
from orch.kube.store import Store

_PAUSE: Final = 1.0
"""Seconds between two looks at a run."""
_PATIENCE: Final = 60
"""Looks without an answer from the server before the watch gives up."""


async def follow(kube: Kube, run: IssueRun) -> int:
    """A line for every change until the run has ended; 0 when it was merged, else 1."""
    store, shown, silent = Store(kube, IssueRun), "", 0
    while True:
        try:
            now = await store.find(run.metadata.namespace or "", run.metadata.name)
            silent = 0
        except Unavailable:
            silent += 1
            if silent > _PATIENCE:
                raise
            await asyncio.sleep(_PAUSE)
            continue
        if now is None or now.metadata.uid != run.metadata.uid:
            raise Failure(f"{run.metadata.name} was deleted")
        if (text := progress(now)) != shown:
            say(text)
            shown = text
        if now.status.completion_time is not None:
            return 0 if is_true(now, "Succeeded") else ANSWER_IS_NO
        await asyncio.sleep(_PAUSE)


def progress(run: IssueRun) -> str:
    """Where the run is, on one line."""
    outcome = find_condition(run, "Succeeded")
    if run.status.completion_time is not None and outcome is not None:
        word = "Succeeded" if is_true(run, "Succeeded") else "Failed"
        return f"{word} ({outcome.reason}): {outcome.message}; cost ${run.status.usage.cost_usd:.2f}"
    waiting = find_condition(run, "Waiting")
    where = run.status.stage.value if run.status.stage else "Queued"
    if waiting is not None and is_true(run, "Waiting"):
        return f"{where} waits ({waiting.reason}): {waiting.message}"
    return f"{where}: {outcome.message}" if outcome else f"{where}: no operator has looked at it yet"
