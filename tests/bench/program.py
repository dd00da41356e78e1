"""The whole operator in a process of its own, in a world that answers at once (`quick.py`): what benches measure.

Started by `bed.py` with ORCH_ settings in its environment and a JSON document of its own in BENCH. It writes what happens to a
trace, a line each: `<monotonic seconds> <what> <which>`.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.bench import quick
from tests.bench.fleet import snapshot

from orch.api.v1alpha1 import IssueRun
from orch.kube.errors import Conflict
from orch.kube.store import Store
from orch.main import Adapters, run
from orch.reconcilers.issuerun import IssueRunReconciler
from orch.runtime.audit import setup_logging
from orch.runtime.reconcile import Key, Result
from orch.settings import Settings


def main() -> None:
    options, settings = json.loads(os.environ["BENCH"]), Settings()
    with Path(options["trace"]).open("w", buffering=1) as trace:

        def tell(what: str, which: str) -> None:
            trace.write(f"{time.monotonic():.6f} {what} {which}\n")

        _overhear(tell)
        setup_logging(settings.log_level, settings.log_format)
        wishes = quick.Wishes(options.get("step_seconds"), options.get("labelled"))
        snapshots = [snapshot(number) for number in options.get("issues", [])]

        def world(settings: Settings, _: Callable[[], None]) -> Adapters:
            return quick.connect(settings.data_dir, snapshots, wishes, started=lambda name: tell("step", name))

        asyncio.run(run(settings, world))


def _overhear(tell: Callable[[str, str], None]) -> None:
    """Reconciles of runs, and writes of their status with the milliseconds that each took."""
    reconcile, write_status = IssueRunReconciler.reconcile, Store.write_status

    async def told_reconcile(self: IssueRunReconciler, key: Key) -> Result:
        result = await reconcile(self, key)
        tell("reconciled", key.name)
        return result

    async def told_write(self: Store[Any], obj: Any, previous: Any) -> Any:
        began = time.monotonic()
        try:
            stored = await write_status(self, obj, previous)
        except Conflict:
            tell("conflict", obj.metadata.name)
            raise
        if stored is not obj and isinstance(obj, IssueRun):
            tell("status", f"{(time.monotonic() - began) * 1000:.3f}")
            if obj.status.completion_time is not None:
                tell("ended", obj.metadata.name)
        return stored

    wrapped: list[tuple[type[Any], str, Callable[..., Awaitable[Any]]]] = [
        (IssueRunReconciler, "reconcile", told_reconcile),
        (Store, "write_status", told_write),
    ]
    for owner, name, method in wrapped:
        setattr(owner, name, method)


if __name__ == "__main__":
    main()
